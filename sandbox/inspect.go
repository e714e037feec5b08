package sandbox

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"
)

const maxListed = 1000

// tradeView is a trade as a developer sees it. Amounts are fen.
type tradeView struct {
	OutTradeNo    string         `json:"out_trade_no"`
	TransactionID string         `json:"transaction_id"`
	MchID         string         `json:"mchid"`
	AppID         string         `json:"app_id"`
	Merchant      string         `json:"merchant"`
	Description   string         `json:"description"`
	Attach        string         `json:"attach"`
	Amount        int64          `json:"amount"`
	Refunded      int64          `json:"refunded"`
	Currency      string         `json:"currency"`
	Status        string         `json:"status"`
	Closed        bool           `json:"closed"` // by its merchant, not by time
	CodeURL       string         `json:"code_url"`
	NotifyURL     string         `json:"notify_url"`
	CreatedAt     time.Time      `json:"created_at"`
	ExpiresAt     time.Time      `json:"expires_at"`
	PaidAt        time.Time      `json:"paid_at,omitzero"`
	Callbacks     []callbackView `json:"callbacks"`
	Refunds       []refundView   `json:"refunds"`
}

// callbackView is a callback and how it fared. Status 0 means that no HTTP answer came.
type callbackView struct {
	ID         string    `json:"id"`
	Event      string    `json:"event"`
	Attempts   int       `json:"attempts"`
	LastStatus int       `json:"last_status"`
	LastError  string    `json:"last_error"`
	Delivered  bool      `json:"delivered"`
	GivenUp    bool      `json:"given_up"`
	NextAt     time.Time `json:"next_at,omitzero"`
	History    []attempt `json:"history"`
}

// refundView is a refund as a developer sees it. Amounts are fen.
type refundView struct {
	OutRefundNo string    `json:"out_refund_no"`
	RefundID    string    `json:"refund_id"`
	OutTradeNo  string    `json:"out_trade_no"`
	MchID       string    `json:"mchid"`
	Amount      int64     `json:"amount"`
	Currency    string    `json:"currency"`
	Reason      string    `json:"reason"`
	Status      string    `json:"status"`
	CreatedAt   time.Time `json:"created_at"`
}

func viewTrade(st *state, t *trade, now time.Time) tradeView {
	out := tradeView{
		OutTradeNo: t.OutTradeNo, TransactionID: t.TransactionID, MchID: t.MchID, AppID: t.AppID,
		Merchant: st.byMchID[t.MchID].Name, Description: t.Description, Attach: t.Attach, Amount: t.Total,
		Refunded: t.Refunded, Currency: t.Currency, Status: t.status(now), Closed: t.State == stateClosed, CodeURL: t.codeURL(), NotifyURL: t.NotifyURL,
		CreatedAt: t.CreatedAt, ExpiresAt: t.ExpiresAt, PaidAt: t.PaidAt,
		Callbacks: []callbackView{}, Refunds: []refundView{},
	}
	for _, n := range st.notesOfTrade(t) {
		out.Callbacks = append(out.Callbacks, viewNote(n))
	}
	for _, r := range st.refundsOfTrade(t) {
		out.Refunds = append(out.Refunds, viewRefund(st, r, now))
	}
	return out
}

func viewNote(n *note) callbackView {
	out := callbackView{
		ID: n.ID, Event: n.Event, Attempts: n.Tries, Delivered: n.Delivered, GivenUp: n.Done && !n.Delivered,
		History: slices.Clone(n.History),
	}
	if len(n.History) > 0 {
		last := n.History[len(n.History)-1]
		out.LastStatus, out.LastError = last.Status, last.Error
	}
	if !n.Done {
		out.NextAt = n.NextAt
	}
	return out
}

func viewRefund(st *state, r *refund, now time.Time) refundView {
	t := st.trades[r.TradeSeq]
	return refundView{
		OutRefundNo: r.OutRefundNo, RefundID: r.RefundID, OutTradeNo: t.OutTradeNo, MchID: t.MchID, Amount: r.Amount,
		Currency: t.Currency, Reason: r.Reason, Status: r.status(now), CreatedAt: r.CreatedAt,
	}
}

// listing is what the list endpoints have in common: newest first, a page at a time.
type listing struct {
	mchID  string
	status string
	limit  int
	before int // only sequence numbers below it
}

func parseListing(q url.Values, statuses ...string) (listing, error) {
	out := listing{mchID: q.Get("mchid"), status: q.Get("status")}
	if out.status != "" && !slices.Contains(statuses, out.status) {
		return out, errParam("status", "is not a known status")
	}
	var err error
	if out.limit, err = queryInt(q, "limit", 100, 1, maxListed); err != nil {
		return out, err
	}
	out.before, err = queryInt(q, "cursor", 1<<31-1, 0, 1<<31-1)
	return out, err
}

// page is a part of a list; next_cursor is empty on the last one.
func page[T any](items []T, next int) map[string]any {
	cursor := ""
	if next > 0 {
		cursor = strconv.Itoa(next)
	}
	return map[string]any{"items": items, "next_cursor": cursor}
}

func (s *Sandbox) simTrades(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	want, err := parseListing(r.URL.Query(), stateNotPaid, stateSuccess, stateRefund, stateClosed)
	if err != nil {
		return 0, nil, err
	}
	items, next, now := []tradeView{}, 0, s.now()
	s.view(func(st *state) {
		for i := min(want.before, len(st.trades)) - 1; i >= 0; i-- {
			t := st.trades[i]
			if (want.mchID != "" && t.MchID != want.mchID) || (want.status != "" && t.status(now) != want.status) {
				continue
			}
			if len(items) == want.limit {
				next = i + 1
				return
			}
			items = append(items, viewTrade(st, t, now))
		}
	})
	return http.StatusOK, page(items, next), nil
}

func (s *Sandbox) simTrade(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	ref := orderRef{OutTradeNo: r.PathValue("no"), MchID: r.URL.Query().Get("mchid")}
	var out tradeView
	var err error
	s.view(func(st *state) {
		var t *trade
		if t, err = ref.find(st); err == nil {
			out = viewTrade(st, t, s.now())
		}
	})
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, out, nil
}

func (s *Sandbox) simRefunds(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	want, err := parseListing(r.URL.Query(), refundProcessing, refundSuccess)
	if err != nil {
		return 0, nil, err
	}
	items, next, now := []refundView{}, 0, s.now()
	s.view(func(st *state) {
		for i := min(want.before, len(st.refunds)) - 1; i >= 0; i-- {
			v := viewRefund(st, st.refunds[i], now)
			if (want.mchID != "" && v.MchID != want.mchID) || (want.status != "" && v.Status != want.status) {
				continue
			}
			if len(items) == want.limit {
				next = i + 1
				return
			}
			items = append(items, v)
		}
	})
	return http.StatusOK, page(items, next), nil
}
