package app

import (
	"encoding/json"
	"net"
	"net/http"
	"net/url"
	"time"

	"panshi/internal/alipay"
	"panshi/internal/clock"
	"panshi/internal/errs"
	"panshi/internal/notify"
	"panshi/internal/payment"
	"panshi/internal/wechatpay"
)

// newDialer is how every connection out is made.
func newDialer() *net.Dialer {
	return &net.Dialer{Timeout: 3 * time.Second, KeepAlive: 30 * time.Second}
}

// newOutbound is the one client for calls to payment platforms: certificates
// are verified, redirects are answers and not followed, and a platform that
// hangs costs a bounded number of connections.
func newOutbound() *http.Client { return newClient(newDialer(), http.ProxyFromEnvironment) }

// notifyWays are how alerts get out. Where only public addresses are reached
// there is no proxy: it would be what resolves names, and it may be inside.
func notifyWays() notify.Ways {
	public, private := newDialer(), newDialer()
	public.Control = notify.PublicOnly
	return notify.Ways{
		Public:  notify.Way{HTTP: newClient(public, nil), Dial: public.DialContext},
		Private: notify.Way{HTTP: newClient(private, http.ProxyFromEnvironment), Dial: private.DialContext},
	}
}

func newClient(dialer *net.Dialer, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	return &http.Client{
		Timeout: 6 * time.Second,
		Transport: &http.Transport{
			Proxy:                 proxy,
			DialContext:           dialer.DialContext,
			ForceAttemptHTTP2:     true,
			MaxIdleConnsPerHost:   32,
			MaxConnsPerHost:       128,
			IdleConnTimeout:       60 * time.Second,
			TLSHandshakeTimeout:   3 * time.Second,
			ResponseHeaderTimeout: 5 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// providers are the platforms that this build speaks to.
func providers(client *http.Client) map[string]payment.Factory {
	return map[string]payment.Factory{
		payment.Offline: payment.NewOffline,
		payment.Balance: payment.NewBalance,
		"wechatpay": func(config []byte) (payment.Provider, error) {
			var cfg wechatpay.Config
			if err := json.Unmarshal(config, &cfg); err != nil {
				return nil, errs.Wrap(err, errs.Invalid, "account_config", "the account's configuration cannot be read")
			}
			return wechatpay.New(cfg, client, clock.System{})
		},
		"alipay": func(config []byte) (payment.Provider, error) {
			var cfg alipay.Config
			if err := json.Unmarshal(config, &cfg); err != nil {
				return nil, errs.Wrap(err, errs.Invalid, "account_config", "the account's configuration cannot be read")
			}
			return alipay.New(cfg, client, clock.System{})
		},
	}
}
