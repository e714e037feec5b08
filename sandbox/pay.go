package sandbox

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// orderRef names a trade as a developer or a buyer would: by its number (and merchant, if the number is not unique)
// or by its code_url.
type orderRef struct {
	OutTradeNo string `json:"out_trade_no"`
	MchID      string `json:"mchid"`
	CodeURL    string `json:"code_url"`
}

func (q orderRef) validate() error {
	if (q.OutTradeNo == "") == (q.CodeURL == "") {
		return errParam("out_trade_no", "give either out_trade_no or code_url")
	}
	if q.CodeURL != "" && tokenOf(q.CodeURL) == "" {
		return errParam("code_url", "must be "+wxCodePrefix+"… or "+aliCodePrefix+"…")
	}
	return nil
}

// find returns the trade that q names.
func (q orderRef) find(st *state) (*trade, error) {
	if q.CodeURL != "" {
		return found(at(st.trades, st.byToken, tokenOf(q.CodeURL)))
	}
	if q.MchID != "" {
		if t := st.tradeOf(channelAlipay, q.MchID, q.OutTradeNo); t != nil {
			return t, nil
		}
		return found(st.order(q.MchID, q.OutTradeNo))
	}
	switch seqs := st.byNo[q.OutTradeNo]; len(seqs) {
	case 0:
		return nil, errNoOrder()
	case 1:
		return st.trades[seqs[0]], nil
	}
	return nil, &apiError{
		Status: http.StatusConflict, Code: "AMBIGUOUS", Field: "mchid",
		Message: "mchid: several merchants use this out_trade_no, name one",
	}
}

func found(t *trade) (*trade, error) {
	if t == nil {
		return nil, errNoOrder()
	}
	return t, nil
}

// tokenOf takes the token out of a code_url, or returns "".
func tokenOf(codeURL string) string {
	if token, ali := strings.CutPrefix(codeURL, aliCodePrefix); ali {
		return token
	}
	u, err := url.Parse(codeURL)
	if err != nil || u.Scheme != "weixin" || u.Host != "wxpay" || u.Path != "/bizpayurl" {
		return ""
	}
	return u.Query().Get("pr")
}

// pay pays the trade that ref names, as its buyer would, and returns it once the payment is durable. A trade paid
// before is returned with paidNow false; the first of several buyers wins.
func (s *Sandbox) pay(ref orderRef) (t *trade, paidNow bool, err error) {
	now := s.now()
	err = s.update(func(st *state) error {
		if t, err = ref.find(st); err != nil || t.paid() {
			return err
		}
		if t.status(now) == stateClosed {
			return errOrderClosed()
		}
		t, paidNow = s.paidTrade(st, t, now), true
		n := s.newNote(st, eventPaid, t.Seq, -1, t.NotifyURL, now, now)
		return s.store.commit(record{Trade: t, Note: n})
	})
	if err != nil {
		return nil, false, err
	}
	return t, paidNow, s.durable()
}

// paidTrade is t with a payment on it.
func (s *Sandbox) paidTrade(st *state, t *trade, now time.Time) *trade {
	paid := *t
	paid.State, paid.PaidAt = stateSuccess, now
	if t.Channel == channelAlipay {
		paid.OpenID, paid.Opened = "2088"+randomString(digits, 12), true
		if paid.TransactionID == "" {
			paid.TransactionID = newAliNo(st, now)
		}
		return &paid
	}
	if paid.OpenID == "" {
		paid.OpenID = "o" + randomString(alphanumeric, 27)
	}
	for paid.TransactionID == "" || at(st.trades, st.byTxn, paid.TransactionID) != nil {
		paid.TransactionID = "4200" + randomString(digits, 24)
	}
	return &paid
}
