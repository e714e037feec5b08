package routing

import (
	"cmp"
	"context"
	"log/slog"
	"maps"
	"math"
	"slices"
	"sync"

	"panshi/internal/clock"
	"panshi/internal/id"
	"panshi/internal/payment"
)

// Router chooses accounts for new payments and meters the calls to all. It is
// safe for concurrent use.
type Router struct {
	accounts *payment.Accounts
	clock    clock.Clock
	log      *slog.Logger

	mu     sync.Mutex
	gauges map[id.ID]*gauge // guarded by mu; as many as there are accounts
	bills  map[id.ID]*gauge // guarded by mu; of those whose bills were asked for
	turn   int64            // guarded by mu; shares work among equals
}

// New returns a Router over accounts; all begin healthy.
func New(accounts *payment.Accounts, c clock.Clock, log *slog.Logger) *Router {
	return &Router{accounts: accounts, clock: c, log: log, gauges: map[id.ID]*gauge{}, bills: map[id.ID]*gauge{}}
}

func (r *Router) gauge(accountID id.ID) *gauge {
	return r.gaugeIn(r.gauges, accountID, "calls", callsAtATime)
}

func (r *Router) billGauge(accountID id.ID) *gauge {
	return r.gaugeIn(r.bills, accountID, "bills", billsAtATime)
}

// gaugeIn finds or makes the gauge of an account in one of the two maps.
func (r *Router) gaugeIn(gauges map[id.ID]*gauge, accountID id.ID, of string, turns uint) *gauge {
	r.mu.Lock()
	defer r.mu.Unlock()
	g, ok := gauges[accountID]
	if !ok {
		g = newGauge(r.clock, turns, func(from, to string) {
			r.log.Warn("payment account's breaker", "account_id", accountID.String(), "of", of, "from", from, "to", to)
		})
		gauges[accountID] = g
	}
	return g
}

// Provider returns an account and what speaks to its platform, metered; it is a
// payment.Biller if that is one. While the account's breaker is open every call
// fails at once with ErrProviderBusy. Who asks no platform is not metered: its
// calls never fail and take no time.
func (r *Router) Provider(ctx context.Context, accountID id.ID) (payment.Account, payment.Provider, error) {
	acc, p, err := r.accounts.Provider(ctx, accountID)
	if err != nil {
		return payment.Account{}, nil, err
	}
	if !payment.AsksPlatform(acc.Provider) {
		return acc, p, nil
	}
	m := metered{p, r.gauge(acc.ID)}
	if biller, ok := p.(payment.Biller); ok {
		return acc, billing{m, biller, r.billGauge(acc.ID)}, nil
	}
	return acc, m, nil
}

// Channels returns a merchant's ways to pay; On tells which work now.
func (r *Router) Channels(ctx context.Context, merchantID id.ID) ([]payment.Account, error) {
	return r.Offers(ctx, merchantID, payment.Want{})
}

// Offers is Channels for one payment.
func (r *Router) Offers(ctx context.Context, merchantID id.ID, w payment.Want) ([]payment.Account, error) {
	return r.accounts.OffersOf(ctx, merchantID, w, func(acc payment.Account) bool { return r.gauge(acc.ID).usable() })
}

// Candidates returns the accounts of one channel, the one to try first first:
// those that answer before those that are not asked at the moment, the
// healthier before the others, equals by position and then by weight.
func (r *Router) Candidates(ctx context.Context, merchantID, channel id.ID) ([]payment.Account, error) {
	found, err := r.accounts.Candidates(ctx, merchantID, channel)
	if err != nil || len(found) < 2 {
		return found, err
	}
	type ranked struct {
		payment.Account
		rank int
	}
	list := make([]ranked, len(found))
	for i, acc := range found {
		list[i] = ranked{acc, r.gauge(acc.ID).rank()}
	}
	better := func(a, b ranked) int { return cmp.Or(cmp.Compare(b.rank, a.rank), cmp.Compare(a.Position, b.Position)) }
	slices.SortStableFunc(list, better)
	equals := 1
	for equals < len(list) && better(list[0], list[equals]) == 0 {
		equals++
	}
	for i, acc := range list {
		found[i] = acc.Account
	}
	r.share(found[:equals])
	return found, nil
}

// share brings one of equals to the front, each as often as its weight says.
func (r *Router) share(equals []payment.Account) {
	total := int64(0)
	for _, acc := range equals {
		total += max(1, acc.Limits.Weight)
	}
	r.mu.Lock()
	at := r.turn % total
	r.turn++
	r.mu.Unlock()
	for i, acc := range equals {
		if at -= max(1, acc.Limits.Weight); at < 0 {
			copy(equals[1:i+1], equals[:i])
			equals[0] = acc
			return
		}
	}
}

// rank orders accounts: -1 for one that is not asked, else how healthy it is in
// fifths, so that small differences do not outweigh positions.
func (g *gauge) rank() int {
	if !g.usable() {
		return -1
	}
	return int(math.Round(5 * g.health().Score))
}

// Health tells how an account fares in this process.
func (r *Router) Health(accountID id.ID) Health { return r.gauge(accountID).health() }

// Healths tells the health of every account that was used or offered here.
func (r *Router) Healths() map[id.ID]Health { return r.healthsIn(r.gauges) }

// BillHealths is Healths of what fetches bills.
func (r *Router) BillHealths() map[id.ID]Health { return r.healthsIn(r.bills) }

func (r *Router) healthsIn(gauges map[id.ID]*gauge) map[id.ID]Health {
	r.mu.Lock()
	known := maps.Clone(gauges)
	r.mu.Unlock()
	all := make(map[id.ID]Health, len(known))
	for accountID, g := range known {
		all[accountID] = g.health()
	}
	return all
}

// All returns all accounts of a merchant, those that are off too.
func (r *Router) All(ctx context.Context, merchantID id.ID) ([]payment.Account, error) {
	return r.accounts.All(ctx, merchantID)
}
