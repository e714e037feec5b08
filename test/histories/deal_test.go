package histories

import (
	"slices"
	"sync"

	"panshi/internal/checkout"
	"panshi/internal/id"
)

// deal is an order that clients know of.
type deal struct {
	checkout.Placed
	lines []line

	mu       sync.Mutex
	payments []string // guarded by mu; numbers
	seems    phase    // guarded by mu; what a client was told last
}

// line is what a deal has of one SKU.
type line struct {
	*goods
	order    int // the SKU's order, from 1
	quantity int
}

func (d *deal) look() (seems phase, payments []string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.seems, slices.Clone(d.payments)
}

func (d *deal) seem(p phase) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seems = p
}

func (d *deal) addPayment(no string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.payments = append(d.payments, no)
}

// pool is the deals that any client may meddle in.
type pool struct {
	mu     sync.Mutex
	recent []*deal // guarded by mu
}

const poolSize = 96

func (p *pool) add(d *deal) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.recent) == poolSize {
		p.recent = slices.Delete(p.recent, 0, 1)
	}
	p.recent = append(p.recent, d)
}

func (p *pool) any(pick func(int) int) *deal {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.recent) == 0 {
		return nil
	}
	return p.recent[pick(len(p.recent))]
}

// cardsOf gives the numbers of those of an order's cards that are a line's.
func (l line) cardsOf(rows []cardRow) (numbers []int) {
	for _, r := range rows {
		if r.sku == l.id {
			numbers = append(numbers, l.cards[r.id])
		}
	}
	slices.Sort(numbers)
	return numbers
}

// cardsShown gives the numbers of those of the revealed cards that are a
// line's.
func (l line) cardsShown(shown []checkout.Revealed) (numbers []int, err error) {
	for _, r := range shown {
		if r.SKUID != l.id || l.cards == nil {
			continue
		}
		card, err := cardOf(r.Content)
		if err != nil {
			return nil, err
		}
		numbers = append(numbers, l.number(card))
	}
	slices.Sort(numbers)
	return numbers, nil
}

// number is a card's; -1 if it is another SKU's.
func (g *goods) number(card id.ID) int {
	if n, ok := g.cards[card]; ok {
		return n
	}
	return -1
}
