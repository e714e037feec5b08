package kit

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Client is a buyer's program: it speaks the contract and repeats what may be
// repeated until its context ends.
type Client struct {
	Base string
	Host string // the Host header; "" for that of Base
	HTTP *http.Client
}

func newClient(base string) *Client {
	return &Client{Base: base, HTTP: &http.Client{
		Timeout:       10 * time.Second,
		Transport:     &http.Transport{MaxIdleConnsPerHost: 128, IdleConnTimeout: 5 * time.Second},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Problem is an answer that is not a success.
type Problem struct {
	Status  int
	Type    string // Content-Type
	Code    string `json:"code"`
	Detail  string `json:"detail"`
	Message string `json:"message"` // of the platform
	Errors  []struct {
		Field string `json:"field"`
		Code  string `json:"code"`
	} `json:"errors"`
	Body string
}

func (p *Problem) Error() string {
	return fmt.Sprintf("%d %s: %s%s", p.Status, p.Code, p.Detail, p.Message)
}

// CodeOf gives the code of a Problem, "" for anything else.
func CodeOf(err error) string {
	var p *Problem
	if errors.As(err, &p) {
		return p.Code
	}
	return ""
}

// StatusOf gives the HTTP status of a Problem, 0 for anything else.
func StatusOf(err error) int {
	var p *Problem
	if errors.As(err, &p) {
		return p.Status
	}
	return 0
}

// do sends one request and reads its answer into out.
func (c *Client) do(ctx context.Context, method, path string, header map[string]string, body, out any) error {
	var reader io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return err
		}
		reader = bytes.NewReader(raw)
	}
	status, h, raw, err := c.Raw(ctx, method, path, header, reader)
	if err != nil {
		return err
	}
	if status/100 != 2 {
		p := &Problem{Body: string(raw)}
		_ = json.Unmarshal(raw, p) // an answer that is no JSON has no code
		p.Status, p.Type = status, h.Get("Content-Type")
		return p
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(raw, out)
}

// Raw sends one request as told and gives its answer.
func (c *Client) Raw(ctx context.Context, method, path string, header map[string]string, body io.Reader) (int, http.Header, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.Base+path, body)
	if err != nil {
		return 0, nil, nil, err
	}
	req.Host = c.Host
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	for k, v := range header {
		req.Header.Set(k, v)
	}
	resp, err := c.HTTP.Do(req)
	if err != nil {
		return 0, nil, nil, err
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, raw, err
}

// insist repeats f while its failure may be one of the moment: no answer, a
// busy or a closing shop.
func insist(ctx context.Context, f func() error) error {
	for {
		err := f()
		if err == nil || ctx.Err() != nil {
			return err
		}
		if status := StatusOf(err); status != 0 && status != http.StatusServiceUnavailable && status != http.StatusBadGateway {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// NewKey makes an idempotency key.
func NewKey() string { return rand.Text() }

// Line asks for items of a SKU.
type Line struct {
	SKU      string `json:"sku_id"`
	Quantity int    `json:"quantity"`
}

// Contact says how the buyer can be reached.
type Contact struct {
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

// Placed is an order that the shop acknowledged.
type Placed struct {
	No       string `json:"order_no"`
	Status   string `json:"status"`
	Total    int64  `json:"total"`
	Currency string `json:"currency"`
	Token    string `json:"access_token"`
}

// Payment is an attempt to pay.
type Payment struct {
	No          string `json:"payment_no"`
	Status      string `json:"status"`
	Channel     string `json:"channel"`
	Instruction struct {
		Kind    string            `json:"kind"`
		CodeURL string            `json:"code_url"`
		URL     string            `json:"url"`
		Params  map[string]string `json:"params"`
	} `json:"instruction"`
}

// Order is what a buyer sees of an order.
type Order struct {
	No       string    `json:"order_no"`
	Status   string    `json:"status"`
	Total    int64     `json:"total"`
	Payments []Payment `json:"payments"`
	Refunds  []struct {
		No     string `json:"refund_no"`
		Status string `json:"status"`
		Amount int64  `json:"amount"`
	} `json:"refunds"`
}

// Place places an order, repeating it with the same key until it is answered.
func (c *Client) Place(ctx context.Context, contact Contact, lines ...Line) (Placed, error) {
	return c.PlaceAs(ctx, NewKey(), contact, lines...)
}

// PlaceAs is Place with an idempotency key.
func (c *Client) PlaceAs(ctx context.Context, key string, contact Contact, lines ...Line) (Placed, error) {
	var out Placed
	body := map[string]any{"lines": lines, "contact": contact}
	err := insist(ctx, func() error {
		return c.do(ctx, http.MethodPost, "/api/v1/orders", map[string]string{"Idempotency-Key": key}, body, &out)
	})
	return out, err
}

func bearer(token string) map[string]string {
	return map[string]string{"Authorization": "Bearer " + token}
}

// StartPayment starts to pay through the shop's first channel.
func (c *Client) StartPayment(ctx context.Context, o Placed) (Payment, error) {
	channel, err := c.Channel(ctx)
	if err != nil {
		return Payment{}, err
	}
	return c.PayBy(ctx, NewKey(), o, channel, "")
}

// PayBy starts to pay through a channel, named by its id or its kind, with an
// idempotency key; payer is an openid, or "" where nobody asks.
func (c *Client) PayBy(ctx context.Context, key string, o Placed, channel, payer string) (Payment, error) {
	var out Payment
	header, body := bearer(o.Token), map[string]string{"channel": channel}
	header["Idempotency-Key"] = key
	if payer != "" {
		body["payer_id"] = payer
	}
	err := insist(ctx, func() error {
		return c.do(ctx, http.MethodPost, "/api/v1/orders/"+o.No+"/payments", header, body, &out)
	})
	return out, err
}

// Channel gives the id of the shop's first payment channel.
func (c *Client) Channel(ctx context.Context) (string, error) { return c.ChannelOf(ctx, "") }

// ChannelOf gives the id of the first channel of a kind, "" for any.
func (c *Client) ChannelOf(ctx context.Context, kind string) (string, error) {
	var out struct {
		Items []struct{ ID, Kind string } `json:"items"`
	}
	err := insist(ctx, func() error { return c.do(ctx, http.MethodGet, "/api/v1/payment_channels", nil, nil, &out) })
	if err != nil {
		return "", err
	}
	for _, channel := range out.Items {
		if kind == "" || channel.Kind == kind {
			return channel.ID, nil
		}
	}
	return "", errors.New("the shop has no payment channel " + kind)
}

// PayByCredit pays with store credit, repeating it with the key.
func (c *Client) PayByCredit(ctx context.Context, key string, o Placed, number, code string) (p Payment, err error) {
	header := bearer(o.Token)
	header["Idempotency-Key"] = key
	body := map[string]any{"channel": "balance_credit", "credit": map[string]string{"number": number, "code": code}}
	err = insist(ctx, func() error {
		return c.do(ctx, http.MethodPost, "/api/v1/orders/"+o.No+"/payments", header, body, &p)
	})
	return p, err
}

// Credit gives the balance of a store credit.
func (c *Client) Credit(ctx context.Context, number, code string) (balance int64, err error) {
	var out struct {
		Balance int64 `json:"balance"`
	}
	err = insist(ctx, func() error {
		return c.do(ctx, http.MethodPost, "/api/v1/credit", nil, map[string]string{"number": number, "code": code}, &out)
	})
	return out.Balance, err
}

// Order shows an order.
func (c *Client) Order(ctx context.Context, o Placed) (Order, error) {
	var out Order
	err := insist(ctx, func() error {
		return c.do(ctx, http.MethodGet, "/api/v1/orders/"+o.No, bearer(o.Token), nil, &out)
	})
	return out, err
}

// Cancel closes an unpaid order.
func (c *Client) Cancel(ctx context.Context, o Placed) error {
	return insist(ctx, func() error {
		return c.do(ctx, http.MethodPost, "/api/v1/orders/"+o.No+"/cancel", bearer(o.Token), nil, nil)
	})
}

// Reveal gives what was delivered.
func (c *Client) Reveal(ctx context.Context, o Placed) ([]string, error) {
	var out struct {
		Deliveries []struct {
			Content string `json:"content"`
		} `json:"deliveries"`
	}
	err := insist(ctx, func() error {
		return c.do(ctx, http.MethodPost, "/api/v1/orders/"+o.No+"/deliveries/reveal", bearer(o.Token), nil, &out)
	})
	keys := make([]string, len(out.Deliveries))
	for i, d := range out.Deliveries {
		keys[i] = d.Content
	}
	return keys, err
}

// Product is a product in a list.
type Product struct {
	ID        string `json:"id"`
	Slug      string `json:"slug"`
	Title     string `json:"title"`
	Kind      string `json:"kind"`
	Available int64  `json:"available"`
	SKUs      []struct {
		ID        string `json:"id"`
		Available int64  `json:"available"`
	} `json:"skus"`
}

// Products lists all products of the shop.
func (c *Client) Products(t testing.TB) []Product {
	t.Helper()
	all, err := c.ListProducts(t.Context())
	require.NoError(t, err)
	return all
}

// ListProducts lists all products of the shop, page by page.
func (c *Client) ListProducts(ctx context.Context) ([]Product, error) {
	var all []Product
	for cursor := ""; ; {
		var page struct {
			Items []Product `json:"items"`
			Next  string    `json:"next_cursor"`
		}
		path := "/api/v1/products?limit=100"
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := c.do(ctx, http.MethodGet, path, nil, nil, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all, nil
		}
	}
}

// Product shows a product with its SKUs.
func (c *Client) Product(t testing.TB, id string) Product {
	t.Helper()
	var out Product
	require.NoError(t, c.do(t.Context(), http.MethodGet, "/api/v1/products/"+id, nil, nil, &out))
	return out
}

// SKU finds the first SKU of the product with a slug.
func (c *Client) SKU(t testing.TB, slug string) string {
	t.Helper()
	return c.find(t, slug, func(p Product) bool { return p.Slug == slug })
}

// DemoCard finds the demo's card product with 2,000 keys.
func (c *Client) DemoCard(t testing.TB) string {
	t.Helper()
	return c.find(t, "with 2,000 keys", func(p Product) bool { return p.Kind == "card" && p.Available == 2000 })
}

func (c *Client) find(t testing.TB, what string, fits func(Product) bool) string {
	t.Helper()
	for _, p := range c.Products(t) {
		if fits(p) {
			detail := c.Product(t, p.ID)
			require.NotEmpty(t, detail.SKUs)
			return detail.SKUs[0].ID
		}
	}
	t.Fatalf("no product %s", what)
	return ""
}

// Browse opens a page as a buyer's browser would, wherever it is led.
func Browse(ctx context.Context, address string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return err
	}
	resp, err := (&http.Client{Timeout: 20 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%d %w: %s", resp.StatusCode, err, page)
	}
	return nil
}
