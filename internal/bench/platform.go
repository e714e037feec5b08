package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"time"

	"panshi/sandbox"
)

// platform is the payment platform of the shop under test. It runs here and
// sends nothing by itself: callbacks are signed before the clock starts.
type platform struct {
	box *sandbox.Sandbox
	srv *http.Server
	url string
	wg  sync.WaitGroup
}

func newPlatform(state string) (*platform, error) {
	var listen net.ListenConfig
	ln, err := listen.Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &platform{url: "http://" + ln.Addr().String()}
	if p.box, err = sandbox.New(sandbox.Config{StateFile: state, BaseURL: p.url}); err != nil {
		return nil, errors.Join(err, ln.Close())
	}
	p.srv = &http.Server{Handler: p.box.Handler(), ReadHeaderTimeout: 5 * time.Second}
	p.wg.Go(func() { _ = p.srv.Serve(ln) }) // ends with Close
	return p, nil
}

func (p *platform) close() error {
	err := p.srv.Close()
	p.wg.Wait()
	return errors.Join(err, p.box.Close())
}

// credentials are what verifying and opening a callback needs.
type credentials struct {
	PublicKey string `json:"public_key"`
	APIKey    string `json:"api_v3_key"`
}

// credentials of the merchant with a name, as a developer would ask.
func (p *platform) credentials(ctx context.Context, name string) (credentials, error) {
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return credentials{}, err
	}
	req := httptest.NewRequestWithContext(ctx, http.MethodPost, "/simulate/merchants", bytes.NewReader(body))
	rec := httptest.NewRecorder()
	p.box.Handler().ServeHTTP(rec, req)
	var c credentials
	return c, json.Unmarshal(rec.Body.Bytes(), &c)
}
