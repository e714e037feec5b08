package bench

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/imports"
)

// slug begins the products whose cards are ordered.
const slug = "bench-"

// maxProducts bounds them, and so how many orders a small size can serve.
const maxProducts = 400

// newShop makes a shop with a history of size orders, and so many products
// with size cards behind each that budget orders can be placed. It stands
// still afterwards.
func (w *workshop) newShop(size, budget int64) (*shop, error) {
	s := &shop{w: w, name: fmt.Sprintf("shop-%d", size), behind: size}
	if err := errors.Join(w.store.create(s.name), os.MkdirAll(s.data(), 0o700)); err != nil {
		return nil, err
	}
	if err := w.run(append([]string{"demo"}, s.settings()...)...); err != nil {
		return nil, err
	}
	w.say(fmt.Sprintf("writing a history of %d orders", size))
	if err := s.history(size); err != nil {
		return nil, err
	}
	products := min(max(1, (budget+size-1)/size), maxProducts)
	w.say(fmt.Sprintf("importing %d × %d cards", products, size))
	if err := s.start(); err != nil {
		return nil, err
	}
	if err := s.stockUp(int(products)); err != nil {
		return nil, err
	}
	if err := s.learn(); err != nil {
		return nil, err
	}
	return s, s.stop()
}

// history has a child write the orders, so that this process stays small.
func (s *shop) history(orders int64) error {
	c, err := s.w.part("fill", fillSpec{Place: s.w.store.place(s.name), Data: s.data(), Orders: orders})
	if err != nil {
		return err
	}
	var done result
	if err := c.hear(s.w.ctx, &done); err != nil {
		return err
	}
	return c.stop()
}

// stockUp puts the products on the shelf and imports their cards, as a
// merchant would.
func (s *shop) stockUp(products int) error {
	var sheet bytes.Buffer
	sheet.WriteString("slug,kind,title,sku,price,stock,position\n")
	for i := range products {
		fmt.Fprintf(&sheet, "%s%03d,card,基准商品 %03d,BENCH-%03d,49.00,,%d\n", slug, i, i, i, 9000+i)
	}
	return s.admin(func(c *adminsock.Client) error {
		_, err := c.Import(s.w.ctx, request(adminsock.Catalog, "", sheet.Bytes()), &sheet, func(imports.Progress) {})
		if err != nil {
			return err
		}
		for i := range products {
			if _, err := s.importCards(c, fmt.Sprintf("BENCH-%03d", i), s.behind); err != nil {
				return err
			}
		}
		return nil
	})
}

// importCards imports n new cards and tells how long that took.
func (s *shop) importCards(c *adminsock.Client, sku string, n int64) (time.Duration, error) {
	file := cards(n)
	ask := request(adminsock.Cards, sku, file)
	begin := time.Now()
	report, err := c.Import(s.w.ctx, ask, bytes.NewReader(file), func(imports.Progress) {})
	took := time.Since(begin)
	if err == nil && report.Accepted != n {
		err = fmt.Errorf("of %d cards only %d were imported", n, report.Accepted)
	}
	return took, err
}

func request(kind, sku string, file []byte) adminsock.ImportRequest {
	sum := sha256.Sum256(file)
	return adminsock.ImportRequest{Kind: kind, SKU: sku, FileName: "bench", Size: int64(len(file)), Digest: sum[:]}
}

// cards makes a file of n card keys that no other file has.
func cards(n int64) []byte {
	batch := rand.Text()[:12]
	out := make([]byte, 0, n*32)
	for i := range n {
		out = fmt.Appendf(out, "PANSHI-%s-%09d\n", batch, i)
	}
	return out
}

// size of a shop's files on disk, 0 if the server has them.
func diskSize(dir string) (sum int64) {
	names, _ := filepath.Glob(filepath.Join(dir, "panshi.db*")) // the pattern is right
	for _, name := range names {
		if info, err := os.Stat(name); err == nil {
			sum += info.Size()
		}
	}
	return sum
}
