package bulk

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// day is how long nothing falls due, in milliseconds.
const day = int64(24 * 60 * 60 * 1000)

// currency of everything.
const currency = "CNY"

// good is one SKU with what was sold of it so far.
type good struct {
	sku, product  id.ID
	kind          string
	mode          string
	code          string
	title         string
	price         int64
	limited       int // 1 if its product has a limit per contact
	batch         id.ID
	content       id.ID // the shared text
	cards         int64 // made, in all states
	available     int64
	held, sold    int64
	firstPosition int
}

// maker makes the rows. It belongs to one goroutine.
type maker struct {
	ctx     context.Context //nolint:containedctx // of the one filling that the maker is made for
	vault   *vault.Vault
	size    Size
	w       *writer
	shop    Shop
	opening int64 // rows written before the writers started

	start, until int64 // Unix milliseconds
	cards        []*good
	text, manual *good
	bought       map[string]int64 // by contact, of the product with a limit
	refunds      [][]any          // written last, for they refer to payments

	stamp  uint64 // of the last id: milliseconds<<12 | counter
	random []byte // not used yet
	err    error  // the first seal that failed
}

// id makes a UUIDv7 as of a time; ids of one filling always rise.
func (m *maker) id(ms int64) (v id.ID) {
	m.stamp = max(m.stamp+1, uint64(ms)<<12)
	binary.BigEndian.PutUint64(v[:8], m.stamp>>12<<16|m.stamp&0xfff|0x7000)
	copy(v[8:], m.bytes(8))
	v[8] = v[8]&0x3f | 0x80
	return v
}

// bytes gives n random bytes.
func (m *maker) bytes(n int) []byte {
	if len(m.random) < n {
		m.random = make([]byte, 16<<10)
		if _, err := rand.Read(m.random); err != nil {
			panic("bulk: the system's random source failed: " + err.Error())
		}
	}
	out := m.random[:n:n]
	m.random = m.random[n:]
	return out
}

// seal encrypts as the shop does. The first failure ends the filling.
func (m *maker) seal(class vault.Class, cell vault.Cell, text string) []byte {
	sealed, err := m.vault.Seal(class, cell, []byte(text))
	if err != nil && m.err == nil {
		m.err = err
	}
	return sealed
}

