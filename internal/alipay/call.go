package alipay

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"panshi/internal/payment/wire"
)

const (
	maxAnswer  = 1 << 20
	userAgent  = "panshi (Go net/http)"
	timeLayout = "2006-01-02 15:04:05"
	codeDone   = "10000"
)

// call is one question to the platform.
type call struct {
	method    string // alipay.trade.query
	content   any    // biz_content
	notifyURL string
	returnURL string
	repeat    bool // a question that changes nothing is asked again after a network error
}

// signedParams are the parameters of a call with their signature.
func (a *Account) signedParams(c call) (params, error) {
	content, err := json.Marshal(c.content)
	if err != nil {
		return nil, err
	}
	p := params{
		"app_id": a.appID, "method": c.method, "format": "JSON", "charset": "utf-8", "sign_type": signType,
		"timestamp": a.clock.Now().In(wire.Beijing()).Format(timeLayout), "version": "1.0", "biz_content": string(content),
	}
	for name, value := range map[string]string{
		"notify_url": c.notifyURL, "return_url": c.returnURL,
		"app_cert_sn": a.certs.app, "alipay_root_cert_sn": a.certs.root,
	} {
		if value != "" {
			p[name] = value
		}
	}
	p["sign"], err = a.sign(p.content())
	return p, err
}

func (p params) form() url.Values {
	form := make(url.Values, len(p))
	for name, value := range p {
		form.Set(name, value)
	}
	return form
}

// do asks, verifies and sorts. It returns the signed member of a success, or an
// error that is one of payment's four.
func (a *Account) do(ctx context.Context, c call) (json.RawMessage, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	status, body, err := a.roundTrip(ctx, c)
	if err != nil && c.repeat && ctx.Err() == nil {
		status, body, err = a.roundTrip(ctx, c)
	}
	switch {
	case err != nil:
		return nil, busy(networkCause(ctx, err))
	case len(body) > maxAnswer:
		return nil, busy(fmt.Errorf("HTTP %d: the answer exceeds %d bytes", status, maxAnswer))
	}
	node, err := a.open(c.method, body)
	if err != nil {
		return nil, busy(fmt.Errorf("HTTP %d: %w", status, err))
	}
	return node, refusal(node)
}

// roundTrip sends once, signed afresh; its error is the network's.
func (a *Account) roundTrip(ctx context.Context, c call) (status int, body []byte, err error) {
	p, err := a.signedParams(c)
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+"?charset=utf-8", strings.NewReader(p.form().Encode()))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded;charset=utf-8")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	resp, err := a.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	return resp.StatusCode, body, err
}

// open cuts the signed member out of an answer, as it came, and verifies it. A
// refusal of the gateway itself stands under another name.
func (a *Account) open(method string, body []byte) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if json.Unmarshal(body, &members) != nil {
		return nil, errAnswer
	}
	var sig, cert string
	if json.Unmarshal(members["sign"], &sig) != nil || sig == "" {
		return nil, errUnsigned
	}
	if a.certs.alipay != "" && (json.Unmarshal(members["alipay_cert_sn"], &cert) != nil || cert != a.certs.alipay) {
		return nil, errors.New("the answer is signed under another certificate; store the platform's new one")
	}
	node, there := members[strings.ReplaceAll(method, ".", "_")+"_response"]
	if !there {
		node = members["error_response"]
	}
	if len(node) == 0 || !a.signed(node, sig) {
		return nil, errUnsigned
	}
	return node, nil
}

// refusal is what a verified answer that is not a success means.
func refusal(node json.RawMessage) error {
	var said struct {
		Code string `json:"code"`
		Sub  string `json:"sub_code"`
	}
	if json.Unmarshal(node, &said) != nil || !wire.Printable(said.Code, 16) {
		return busy(errAnswer)
	}
	if said.Code == codeDone {
		return nil
	}
	if !wire.Printable(said.Sub, 64) {
		said.Sub = ""
	}
	return meaning(&platformError{said.Code, said.Sub})
}

// networkCause drops what net/http quotes of a garbled answer or of the address
// with its parameters.
func networkCause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) && wrapped.Timeout() {
		return context.DeadlineExceeded
	}
	return wire.NetworkCause(err, errTransport)
}
