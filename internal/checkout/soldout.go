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
// behind those who can still buy. A hint decides nothing: it only asks for a
// look before the order is tried.
type soldOutHints struct {
	clock clock.Clock

	mu    sync.Mutex
	until map[id.ID]time.Time // guarded by mu
}

const (
	hintLife = 5 * time.Second
	maxHints = 4096
)

func (h *soldOutHints) note(lines []PlaceLine) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.until == nil || len(h.until) >= maxHints {
		h.until = make(map[id.ID]time.Time)
	}
	for _, l := range lines {
		h.until[l.SKUID] = h.clock.Now().Add(hintLife)
	}
}

func (h *soldOutHints) any(lines []PlaceLine) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, l := range lines {
		if until, ok := h.until[l.SKUID]; ok && h.clock.Now().Before(until) {
			return true
		}
	}
	return false
}

// refuseSoldOut answers ErrSoldOut if a hinted SKU really has too little left
// and the request is not the repeat of one that succeeded.
func (s *Service) refuseSoldOut(ctx context.Context, p placing) error {
	if !s.soldOut.any(p.Lines) {
		return nil
	}
	return s.db.View(ctx, func(tx *db.Tx) error {
		if _, found, err := p.idempotency().findTx(tx); err != nil || found {
			return err
		}
		for i, l := range p.Lines {
			q, err := catalog.QuoteTx(tx, p.MerchantID, l.SKUID, p.Lang)
			if err != nil {
				return atLine(i, err)
			}
			if q.Mode != stock.Unlimited && q.Available < int64(l.Quantity) {
				return atLine(i, stock.ErrSoldOut)
			}
		}
		return nil
	})
}
