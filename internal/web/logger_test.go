package web

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// sink counts the writes that reach it.
type sink struct {
	mu     sync.Mutex
	buf    bytes.Buffer
	writes int
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	return s.buf.Write(p)
}

func (s *sink) lines() (lines, writes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Count(s.buf.String(), "\n"), s.writes
}

func TestLogLinesWaitATenthOfASecondTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		out := &sink{}
		w := NewLogWriter(out)
		logger := w.Logger(slog.LevelInfo)
		told := func() []int { lines, writes := out.lines(); return []int{lines, writes} }
		for range 50 {
			logger.Info("request")
		}
		logger.Debug("not this")
		require.Equal(t, []int{0, 0}, told())
		time.Sleep(logDelay + time.Millisecond)
		synctest.Wait()
		require.Equal(t, []int{50, 1}, told())
		logger.Info("before")
		logger.With("a", 1).WithGroup("g").Warn("a warning does not wait, nor what was before it")
		require.Equal(t, []int{52, 2}, told())
		logger.Error("nor does an error")
		require.Equal(t, []int{53, 3}, told())
		logger.Info("at the end")
		require.NoError(t, w.Close())
		require.Equal(t, []int{54, 4}, told())
		logger.Info("and after it")
		require.Equal(t, []int{55, 5}, told())
	})
}

func TestManyWritersLoseNoLine(t *testing.T) {
	t.Parallel()
	out := &sink{}
	w := NewLogWriter(out)
	logger := w.Logger(slog.LevelInfo)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 2000 {
				logger.Info("request", slog.String("pad", strings.Repeat("x", 50)))
			}
		})
	}
	all.Wait()
	require.NoError(t, w.Close())
	lines, writes := out.lines()
	require.Equal(t, 16000, lines)
	require.Less(t, writes, 200)
}
