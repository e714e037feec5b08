package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/app"
	"panshi/sandbox"
)

// plan is what prepare leaves for run.
type plan struct {
	SKU       string
	Callbacks []sandbox.Callback
}

func planFile(dir string) string { return filepath.Join(dir, "plan.json") }

func readPlan(dir string) (p plan, err error) {
	raw, err := os.ReadFile(planFile(dir))
	if err != nil {
		return p, err
	}
	return p, json.Unmarshal(raw, &p)
}

// op is one operation; do repeats it, each time with another i.
type op struct {
	name string
	do   func(i int) error
}

func (p plan) ops(h http.Handler) []op {
	return []op{ // callbacks first: they grow stale
		{"settle", func(i int) error {
			c := p.Callbacks[i]
			u, err := url.Parse(c.URL)
			if err != nil {
				return err
			}
			return send(h, http.MethodPost, u.Path, c.Header, string(c.Body), http.StatusOK, nil)
		}},
		{"cached_read", func(int) error { return send(h, http.MethodGet, "/api/v1/products", nil, "", http.StatusOK, nil) }},
		{"place", func(i int) error { return place(h, p.SKU, fmt.Sprintf("run-%06d", i), nil) }},
	}
}

// placed is the answer to an order.
type placed struct {
	No    string `json:"order_no"`
	Token string `json:"access_token"`
}

func place(h http.Handler, sku, key string, got any) error {
	header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {key}}
	body := fmt.Sprintf(`{"lines":[{"sku_id":%q,"quantity":1}],"contact":{"email":"%s@example.com"}}`, sku, key)
	return send(h, http.MethodPost, "/api/v1/orders", header, body, http.StatusCreated, got)
}

// send gives one request to h and reads a success into got.
func send(h http.Handler, method, path string, header http.Header, body string, want int, got any) error {
	req := httptest.NewRequest(method, path, bytes.NewBufferString(body))
	req.Host = "127.0.0.1"
	for name, values := range header {
		req.Header[name] = values
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if rec.Code != want {
		return fmt.Errorf("status %d: %s", rec.Code, rec.Body)
	}
	if got == nil {
		return nil
	}
	return json.Unmarshal(rec.Body.Bytes(), got)
}

// prepare makes the demo shop, places orders, starts their payments at a
// platform and has it sign their callbacks.
func prepare(ctx context.Context, dir string) error {
	// Its clock is ahead, and so are its signatures: a slow run under valgrind
	// comes before they are stale.
	ahead := func() time.Time { return time.Now().Add(4 * time.Minute) }
	box, err := sandbox.New(sandbox.Config{StateFile: filepath.Join(dir, "platform"), Now: ahead})
	if err != nil {
		return err
	}
	srv := httptest.NewServer(box.Handler())
	p, err := prepareAt(ctx, dir, srv.URL, box)
	srv.Close()
	if err = errors.Join(err, box.Close()); err != nil {
		return err
	}
	raw, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return os.WriteFile(planFile(dir), raw, 0o600)
}

func prepareAt(ctx context.Context, dir, platform string, box *sandbox.Sandbox) (p plan, err error) {
	cfg, err := config(dir, platform)
	if err != nil {
		return p, err
	}
	if err := fill(ctx, cfg); err != nil {
		return p, err
	}
	shop, err := app.OpenLocal(ctx, cfg, quiet())
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, shop.Close()) }()
	h, err := shop.Public()
	if err != nil {
		return p, err
	}
	if p.SKU, err = demoSKU(h); err != nil {
		return p, err
	}
	for i := range warmUp + counts {
		var o placed
		if err := place(h, p.SKU, fmt.Sprintf("prepare-%06d", i), &o); err != nil {
			return p, err
		}
		var paid struct {
			No string `json:"payment_no"`
		}
		header := http.Header{"Content-Type": {"application/json"}, "Idempotency-Key": {"pay"}, "Authorization": {"Bearer " + o.Token}}
		if err := send(h, http.MethodPost, "/api/v1/orders/"+o.No+"/payments", header, `{"channel":"wechatpay_native"}`,
			http.StatusCreated, &paid); err != nil {
			return p, err
		}
		c, err := box.Presign(paid.No)
		if err != nil {
			return p, err
		}
		p.Callbacks = append(p.Callbacks, c)
	}
	return p, nil
}

// fill makes the demo shop and serves it for a moment: so its merchants get
// their accounts at the platform.
func fill(ctx context.Context, cfg app.Config) error {
	shop, err := app.OpenLocal(ctx, cfg, quiet())
	if err != nil {
		return err
	}
	_, err = shop.Demo(ctx, func(string) {})
	if err = errors.Join(err, shop.Close()); err != nil {
		return err
	}
	serving, stop := context.WithCancel(ctx)
	defer stop()
	return app.Serve(serving, cfg, quiet(), func(app.Addresses) { stop() })
}

// demoSKU is the card product of the demo that has the most keys.
func demoSKU(h http.Handler) (string, error) {
	var page struct {
		Items []struct {
			ID        string
			Available int64
			Kind      string
		}
	}
	if err := send(h, http.MethodGet, "/api/v1/products?limit=100", nil, "", http.StatusOK, &page); err != nil {
		return "", err
	}
	for _, item := range page.Items {
		if item.Kind != "card" || item.Available < 2*(warmUp+counts) {
			continue
		}
		var full struct{ SKUs []struct{ ID string } }
		err := send(h, http.MethodGet, "/api/v1/products/"+item.ID, nil, "", http.StatusOK, &full)
		if err == nil && len(full.SKUs) == 1 {
			return full.SKUs[0].ID, nil
		}
	}
	return "", errors.New("the demo shop has no product with enough card keys")
}
