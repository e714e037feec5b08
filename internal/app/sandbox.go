package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"time"

	"panshi/internal/alipay"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/merchant"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
	"panshi/sandbox"
)

// sandboxLink is how a development shop sells through a payment simulator.
type sandboxLink struct {
	url    string // "" for a real shop
	client *http.Client
}

func newSandboxLink(cfg SandboxConfig) *sandboxLink {
	url := cfg.URL
	if cfg.Addr != "" {
		url = urlOf(cfg.Addr)
	}
	return &sandboxLink{url: url, client: &http.Client{Timeout: 5 * time.Second}}
}

// credentials is what the simulator tells a developer about a merchant.
type credentials struct {
	MchID          string `json:"mchid"`
	AppID          string `json:"app_id"`
	MerchantSerial string `json:"merchant_serial"`
	MerchantKey    string `json:"merchant_private_key"`
	APIv3Key       string `json:"api_v3_key"`
	PublicKeyID    string `json:"public_key_id"`
	PublicKey      string `json:"public_key"`
	Alipay         struct {
		AppID     string `json:"app_id"`
		SellerID  string `json:"seller_id"`
		AppKey    string `json:"app_private_key"`
		PublicKey string `json:"alipay_public_key"`
		Gateway   string `json:"gateway"`
	} `json:"alipay"`
}

// wechatPay is the merchant's account there at WeChat Pay.
func (c credentials) wechatPay(base string) wechatpay.Config {
	return wechatpay.Config{
		BaseURL: base, MchID: c.MchID, AppID: c.AppID, MerchantSerial: c.MerchantSerial,
		MerchantKeyPEM: c.MerchantKey, APIv3Key: c.APIv3Key, PlatformKeys: map[string]string{c.PublicKeyID: c.PublicKey},
	}
}

// alipay is the same merchant's application at Alipay.
func (c credentials) alipay() alipay.Config {
	a := c.Alipay
	return alipay.Config{BaseURL: a.Gateway, AppID: a.AppID, SellerID: a.SellerID, AppKeyPEM: a.AppKey, PublicKey: a.PublicKey}
}

// enlist gives every merchant an account at the simulator, or, in a real shop,
// takes such accounts out of sale.
func (s *Shop) enlist(ctx context.Context) error {
	if s.sandbox.url == "" {
		return s.accounts.CloseSandbox(ctx)
	}
	all, err := s.merchants.All(ctx)
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := s.enlistOne(ctx, m); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shop) enlistOne(ctx context.Context, m merchant.Merchant) error {
	c, err := s.sandbox.merchant(ctx, m.Slug)
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "sandbox_unreachable", "the payment simulator at "+s.sandbox.url+" does not answer")
	}
	return s.db.Update(ctx, func(tx *db.Tx) error {
		for i, way := range channels() {
			if !payment.AsksPlatform(way.provider) {
				continue // there is nothing to simulate: no platform is asked
			}
			var cfg any = c.wechatPay(s.sandbox.url)
			acc := payment.Account{MerchantID: m.ID, ExternalRef: c.MchID, AppRef: c.AppID, Sandbox: true, On: true, Position: i}
			if way.provider == providerAlipay {
				cfg, acc.ExternalRef, acc.AppRef = c.alipay(), c.Alipay.SellerID, c.Alipay.AppID
			}
			acc.Provider, acc.Method, acc.Name, acc.NameEN = way.provider, way.method, way.name, way.nameEN
			config, err := json.Marshal(cfg)
			if err != nil {
				return err
			}
			if _, err := s.accounts.PutTx(tx, acc, config); err != nil {
				return err
			}
		}
		return nil
	})
}

// merchant asks the simulator for a merchant's credentials; the same name
// gives the same merchant.
func (l *sandboxLink) merchant(ctx context.Context, name string) (credentials, error) {
	body, err := json.Marshal(map[string]string{"name": name})
	if err != nil {
		return credentials{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.url+"/simulate/merchants", bytes.NewReader(body))
	if err != nil {
		return credentials{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := l.client.Do(req)
	if err != nil {
		return credentials{}, err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		return credentials{}, fmt.Errorf("status %d", resp.StatusCode)
	}
	var c credentials
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&c)
	return c, err
}

// serveSandbox runs the simulator inside this process until ctx ends. Its
// state lies beside the data directory: it is the platform's, not the shop's.
func (s *Shop) serveSandbox(ctx context.Context, ln net.Listener) (stop func() error, err error) {
	return ServeSandbox(ctx, ln, SandboxState(s.cfg.Data), s.sandbox.url, s.log)
}

// SandboxState is the simulator's state file: beside the data directory, also
// of "." and "..".
func SandboxState(data string) string {
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	return filepath.Clean(data) + ".sandbox"
}

// ServeSandbox runs a payment simulator on ln with its state in a file until
// stop is called.
func ServeSandbox(ctx context.Context, ln net.Listener, stateFile, url string, log *slog.Logger) (stop func() error, err error) {
	sb, err := sandbox.New(sandbox.Config{StateFile: stateFile, BaseURL: url, Logger: log, Now: clock.System{}.Now})
	if err != nil {
		return nil, err
	}
	srv := &http.Server{Handler: sb.Handler(), ReadHeaderTimeout: 5 * time.Second, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn)}
	dispatching, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { _ = sb.Run(dispatching) })
	wg.Go(func() {
		if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			log.Error("the payment simulator stopped", "error", err)
		}
	})
	return func() error {
		closing, done := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer done()
		err := srv.Shutdown(closing)
		cancel()
		wg.Wait()
		return errors.Join(err, sb.Close())
	}, nil
}