// open writes the merchant with its shelf and account.
func open(ctx context.Context, d db.DB, v *vault.Vault, size Size) (*maker, error) {
	m := &maker{ctx: ctx, vault: v, size: size, bought: map[string]int64{}}
	merchants := int64(0)
	if err := d.View(ctx, func(tx *db.Tx) error {
		m.until = tx.Now().UnixMilli()
		return tx.Get([]any{&merchants}, `SELECT COUNT(*) FROM merchants`)
	}); err != nil {
		return nil, err
	}
	m.start = m.until - size.Span.Milliseconds()
	m.shop = Shop{MerchantID: m.id(m.start), Slug: size.Slug, AccountID: m.id(m.start)}
	first := 0
	if merchants == 0 {
		first = 1
	}
	m.stockShelf()
	err := d.Update(ctx, func(tx *db.Tx) error {
		m.opening = 2
		if _, err := tx.Exec(insert("merchants", 1), m.shop.MerchantID, size.Slug, first, "批量商店", "Bulk shop", currency,
			"open", m.start, m.start); err != nil {
			return err
		}
		_, err := tx.Exec(insert("payment_accounts", 1), m.shop.AccountID, m.shop.MerchantID, "wechatpay", "native",
			"bulk-"+size.Slug, "微信支付", m.config(), "off", m.start, m.start)
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, g := range m.goods() {
		if err := m.shelve(d, g); err != nil {
			return nil, err
		}
	}
	return m, m.err
}

func (m *maker) config() []byte {
	cell := vault.Cell{Table: "payment_accounts", Column: "config_sealed", Row: m.shop.AccountID}
	return m.seal(vault.Payment, cell, "{}")
}

// stockShelf decides what is sold.
func (m *maker) stockShelf() {
	shelf := func(n int, kind, mode, title string) *good {
		return &good{
			sku: m.id(m.start), product: m.id(m.start), kind: kind, mode: mode, firstPosition: n,
			code: fmt.Sprintf("%s-%s-%04d", m.size.Slug, kind, n), title: title, price: int64(990 + 100*(n%50)),
		}
	}
	for i := range m.size.SKUs {
		g := shelf(i, "card", "cards", fmt.Sprintf("点卡 %d 号", i+1))
		g.batch = m.id(m.start)
		if i == 0 && m.size.SKUs > 1 {
			g.limited = 1
		}
		m.cards = append(m.cards, g)
		m.shop.CardSKUs = append(m.shop.CardSKUs, g.sku)
		m.shop.ProductIDs = append(m.shop.ProductIDs, g.product)
	}
	m.text = shelf(m.size.SKUs, "text", "unlimited", "教程")
	m.text.content = m.id(m.start)
	m.manual = shelf(m.size.SKUs+1, "manual", "counted", "代充（人工）")
	m.manual.available = 1000
	m.shop.TextSKU, m.shop.ManualSKU = m.text.sku, m.manual.sku
}

func (m *maker) goods() []*good { return append(append([]*good{}, m.cards...), m.text, m.manual) }

// shelve writes one product with its SKU. Its counters come last, when they
// are known.
func (m *maker) shelve(d db.DB, g *good) error {
	return d.Update(m.ctx, func(tx *db.Tx) error {
		if _, err := tx.Exec(insert("products", 1), g.product, m.shop.MerchantID, g.code, g.kind, g.title, "Item "+g.code,
			"on", g.firstPosition, g.limited*maxLimited, m.start, m.start); err != nil {
			return err
		}
		_, err := tx.Exec(insert("skus", 1), g.sku, m.shop.MerchantID, g.product, g.code, g.price, currency, "on", m.start, m.start)
		m.opening += 2
		return err
	})
}

// maxLimited is the limit per contact of the product that has one.
const maxLimited = 1_000_000

// closeBooks writes what is known only at the end.
func (m *maker) closeBooks() {
	for _, g := range m.goods() {
		m.w.put("stock", g.sku, m.shop.MerchantID, g.mode, g.available, g.held, g.sold, m.until)
		if g.kind == "card" {
			m.w.put("import_batches", g.batch, m.shop.MerchantID, "cards", g.sku, g.code+".txt", m.bytes(32), g.cards*25, g.cards+1,
				g.cards, "done", m.start, m.until)
		}
	}
	m.w.put("shared_contents", m.text.content, m.shop.MerchantID, m.text.sku,
		m.seal(vault.Cards, stock.SharedCell(m.text.content), "https://example.com/教程"), m.start)
	product := m.cards[0].product
	for contact, n := range m.bought {
		m.w.put("purchase_counts", m.shop.MerchantID, product, []byte(contact), n)
	}
	for _, r := range m.refunds {
		m.w.put("refunds", r...)
	}
}

// card makes a card key in a state and returns its id.
func (m *maker) card(g *good, at int64, status string, orderID any) id.ID {
	v := m.id(at)
	text := fmt.Appendf(nil, "BULK-%X", m.bytes(10))
	m.w.put("cards", v, m.shop.MerchantID, g.sku, g.batch, status, orderID, m.seal(vault.Cards, stock.CardCell(v), string(text)),
		m.vault.Fingerprint(vault.Cards, m.shop.MerchantID, stock.CardIndexPurpose, text), at)
	g.cards++
	return v
}

// sell makes the orders, the oldest first, and then the cards that are left.
func (m *maker) sell() error {
	step := m.size.Span.Milliseconds() / int64(max(m.size.Orders, 1))
	for i := range m.size.Orders {
		if err := m.ctx.Err(); err != nil {
			return err
		}
		m.order(i, m.start+int64(i)*step)
		if m.err != nil || m.w.ctx.Err() != nil {
			return m.err
		}
	}
	for _, g := range m.cards {
		g.available = int64(m.size.CardsPerSKU)
		for range m.size.CardsPerSKU {
			m.card(g, m.until, "available", nil)
			if m.err != nil || m.w.ctx.Err() != nil {
				return m.err
			}
		}
	}
	return nil
}

// moment is a time as tables have it; zero is NULL.
func moment(ms int64) any {
	if ms == 0 {
		return nil
	}
	return db.Millis(time.UnixMilli(ms))
}
