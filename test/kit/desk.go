package kit

import "net/http"

// GiveBack orders all of an order's money to be given back.
func (o *Staff) GiveBack(order Placed) {
	o.t.Helper()
	o.Do(http.MethodPost, "orders/"+order.No+"/refund", map[string]any{"reason": "test"}, nil)
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
