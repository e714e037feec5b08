package app

import (
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/db"
	"panshi/internal/order"
)

// unsureFor is how long before the time of a state a commit may have begun that
// is not in it: what is counted is rather too much than too little.
const unsureFor = 2 * time.Second

// unshippedTx counts the orders that no destination has.
func (s *Shop) unshippedTx(tx *db.Tx) (*adminsock.Unshipped, error) {
	copies := s.db.backup.copies()
	if len(copies) == 0 {
		return nil, nil //nolint:nilnil // nothing is copied, which doctor tells otherwise
	}
	u := &adminsock.Unshipped{}
	for _, c := range copies {
		if at := c.Point(); at.After(u.Point) {
			u.Point, u.Label = at, c.Label
		}
	}
	since := time.UnixMilli(0)
	if !u.Point.IsZero() {
		since = u.Point.Add(-unsureFor)
	}
	var err error
	u.Orders, u.More, err = order.SinceTx(tx, since)
	return u, err
}
