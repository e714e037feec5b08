package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/adminsock"
)

// shop is the shop under test: its data, and the process that serves it.
type shop struct {
	w    *workshop
	name string // of its data
	*child
	addr    string
	startup time.Duration // from the start of the process to its word that it is ready
	skus    []string      // ids, each with a whole product behind it
	behind  int64         // cards behind each product at first
	product string        // id of the first one's product
	soldOut string        // id of a SKU that is sold out
	taken   int64         // cards ordered so far, of skus in turn
	set     []string      // settings that this shop has and others have not
}

func (s *shop) data() string { return filepath.Join(s.w.dir, s.name) }

// settings are as in production but for what a bench must lift: limits per
// buyer, since one address is all buyers, and the time to pay.
func (s *shop) settings(more ...string) []string {
	set := append([]string{"guard.limits=off", "shop.order_ttl=24h", "sandbox.url=" + s.w.platform.url}, s.w.store.settings(s.name)...)
	args := []string{"--data", s.data(), "--json"}
	for _, kv := range slices.Concat(set, s.w.cfg.Set, s.set, more) {
		args = append(args, "--set", kv)
	}
	return args
}

// start serves the shop and waits until it is ready.
func (s *shop) start(more ...string) error {
	begin := time.Now()
	c, err := s.w.spawn("shop", append([]string{"serve", "--http", "127.0.0.1:0", "--console", "127.0.0.1:0"}, s.settings(more...)...)...)
	if err != nil {
		return err
	}
	var ready struct{ Event, Shop string }
	if err := c.hear(s.w.ctx, &ready); err != nil {
		return err
	}
	s.startup = time.Since(begin)
	u, err := url.Parse(ready.Shop)
	if err != nil {
		return err
	}
	s.child, s.addr = c, u.Host
	return nil
}

// head are the headers of every request: what a browser's program sends.
func head(addr string) string {
	return "Host: " + addr + "\r\nUser-Agent: panshi-bench\r\nAccept: application/json\r\n" +
		"Accept-Language: zh-CN,zh;q=0.9\r\nAccept-Encoding: gzip, br\r\n"
}

// answer is one answer as it came.
type answer struct {
	Status int
	Header string
	Body   []byte
}

func fetch(ctx context.Context, addr string, request []byte) (answer, error) {
	c, err := dial(ctx, addr)
	if err != nil {
		return answer{}, err
	}
	defer c.Close()
	status, header, err := c.exchange(request, true)
	return answer{status, string(header), c.body}, err
}

// read asks without compression and reads the JSON of a success.
func (s *shop) read(path string, v any) error {
	request := "GET " + path + " HTTP/1.1\r\nHost: " + s.addr + "\r\n\r\n"
	a, err := fetch(s.w.ctx, s.addr, []byte(request))
	if err == nil && a.Status != 200 {
		err = fmt.Errorf("GET %s: status %d: %s", path, a.Status, a.Body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(a.Body, v)
}

// admin does something by the shop's socket, which opens about when the shop
// says that it is ready.
func (s *shop) admin(do func(*adminsock.Client) error) error {
	c, err := adminsock.Dial(s.w.ctx, s.data())
	for range 100 {
		if !errors.Is(err, adminsock.ErrNotRunning) || s.w.ctx.Err() != nil {
			break
		}
		time.Sleep(10 * time.Millisecond)
		c, err = adminsock.Dial(s.w.ctx, s.data())
	}
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close())
}

// product is what the bench reads of one.
type product struct {
	ID        string
	Slug      string
	Available int64
	SKUs      []struct {
		ID        string
		Available int64
	}
}

// learn finds the SKUs to order and one that is sold out.
func (s *shop) learn() error {
	s.skus, s.product = nil, ""
	cursor := ""
	for {
		var page struct {
			Items []product
			Next  string `json:"next_cursor"`
		}
		if err := s.read("/api/v1/products?limit=100&cursor="+url.QueryEscape(cursor), &page); err != nil {
			return err
		}
		for _, p := range page.Items {
			if err := s.learnOne(p); err != nil {
				return err
			}
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(s.skus) == 0 || s.soldOut == "" {
		return errors.New("the scratch shop lacks the products that it was given")
	}
	return nil
}

func (s *shop) learnOne(p product) error {
	ours := strings.HasPrefix(p.Slug, slug)
	if !ours && s.soldOut != "" {
		return nil
	}
	var full product
	if err := s.read("/api/v1/products/"+p.ID, &full); err != nil {
		return err
	}
	for _, k := range full.SKUs {
		switch {
		case ours:
			s.skus = append(s.skus, k.ID)
			if s.product == "" {
				s.product = p.ID
			}
		case k.Available == 0:
			s.soldOut = k.ID
		}
	}
	return nil
}

// left is how many cards of the orders' budget there are.
func (s *shop) left() int64 { return int64(len(s.skus))*s.behind - s.taken }
