package checkout

import (
	"context"
	"sync"
	"time"

	"panshi/internal/catalog"
	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/stock"
)

// soldOutHints remembers for a moment which SKUs ran out, so that the crowd
// that comes too late is answered by a reader and does not queue at the writer
// behind those who can still buy. A hint asks for a look at the shelf before an
// order is tried; what the look saw is believed for levelLife, or until this
// process puts something back.
type soldOutHints struct {
	clock clock.Clock

	mu     sync.Mutex
	hints  map[shelf]hint // guarded by mu
	change int64          // guarded by mu; counts forget's calls
}

// hint is what is known of a SKU that ran out.
type hint struct {
	until time.Time // look before trying
	left  int64     // what the last look saw
	seen  time.Time // when that was; the zero time: not looked yet
}

const (
	hintLife  = 5 * time.Second
	levelLife = time.Second // the longest that a restock by another process stays unseen
	maxHints  = 4096
)

// note remembers that an order's SKUs have too little left.
func (h *soldOutHints) note(p placing) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.hints == nil || len(h.hints) >= maxHints {
		h.hints = make(map[shelf]hint)
	}
	until := h.clock.Now().Add(hintLife)
	for _, l := range p.Lines {
		of := shelf{p.MerchantID, l.SKUID}
		known := h.hints[of]
		known.until = until
		h.hints[of] = known
	}
}

// any tells whether one of the order's SKUs ran out a moment ago.
func (h *soldOutHints) any(p placing) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range p.Lines {
		if known, ok := h.hints[shelf{p.MerchantID, l.SKUID}]; ok && h.clock.Now().Before(known.until) {
			return true
		}
	}
	return false
}

// gone tells whether the last look, if it was just now, saw too little for an
// order of one line. Others are looked at again: their lines are refused in
// order, for more reasons than this.
func (h *soldOutHints) gone(p placing) (gone bool, change int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(p.Lines) != 1 {
		return false, h.change
	}
	known := h.hints[shelf{p.MerchantID, p.Lines[0].SKUID}]
	fresh := !known.seen.IsZero() && h.clock.Now().Sub(known.seen) < levelLife
	return fresh && known.left < int64(p.Lines[0].Quantity), h.change
}

// saw remembers what a look saw that began at now, unless something came back
// since gone gave change.
func (h *soldOutHints) saw(of shelf, left int64, now time.Time, change int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if known, ok := h.hints[of]; ok && change == h.change {
		known.left, known.seen = left, now
		h.hints[of] = known
	}
}

func (h *soldOutHints) forget(skus []id.ID) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.change++
	for of := range h.hints {
		for _, sku := range skus {
			if of.sku == sku {
				delete(h.hints, of)
			}
		}
	}
}

// Restocked tells the service that more of these SKUs is on the shelf, so that
// nobody hears "sold out" from its memory. It must be called after the commit.
func (s *Service) Restocked(skus ...id.ID) { s.soldOut.forget(skus) }

// restockedTx calls Restocked after the commit.
func (s *Service) restockedTx(tx *db.Tx, claims []stock.Claim) {
	skus := make([]id.ID, len(claims))
	for i, c := range claims {
		skus[i] = c.SKUID
	}
	tx.OnCommit(func() { s.Restocked(skus...) })
}

// refuseSoldOut answers ErrSoldOut if a hinted SKU really has too little left
// and the request is not the repeat of one that succeeded: that is looked up
// every time, and later than what the shelf is believed to have.
func (s *Service) refuseSoldOut(ctx context.Context, p placing) error {
	if !s.soldOut.any(p) {
		return nil
	}
	gone, change := s.soldOut.gone(p)
	if gone {
		used, err := s.usedBefore(ctx, p.idempotency())
		if err != nil || used {
			return err
		}
		return atLine(0, stock.ErrSoldOut)
	}
	return s.look(ctx, p, change)
}

// look is refuseSoldOut by a look at the shelf.
func (s *Service) look(ctx context.Context, p placing, change int64) error {
	return s.db.View(ctx, func(tx *db.Tx) error {
		if _, found, err := p.idempotency().findTx(tx); err != nil || found {
			return err
		}
		for i, l := range p.Lines {
			q, err := catalog.QuoteTx(tx, p.MerchantID, l.SKUID, p.Lang)
			if err != nil {
				return atLine(i, err)
			}
			if q.Mode == stock.Unlimited {
				continue
			}
			s.soldOut.saw(shelf{p.MerchantID, l.SKUID}, q.Available, tx.Now(), change)
			if q.Available < int64(l.Quantity) {
				return atLine(i, stock.ErrSoldOut)
			}
		}
		return nil
	})
}
