package web

import (
	"errors"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"panshi/internal/errs"
)

// Config is what the operator may set about the listeners.
type Config struct {
	// TrustedProxies are the networks (CIDR, or single addresses) whose
	// X-Forwarded-For is believed. Empty: nobody's is.
	TrustedProxies []string `json:"trusted_proxies"`
	// TrustedOrigins are other origins ("https://shop.example") whose pages
	// may post to us.
	TrustedOrigins []string `json:"trusted_origins"`
	// TLS says that buyers reach the shop by https, here or at a proxy. It
	// turns on Strict-Transport-Security.
	TLS bool `json:"tls"`
	// MaxHeaderBytes bounds the request line and the headers.
	MaxHeaderBytes int `json:"max_header_bytes"`
	// MaxBodyBytes bounds a body where the route names no other bound.
	MaxBodyBytes int64 `json:"max_body_bytes"`

	ReadHeaderTimeout time.Duration `json:"read_header_timeout"`
	ReadTimeout       time.Duration `json:"read_timeout"` // headers and body
	WriteTimeout      time.Duration `json:"write_timeout"`
	IdleTimeout       time.Duration `json:"idle_timeout"`
	ShutdownTimeout   time.Duration `json:"shutdown_timeout"` // for requests under way when the shop stops
}

// Defaults of Config (DESIGN.md, "Bad input, everywhere"; controls C3).
const (
	defaultHeaderBytes = 16 << 10
	defaultBodyBytes   = 64 << 10
)

// DefaultConfig gives the bounds that suit a shop on the open internet.
func DefaultConfig() Config {
	return Config{
		MaxHeaderBytes:    defaultHeaderBytes,
		MaxBodyBytes:      defaultBodyBytes,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       15 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       90 * time.Second,
		ShutdownTimeout:   15 * time.Second,
	}
}

// Validate reports everything that is wrong at once, each as an errs.Error
// that names the key.
func (c Config) Validate() error {
	var problems []error
	if _, err := parseProxies(c.TrustedProxies); err != nil {
		problems = append(problems, errs.Field("trusted_proxies", "invalid_value", err.Error()))
	}
	for i, origin := range c.TrustedOrigins {
		if !isOrigin(origin) {
			problems = append(problems, errs.Field("trusted_origins["+strconv.Itoa(i)+"]", "invalid_value", "not an origin such as https://shop.example"))
		}
	}
	problems = append(problems,
		between("max_header_bytes", int64(c.MaxHeaderBytes), 1<<10, 1<<20),
		between("max_body_bytes", c.MaxBodyBytes, 1<<10, 64<<20),
		lasting("read_header_timeout", c.ReadHeaderTimeout),
		lasting("read_timeout", c.ReadTimeout),
		lasting("write_timeout", c.WriteTimeout),
		lasting("idle_timeout", c.IdleTimeout),
		lasting("shutdown_timeout", c.ShutdownTimeout))
	return errors.Join(problems...)
}

func isOrigin(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.Path == "" && u.RawQuery == "" && u.User == nil
}

func between(field string, n, low, high int64) error {
	if n < low || n > high {
		return errs.Field(field, "out_of_range", "out of range")
	}
	return nil
}

func lasting(field string, d time.Duration) error {
	if d <= 0 || d > 10*time.Minute {
		return errs.Field(field, "out_of_range", "a time-out is between 0 and 10 minutes")
	}
	return nil
}

// parseProxies reads CIDR networks and single addresses.
func parseProxies(list []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, s := range list {
		if addr, err := netip.ParseAddr(s); err == nil {
			addr = addr.Unmap()
			out = append(out, netip.PrefixFrom(addr, addr.BitLen()))
			continue
		}
		prefix, err := netip.ParsePrefix(s)
		if err != nil {
			return nil, errors.New("not a network in CIDR form: " + strconv.Quote(s))
		}
		out = append(out, prefix.Masked())
	}
	return out, nil
}
