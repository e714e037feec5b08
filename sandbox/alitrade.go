package sandbox

import (
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// aliOrder is the biz_content of precreate, wap.pay and page.pay. Members that do not matter here are accepted.
type aliOrder struct {
	OutTradeNo string `json:"out_trade_no"`
	Total      string `json:"total_amount"` // yuan
	Subject    string `json:"subject"`
	Product    string `json:"product_code"`
	TimeExpire string `json:"time_expire"`
}

// trade checks an order and makes the trade of it.
func (q *aliOrder) trade(c *aliCall) (*trade, error) {
	if err := firstError(
		func() error { return checkNumber("out_trade_no", q.OutTradeNo, 1, 64, "_") },
		func() error { return checkText("subject", q.Subject, 1, 256) },
		func() error { return checkURL("notify_url", c.form.Get("notify_url")) },
	); err != nil {
		return nil, err
	}
	fen, err := fenOf(q.Total)
	if err != nil {
		return nil, errAliParam("total_amount: must be yuan from 0.01 to 100000000 with two decimals")
	}
	expires := c.now.Add(15 * 24 * time.Hour)
	if q.TimeExpire != "" {
		if expires, err = time.ParseInLocation(aliTime, q.TimeExpire, beijing()); err != nil || !expires.After(c.now) {
			return nil, errAliParam("time_expire: must be a time to come such as 2026-05-04 11:17:01")
		}
	}
	sum, err := fingerprint([]byte(c.form.Get("biz_content")))
	if err != nil {
		return nil, err
	}
	return &trade{
		Channel: channelAlipay, MchID: c.merchant.MchID, AppID: c.merchant.aliAppID(), OutTradeNo: q.OutTradeNo,
		Description: q.Subject, NotifyURL: c.form.Get("notify_url"), ReturnURL: c.form.Get("return_url"), Total: fen, Currency: "CNY",
		Token: randomString(alphanumeric, 16), Fingerprint: sum, CreatedAt: c.now, ExpiresAt: expires, State: stateNotPaid,
	}, nil
}

// aliPrecreate makes a code. Of its trade nobody knows until somebody scans it, as at the real platform.
func (s *Sandbox) aliPrecreate(c *aliCall) (map[string]any, error) {
	t, err := s.aliPlace(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{"out_trade_no": t.OutTradeNo, "qr_code": t.codeURL()}, nil
}

// aliPage leads a browser that came to pay to the trade's page.
func (s *Sandbox) aliPage(w http.ResponseWriter, r *http.Request) {
	fault := s.faults.nextAPI(r.Form.Get("method"), "", s.now())
	if !pause(r.Context(), fault.hang) {
		return
	}
	var t *trade
	c, err := s.aliAuthenticate(r)
	if err == nil && fault.fail == nil {
		t, err = s.aliPlace(c)
	}
	if err != nil || fault.fail != nil || fault.garbage || s.durable() != nil {
		http.Error(w, "the payment page cannot be shown", http.StatusServiceUnavailable)
		return
	}
	q := url.Values{"pr": {t.Token}}
	if t.ReturnURL != "" {
		q.Set("return_url", t.ReturnURL)
	}
	http.Redirect(w, r, "/scan?"+q.Encode(), http.StatusSeeOther)
}

// aliPlace records a trade, or finds the one that the same order recorded before.
func (s *Sandbox) aliPlace(c *aliCall) (*trade, error) {
	var q aliOrder
	if err := c.content(&q); err != nil {
		return nil, err
	}
	if want := aliPages()[c.form.Get("method")]; want != "" && q.Product != want {
		return nil, errAliParam("product_code: must be " + want)
	}
	t, err := q.trade(c)
	if err != nil {
		return nil, err
	}
	err = s.update(func(st *state) error {
		old := st.tradeOf(channelAlipay, t.MchID, t.OutTradeNo)
		switch {
		case old == nil:
			t.Seq = len(st.trades)
			return s.store.commit(record{Trade: t})
		case old.paid():
			return errAli("TRADE_HAS_SUCCESS", "the trade is paid")
		case old.status(c.now) == stateClosed:
			return errAli("TRADE_HAS_CLOSE", "the trade is closed")
		case old.Fingerprint != t.Fingerprint:
			return errAli("CONTEXT_INCONSISTENT", "out_trade_no is in use with other parameters")
		}
		t = old
		return nil
	})
	return t, err
}

// opened notes that a buyer came: from then on the trade exists for the merchant.
func (s *Sandbox) opened(t *trade) (*trade, error) {
	if t.Channel != channelAlipay || t.Opened {
		return t, nil
	}
	err := s.update(func(st *state) error {
		if t = st.trades[t.Seq]; t.Opened {
			return nil
		}
		seen := *t
		seen.Opened, seen.TransactionID = true, newAliNo(st, s.now())
		t = &seen
		return s.store.commit(record{Trade: t})
	})
	return t, err
}

// newAliNo is a number of the platform's: the day and 20 digits.
func newAliNo(st *state, now time.Time) string {
	for {
		no := now.In(beijing()).Format("20060102") + randomString(digits, 20)
		if at(st.trades, st.byTxn, no) == nil {
			return no
		}
	}
}

// aliFind returns the trade that a request names, if a buyer opened it.
func (s *Sandbox) aliFind(c *aliCall, no, transaction string) (t *trade, err error) {
	s.view(func(st *state) {
		if no != "" {
			t = st.tradeOf(channelAlipay, c.merchant.MchID, no)
		} else {
			t = st.transaction(c.merchant.MchID, transaction)
		}
	})
	if t == nil || t.Channel != channelAlipay || !t.Opened {
		return nil, errAli("TRADE_NOT_EXIST", "no such trade")
	}
	return t, nil
}

// aliRef names a trade.
type aliRef struct {
	OutTradeNo string `json:"out_trade_no"`
	TradeNo    string `json:"trade_no"`
}

func (s *Sandbox) aliQuery(c *aliCall) (map[string]any, error) {
	var q aliRef
	if err := c.content(&q); err != nil {
		return nil, err
	}
	t, err := s.aliFind(c, q.OutTradeNo, q.TradeNo)
	if err != nil {
		return nil, err
	}
	out := map[string]any{
		"out_trade_no": t.OutTradeNo, "trade_no": t.TransactionID, "trade_status": t.aliStatus(c.now),
		"total_amount": yuanOf(t.Total), "buyer_logon_id": "159****5620",
	}
	if t.paid() {
		out["send_pay_date"] = t.PaidAt.In(beijing()).Format(aliTime)
		out["receipt_amount"], out["buyer_pay_amount"] = yuanOf(t.Total), yuanOf(t.Total)
	}
	return out, nil
}

// aliStatus spells a trade's state; one that was wholly given back is closed.
func (t *trade) aliStatus(now time.Time) string {
	switch {
	case t.paid() && t.Refunded == t.Total, t.status(now) == stateClosed:
		return "TRADE_CLOSED"
	case t.paid():
		return "TRADE_SUCCESS"
	}
	return "WAIT_BUYER_PAY"
}

func (s *Sandbox) aliClose(c *aliCall) (map[string]any, error) {
	var q aliRef
	if err := c.content(&q); err != nil {
		return nil, err
	}
	t, err := s.aliFind(c, q.OutTradeNo, q.TradeNo)
	if err != nil {
		return nil, err
	}
	err = s.update(func(st *state) error {
		t = st.trades[t.Seq]
		switch {
		case t.paid():
			return errAli("TRADE_STATUS_ERROR", "the trade is paid")
		case t.State == stateClosed:
			return errAli("TRADE_HAS_CLOSE", "the trade is closed")
		}
		closed := *t
		closed.State = stateClosed
		return s.store.commit(record{Trade: &closed})
	})
	return map[string]any{"out_trade_no": t.OutTradeNo, "trade_no": t.TransactionID}, err
}

// fenOf reads yuan with at most two decimals; yuanOf writes them.
func fenOf(text string) (int64, error) {
	whole, part, _ := strings.Cut(text, ".")
	if len(part) > 2 || whole == "" || strings.Trim(whole+part, digits) != "" {
		return 0, errAliParam("not an amount")
	}
	fen, err := strconv.ParseInt(whole+part+strings.Repeat("0", 2-len(part)), 10, 64)
	if err != nil || fen < 1 || fen > maxTotal {
		return 0, errAliParam("not an amount")
	}
	return fen, nil
}

func yuanOf(fen int64) string {
	sign := ""
	if fen < 0 {
		sign, fen = "-", -fen
	}
	return sign + strconv.FormatInt(fen/100, 10) + "." + strconv.FormatInt(fen%100/10, 10) + strconv.FormatInt(fen%10, 10)
}
