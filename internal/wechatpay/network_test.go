package wechatpay_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
	"panshi/internal/payment"
)

// No answer is believed without its signature, least of all one that ends a payment.
func TestUnverifiedAnswersAreNotBelieved(t *testing.T) {
	for name, spoil := range map[string]func(*platform){
		"signed by a stranger": func(p *platform) { p.key = keys().stranger },
		"unsigned": func(p *platform) {
			p.mangle = func(h http.Header) { h.Del("Wechatpay-Signature") }
		},
		"unknown serial": func(p *platform) { p.serial = "PUB_KEY_ID_7" },
		"probe": func(p *platform) {
			p.mangle = func(h http.Header) { h.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/AAAA") }
		},
		"stale": func(p *platform) {
			p.mangle = func(h http.Header) {
				for k, v := range signedHeader(keys().public, pubSerial, now.Add(-5*time.Minute), "") {
					h[k] = v
				}
			}
		},
	} {
		for what, handle := range map[string]func(*http.Request, map[string]any) reply{
			"paid": always(200, paidPlain), "closed": always(204, ""), "unknown": failing(404, "ORDER_NOT_EXIST"),
			"already paid": failing(400, "ORDERPAID"), "rejected": failing(401, "SIGN_ERROR"),
		} {
			t.Run(name+", "+what, func(t *testing.T) {
				p := newPlatform(t, handle)
				spoil(p)
				got, err := p.account().Query(t.Context(), payNo)
				require.ErrorIs(t, err, payment.ErrProviderBusy)
				require.Zero(t, got)
				err = p.account().Close(t.Context(), payNo)
				require.ErrorIs(t, err, payment.ErrProviderBusy)
				require.Equal(t, "payment_busy", errs.CodeOf(err))
				require.ErrorContains(t, err, "HTTP ")
				wantNoSecret(t, err, paidPlain, "the-platforms-own-words")
			})
		}
	}
}

func TestHugeAnswer(t *testing.T) {
	for size, want := range map[int]error{1<<20 - len(paidPlain): nil, 1<<20 - len(paidPlain) + 1: payment.ErrProviderBusy} {
		p := newPlatform(t, always(200, paidPlain+strings.Repeat(" ", size)))
		_, err := p.account().Query(t.Context(), payNo)
		require.ErrorIs(t, err, want)
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	other := newPlatform(t, always(200, paidPlain))
	p := newPlatform(t, always(307, ""))
	p.mangle = func(h http.Header) { h.Set("Location", other.URL) }
	client := p.Client()
	cfg := config()
	cfg.BaseURL = p.URL
	_, err := account(t, cfg, client, now).Query(t.Context(), payNo)
	require.ErrorIs(t, err, payment.ErrProviderBusy)
	require.Zero(t, other.calls.Load())
	require.Nil(t, client.CheckRedirect, "the caller's client is left alone")
}

// transport is a network made of a function.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestOnlyQuestionsAreRepeatedAfterANetworkError(t *testing.T) {
	var calls int
	a := account(t, config(), &http.Client{Transport: transport(func(*http.Request) (*http.Response, error) {
		calls++
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}
	})}, now)
	for name, c := range map[string]struct {
		do   func() error
		want int
	}{
		"create":       {func() error { _, err := a.Create(t.Context(), order()); return err }, 1},
		"close":        {func() error { return a.Close(t.Context(), payNo) }, 1},
		"refund":       {func() error { _, err := a.Refund(t.Context(), refundRequest()); return err }, 1},
		"query":        {func() error { _, err := a.Query(t.Context(), payNo); return err }, 2},
		"query refund": {func() error { _, err := a.QueryRefund(t.Context(), "P1", refundNo); return err }, 2},
	} {
		calls = 0
		err := c.do()
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
		require.ErrorContains(t, err, "connection refused")
		require.Equal(t, c.want, calls, name)
	}
}

func TestQuestionSucceedsAtTheSecondTry(t *testing.T) {
	p := newPlatform(t, always(200, paidPlain))
	cfg := config()
	cfg.BaseURL = p.URL
	failed := false
	a := account(t, cfg, &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
		if !failed {
			failed = true
			return nil, errors.New("reset")
		}
		return p.Client().Transport.RoundTrip(r)
	})}, now)
	got, err := a.Query(t.Context(), payNo)
	require.NoError(t, err)
	require.Equal(t, payment.StatePaid, got.State)
}

func TestHangEndsAfterFiveSeconds(t *testing.T) {
	cfg := config()
	synctest.Test(t, func(t *testing.T) {
		a := account(t, cfg, &http.Client{Transport: transport(func(r *http.Request) (*http.Response, error) {
			<-r.Context().Done()
			return nil, r.Context().Err()
		})}, now)
		for _, do := range []func() error{
			func() error { _, err := a.Create(t.Context(), order()); return err },
			func() error { _, err := a.Query(t.Context(), payNo); return err },
			func() error { return a.Close(t.Context(), payNo) },
		} {
			start := time.Now()
			err := do()
			require.ErrorIs(t, err, payment.ErrProviderBusy)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.Equal(t, 5*time.Second, time.Since(start))
		}
	})
}

func TestCallersContextCounts(t *testing.T) {
	hold := make(chan struct{})
	p := newPlatform(t, func(r *http.Request, _ map[string]any) reply {
		select {
		case <-hold:
		case <-r.Context().Done():
		}
		return reply{200, paidPlain}
	})
	defer close(hold)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, err := p.account().Query(ctx, payNo)
	require.ErrorIs(t, err, payment.ErrProviderBusy)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

// A peer that does not speak HTTP is busy, and its bytes stay out of the error.
func TestNotHTTP(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	go func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte("leaked-plaintext-of-somebody\r\n\r\n"))
			_ = c.Close()
		}
	}()
	cfg := config()
	cfg.BaseURL = "http://" + ln.Addr().String()
	_, err = account(t, cfg, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, now).Query(t.Context(), payNo)
	require.ErrorIs(t, err, payment.ErrProviderBusy)
	wantNoSecret(t, err, "leaked-plaintext")
}
