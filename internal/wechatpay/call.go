package wechatpay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"

	"panshi/internal/payment/wire"
)

const (
	maxAnswer = 1 << 20
	userAgent = "panshi (Go net/http)"
)

// call is one question to the platform; uri is path and query, escaped.
type call struct {
	method, uri string
	body        []byte
	want        int // the only status that means success
}

// answer is what came back, not believed yet.
type answer struct {
	status int
	header http.Header
	body   []byte
}

// do asks, verifies and sorts. It returns the body of a verified success, or an
// error that is one of payment's four.
func (a *Account) do(ctx context.Context, c call) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := a.roundTrip(ctx, c)
	if err != nil && c.method == http.MethodGet && ctx.Err() == nil {
		got, err = a.roundTrip(ctx, c)
	}
	if err != nil {
		return nil, busy(networkCause(ctx, err))
	}
	if len(got.body) > maxAnswer {
		return nil, busy(fmt.Errorf("HTTP %d: the answer exceeds %d bytes", got.status, maxAnswer))
	}
	if err := a.prove(ctx, got.header, got.body); err != nil {
		return nil, busy(fmt.Errorf("HTTP %d: %w", got.status, err))
	}
	if got.status == c.want {
		return got.body, nil
	}
	return nil, got.refusal()
}

// roundTrip sends once, signed afresh; its error is the network's.
func (a *Account) roundTrip(ctx context.Context, c call) (answer, error) {
	req, err := a.request(ctx, c)
	if err != nil {
		return answer{}, err
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	return answer{resp.StatusCode, resp.Header, body}, err
}

func (a *Account) request(ctx context.Context, c call) (*http.Request, error) {
	var body io.Reader
	if c.body != nil {
		body = bytes.NewReader(c.body)
	}
	req, err := http.NewRequestWithContext(ctx, c.method, a.base+c.uri, body)
	if err != nil {
		return nil, err
	}
	auth, err := a.authorization(c.method, req.URL.RequestURI(), c.body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", auth)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	if c.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	// While a merchant migrates, this asks for answers signed by the public key.
	if a.prefer != "" {
		req.Header.Set("Wechatpay-Serial", a.prefer)
	}
	return req, nil
}

// refusal sorts a verified answer that is not a success. Only a 4xx with a code
// is the platform's decision; everything else leaves the outcome unknown.
func (g answer) refusal() error {
	var said struct {
		Code string `json:"code"`
	}
	if json.Unmarshal(g.body, &said) != nil || wire.WantToken(said.Code, 64) != nil {
		said.Code = ""
	}
	cause := &platformError{status: g.status, code: said.Code, requestID: g.header.Get("Request-ID")}
	if wire.WantToken(cause.requestID, 128) != nil {
		cause.requestID = ""
	}
	if g.status < 400 || g.status >= 500 || g.status == http.StatusTooManyRequests || said.Code == "" {
		return busy(cause)
	}
	return because(meaning(said.Code), cause)
}

// canonical makes ORDERPAID and ORDER_PAID the same: the platform's pages, and
// its answers, have both spellings of many codes.
func canonical(code string) string { return strings.ReplaceAll(code, "_", "") }
