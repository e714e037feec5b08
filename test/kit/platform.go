package kit

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Names in a test's directory.
const (
	shopDir   = "shop"
	stateFile = "shop.sandbox"
)

// Platform is the payment simulator as a process of its own.
type Platform struct {
	URL, State string
	*Proc      // of the last start
	api        *Client
}

// NewPlatform starts a payment platform on which the demo's merchants have
// their accounts.
func NewPlatform(t testing.TB) *Platform {
	t.Helper()
	dir := t.TempDir()
	state, err := os.ReadFile(filepath.Join(demoOf(t).dir, stateFile))
	require.NoError(t, err)
	p := &Platform{State: filepath.Join(dir, stateFile)}
	require.NoError(t, os.WriteFile(p.State, state, 0o600))
	p.URL = "http://" + freeAddr()
	p.api = newClient(p.URL)
	require.NoError(t, p.launch(t))
	return p
}

// launch starts the platform and waits until it answers.
func (p *Platform) launch(t testing.TB, env ...string) error {
	log := filepath.Join(filepath.Dir(p.State), "sandbox.log")
	proc, err := startProc(log, env, Binary(t), "sandbox", "--http", strings.TrimPrefix(p.URL, "http://"), "--state", p.State)
	if err != nil {
		return err
	}
	p.Proc = proc
	t.Cleanup(proc.Kill)
	return p.await(p.URL+"/healthz", time.Minute)
}

// Pay pays as a buyer would; nil means that the platform has the money. It is
// not broken off when ctx ends: whether the money was taken must be known.
func (p *Platform) Pay(ctx context.Context, paymentNo string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 20*time.Second)
	defer cancel()
	err := insist(ctx, func() error {
		return p.api.do(ctx, http.MethodPost, "/simulate/pay", nil, map[string]string{"out_trade_no": paymentNo}, nil)
	})
	if CodeOf(err) == "ALREADY_PAID" {
		return nil
	}
	return err
}

// Faults replaces what the platform does wrong: a document as in
// sandbox/README.md, "{}" for nothing.
func (p *Platform) Faults(t testing.TB, document string) {
	t.Helper()
	require.NoError(t, p.api.do(t.Context(), http.MethodPut, "/simulate/faults", nil, json.RawMessage(document), nil))
}

// Callback sends a callback about a payment at once, forged as told, and gives
// the shop's answer.
func (p *Platform) Callback(t testing.TB, paymentNo, forge string) int {
	t.Helper()
	status, err := p.TryCallback(t.Context(), paymentNo, forge)
	require.NoError(t, err)
	return status
}

// TryCallback is Callback for a shop that may be down: status 0 is no answer.
func (p *Platform) TryCallback(ctx context.Context, paymentNo, forge string) (int, error) {
	statuses, err := p.callback(ctx, 1, map[string]any{"out_trade_no": paymentNo, "forge": forge})
	if err != nil {
		return 0, err
	}
	return statuses[0], nil
}

// Burst sends a callback so many times at the same moment and gives the shop's
// answers, 0 where there was none.
func (p *Platform) Burst(ctx context.Context, paymentNo string, times int) ([]int, error) {
	return p.callback(ctx, times, map[string]any{"out_trade_no": paymentNo, "times": times, "parallel": true})
}

func (p *Platform) callback(ctx context.Context, times int, what map[string]any) ([]int, error) {
	var out struct {
		Statuses []int `json:"statuses"`
	}
	err := p.api.do(ctx, http.MethodPost, "/simulate/callback", nil, what, &out)
	if err == nil && len(out.Statuses) != times {
		err = errors.New("the platform tells no answer")
	}
	return out.Statuses, err
}

// Altered sends a callback with members changed before it was signed. It gives
// the shop's answer and all that such a callback says.
func (p *Platform) Altered(t testing.TB, paymentNo string, set map[string]any) (status int, fields map[string]any) {
	t.Helper()
	var out struct {
		Statuses []int          `json:"statuses"`
		Fields   map[string]any `json:"fields"`
	}
	require.NoError(t, p.api.do(t.Context(), http.MethodPost, "/simulate/callback", nil,
		map[string]any{"out_trade_no": paymentNo, "set": set}, &out))
	require.Len(t, out.Statuses, 1)
	return out.Statuses[0], out.Fields
}

// Secrets are what the platform gave the merchants and no log may hold.
func (p *Platform) Secrets(t testing.TB, merchants ...string) []string {
	t.Helper()
	var all []string
	for _, name := range merchants {
		var out struct {
			Key    string `json:"merchant_private_key"`
			APIKey string `json:"api_v3_key"`
		}
		require.NoError(t, p.api.do(t.Context(), http.MethodPost, "/simulate/merchants", nil, map[string]string{"name": name}, &out))
		all = append(all, out.Key, out.APIKey)
	}
	return all
}

// TradeOf shows what the platform knows of a payment.
func (p *Platform) TradeOf(t testing.TB, paymentNo string) map[string]any {
	t.Helper()
	var out map[string]any
	require.NoError(t, p.api.do(t.Context(), http.MethodGet, "/simulate/trades/"+paymentNo, nil, nil, &out))
	return out
}
