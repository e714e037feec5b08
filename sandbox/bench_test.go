package sandbox

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// BenchmarkPayHTTP pays over HTTP with 64 clients while callbacks are delivered to a shop in the same process.
func BenchmarkPayHTTP(b *testing.B) {
	path := filepath.Join(b.TempDir(), "state")
	seeded(b, path)
	box, err := New(Config{StateFile: path})
	require.NoError(b, err)
	defer box.Close()
	platform := httptest.NewServer(box.Handler())
	defer platform.Close()
	notified := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }))
	defer notified.Close()
	for i := range b.N {
		plant(b, box, fmt.Sprintf("ORDER%08d", i), notified.URL)
	}
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error)
	go func() { done <- box.Run(ctx) }()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: time.Minute}
	var next atomic.Int64
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			body := fmt.Sprintf(`{"out_trade_no":"ORDER%08d"}`, next.Add(1)-1)
			resp, err := client.Post(platform.URL+"/simulate/pay", "application/json", strings.NewReader(body))
			if err != nil || resp.StatusCode != http.StatusOK {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pays/s")
	b.StopTimer()
	cancel()
	require.NoError(b, <-done)
}
