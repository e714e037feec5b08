package kit

import (
	"context"
	"maps"
	"net/http"

	"github.com/stretchr/testify/require"
)

// GiveBack orders all of an order's money to be given back.
func (o *Staff) GiveBack(order Placed) {
	o.t.Helper()
	_, err := o.Refund(o.t.Context(), order, nil)
	require.NoError(o.t, err)
}

// Hold is a case on the hold desk.
type Hold struct {
	ID     string `json:"id"`
	Reason string `json:"reason"`
}

// Holds are the open cases.
func (o *Staff) Holds() []Hold {
	o.t.Helper()
	var page struct {
		Items []Hold `json:"items"`
	}
	o.Do(http.MethodGet, "holds?limit=100", nil, &page)
	return page.Items
}

// Resolve closes a case: "refund", "accept" or "dismiss".
func (o *Staff) Resolve(h Hold, action string) {
	o.t.Helper()
	o.Do(http.MethodPost, "holds/"+h.ID+"/resolve", map[string]any{"action": action, "note": "test"}, nil)
}

// StaffOrder is what staff sees of an order's money.
type StaffOrder struct {
	Status     string                                          `json:"status"`
	Refunded   int64                                           `json:"refunded"`
	Refundable int64                                           `json:"refundable"`
	Lines      []struct{ Refunded, Withdrawn, Refundable int } `json:"lines"`
}

// Refund gives back a part of an order: part has amount or lines, or is empty
// for all. It is repeated with the same key until it is answered.
func (o *Staff) Refund(ctx context.Context, order Placed, part map[string]any) (seen StaffOrder, err error) {
	body, key := map[string]any{"reason": "the buyer asked"}, NewKey()
	maps.Copy(body, part)
	err = insist(ctx, func() error {
		return o.tryAs(ctx, key, http.MethodPost, "orders/"+order.No+"/refund", body, &seen)
	})
	return seen, err
}
