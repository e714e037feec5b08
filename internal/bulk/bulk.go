package bulk

import (
	"context"
	"time"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/vault"
)

// Size says how much a shop gets. The zero value of every field but Orders and
// CardsPerSKU is a good default.
type Size struct {
	Orders      int // of every state, if there are some hundreds
	SKUs        int // that sell card keys, a product each; default 20
	CardsPerSKU int // card keys of each that are still to be had

	Slug string        // of the merchant that gets it all; default "bulk"
	Span time.Duration // the first order is that old; default 90 days

	// Progress is told the rows written so far, from several goroutines; nil
	// tells nobody.
	Progress func(rows int64)
}

// Shop is what Fill made.
type Shop struct {
	MerchantID id.ID
	Slug       string
	AccountID  id.ID   // its payment account, which is off: there is no platform behind it
	ProductIDs []id.ID // of CardSKUs, in their order
	CardSKUs   []id.ID // SKUs of card keys
	TextSKU    id.ID   // sells one shared text, unlimited
	ManualSKU  id.ID   // waits for staff, counted
	Rows       int64   // written in all tables
}

// defaults fills what the caller left open.
func (s *Size) defaults() {
	if s.SKUs == 0 {
		s.SKUs = 20
	}
	if s.Slug == "" {
		s.Slug = "bulk"
	}
	if s.Span == 0 {
		s.Span = 90 * 24 * time.Hour
	}
	if s.Progress == nil {
		s.Progress = func(int64) {}
	}
}

// Fill adds a merchant with Size's orders and cards to a shop; it becomes the
// default one if there is none yet. The slug must be new: filling twice under
// one is db.ErrUnique. What it wrote before an error stays and breaks
// invariants, so that only a scratch shop should be filled.
func Fill(ctx context.Context, d db.DB, v *vault.Vault, size Size) (Shop, error) {
	size.defaults()
	ctx = db.WithLong(ctx)
	m, err := open(ctx, d, v, size)
	if err != nil {
		return Shop{}, err
	}
	w := newWriter(ctx, d, size.Progress)
	m.w = w
	err = m.sell()
	if err2 := w.close(); err == nil {
		err = err2
	}
	if err != nil {
		return Shop{}, err
	}
	last := newWriter(ctx, d, func(n int64) { size.Progress(w.rows.Load() + n) })
	m.w = last
	m.closeBooks()
	err = last.close()
	m.shop.Rows = m.opening + w.rows.Load() + last.rows.Load()
	return m.shop, err
}
