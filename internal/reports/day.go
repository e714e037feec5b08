package reports

import (
	"context"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/id"
)

// most is how many orders of a day are looked at. A shop that has more in a day
// is told that its figures are a part: a page that everybody opens in the
// morning must not read a million rows.
const most = 50_000

// Sales are the orders of one span of time.
type Sales struct {
	From, Until time.Time // from From, before Until
	Placed      int64     // orders that were placed
	Paid        int64     // of those, how many were paid, given back later or not
	Amount      int64     // totals of the paid ones, minor units of the shop's currency
	Capped      bool      // there were more orders: these are the first
}

// Today is a day so far beside the same span a week before.
type Today struct {
	Currency string // the shop's
	Now      Sales
	WeekAgo  Sales
}

// Service reads reports.
type Service struct {
	db    db.DB
	clock clock.Clock
	zone  *time.Location // where days begin
}

// New returns a Service; zone is where the merchants' days begin.
func New(d db.DB, c clock.Clock, zone *time.Location) *Service {
	return &Service{db: d, clock: c, zone: zone}
}

// Today sums up a merchant's day until now, and the same hours of the day a
// week before, so that a morning is not compared with a whole day.
func (s *Service) Today(ctx context.Context, merchantID id.ID) (t Today, err error) {
	now := s.clock.Now().In(s.zone)
	midnight := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, s.zone)
	t.Now = Sales{From: midnight, Until: now}
	t.WeekAgo = Sales{From: midnight.AddDate(0, 0, -7), Until: now.AddDate(0, 0, -7)}
	err = s.db.View(ctx, func(tx *db.Tx) error {
		if err := tx.Get([]any{&t.Currency}, `SELECT currency FROM merchants WHERE id = $1`, merchantID); err != nil {
			return err
		}
		if err := t.Now.readTx(tx, merchantID, t.Currency); err != nil {
			return err
		}
		return t.WeekAgo.readTx(tx, merchantID, t.Currency)
	})
	return t, err
}

// readTx counts the orders of the span. Ids begin with the moment that they
// were made at, so that a span is a range of the merchant's index.
func (s *Sales) readTx(tx *db.Tx, merchantID id.ID, currency string) error {
	err := tx.Get([]any{&s.Placed, &s.Paid, &s.Amount},
		`SELECT COUNT(*), COUNT(paid_at), CAST(COALESCE(SUM(CASE WHEN paid_at IS NULL THEN 0 ELSE total END), 0) AS BIGINT)
		FROM (SELECT paid_at, total FROM orders WHERE merchant_id = $1 AND id >= $2 AND id < $3 AND currency = $4 ORDER BY id LIMIT $5) o`,
		merchantID, id.Lowest(s.From), id.Lowest(s.Until), currency, most)
	s.Capped = s.Placed == most
	return err
}
