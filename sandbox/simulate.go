package sandbox

import (
	"net/http"
	"strconv"
	"time"
)

// devEndpoint answers a developer's request with a status and a value to encode.
type devEndpoint func(http.ResponseWriter, *http.Request) (int, any, error)

// dev wraps a developer endpoint: as plain, and nothing is told before it is durable.
func (s *Sandbox) dev(e devEndpoint) http.HandlerFunc {
	return plain(func(w http.ResponseWriter, r *http.Request) (int, any, error) {
		status, value, err := e(w, r)
		if lost := s.durable(); lost != nil {
			return 0, nil, lost
		}
		return status, value, err
	})
}

// plain answers in JSON, errors in the form of the payment API.
func plain(e devEndpoint) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		status, value, err := e(w, r)
		if err != nil {
			fail := asAPIError(err)
			status, value = fail.Status, fail.body()
		}
		w.Header().Set("Content-Type", "application/json; charset=utf-8")
		w.WriteHeader(status)
		_, _ = w.Write(encode(value)) // the caller has gone: nobody is left to tell
	}
}

func readStrict(w http.ResponseWriter, r *http.Request, dst any) error {
	body, err := readBody(w, r)
	if err != nil {
		return err
	}
	return decodeJSON(body, dst, true)
}

// merchantView is everything that a shop needs to use the sandbox.
type merchantView struct {
	Name        string `json:"name"`
	MchID       string `json:"mchid"`
	AppID       string `json:"app_id"`
	Serial      string `json:"merchant_serial"`
	PrivateKey  string `json:"merchant_private_key"`
	APIKey      string `json:"api_v3_key"`
	PublicKeyID string `json:"public_key_id"`
	PublicKey   string `json:"public_key"`
	CertSerial  string `json:"certificate_serial"`
	Certificate string `json:"certificate"`
	BaseURL     string `json:"base_url"`

	Alipay *aliView `json:"alipay"`
}

func (s *Sandbox) simMerchant(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var q struct {
		Name  string `json:"name"`
		AppOf string `json:"app_of"`
	}
	if err := readStrict(w, r, &q); err != nil {
		return 0, nil, err
	}
	if err := checkText("name", q.Name, 1, 64); err != nil {
		return 0, nil, err
	}
	m, p, err := s.ensureMerchant(q.Name, q.AppOf)
	if err != nil {
		return 0, nil, err
	}
	ali, err := viewAli(m, p.ali, s.baseURL(r))
	if err != nil {
		return 0, nil, err
	}
	return http.StatusOK, merchantView{
		Name: m.Name, MchID: m.MchID, AppID: m.AppID, Serial: m.Serial, PrivateKey: m.PrivateKey, APIKey: m.APIKey,
		PublicKeyID: p.PublicKeyID, PublicKey: p.publicKey, CertSerial: p.CertSerial, Certificate: p.Certificate, BaseURL: s.baseURL(r), Alipay: ali,
	}, nil
}

// ensureMerchant returns the merchant called name, made now if there is none: with the application of another one if
// appOf names that.
func (s *Sandbox) ensureMerchant(name, appOf string) (m *merchant, p *platform, err error) {
	s.view(func(st *state) { m, p = st.byName[name], st.platform })
	if m != nil {
		return m, p, nil
	}
	_, key, err := newKey() // slow, so outside the lock; of two at once the second is thrown away
	if err != nil {
		return nil, nil, err
	}
	err = s.update(func(st *state) error {
		if m = st.byName[name]; m != nil {
			return nil
		}
		m = newMerchant(st, name, key, s.now())
		if appOf != "" {
			sharing := st.byName[appOf]
			if sharing == nil {
				return errParam("app_of", "is not the name of a merchant")
			}
			m.AppID = sharing.AppID
		}
		return s.store.commit(record{Merchant: m})
	})
	return m, p, err
}

func newMerchant(st *state, name, key string, now time.Time) *merchant {
	id := "19" + randomString(digits, 8)
	for st.byMchID[id] != nil {
		id = "19" + randomString(digits, 8)
	}
	return &merchant{
		MchID: id, AppID: "wx" + randomHex(8), Name: name, Serial: randomString("0123456789ABCDEF", 40),
		PrivateKey: key, APIKey: randomString(alphanumeric, 32), CreatedAt: now,
	}
}

func (s *Sandbox) simPay(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var ref orderRef
	if err := readStrict(w, r, &ref); err != nil {
		return 0, nil, err
	}
	if err := ref.validate(); err != nil {
		return 0, nil, err
	}
	t, paidNow, err := s.pay(ref)
	if err != nil {
		return 0, nil, err
	}
	receipt := map[string]any{
		"transaction_id": t.TransactionID, "out_trade_no": t.OutTradeNo, "mchid": t.MchID,
		"amount": t.Total, "currency": t.Currency,
	}
	if !paidNow {
		return 0, nil, &apiError{
			Status: http.StatusConflict, Code: "ALREADY_PAID", Message: "the order is paid already", More: receipt,
		}
	}
	return http.StatusOK, receipt, nil
}

func (s *Sandbox) simFaults(http.ResponseWriter, *http.Request) (int, any, error) {
	return http.StatusOK, s.shownFaults(), nil
}

// shownFaults has an empty list where there is none, so that the answer may be edited and sent back.
func (s *Sandbox) shownFaults() faults {
	f := s.faults.get()
	if f.API.Paths == nil {
		f.API.Paths = []string{}
	}
	return f
}

func (s *Sandbox) simSetFaults(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var f faults
	if err := readStrict(w, r, &f); err != nil {
		return 0, nil, err
	}
	if err := f.validate(); err != nil {
		return 0, nil, err
	}
	s.faults.put(f, s.now())
	return http.StatusOK, s.shownFaults(), nil
}

// simCallback sends callbacks at once and tells what the shop answered. For a trade that nobody paid it is an
// attack: everything is right but for the defect that forge names.
func (s *Sandbox) simCallback(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var q struct {
		orderRef
		OutRefundNo string         `json:"out_refund_no"`
		Forge       string         `json:"forge"`
		Set         map[string]any `json:"set"`
		Times       int            `json:"times"`
		Parallel    bool           `json:"parallel"`
	}
	if err := readStrict(w, r, &q); err != nil {
		return 0, nil, err
	}
	err := firstError(
		q.orderRef.validate,
		func() error { return upTo("times", q.Times, 100) },
		func() error { return checkForge("forge", q.Forge) },
	)
	if err != nil {
		return 0, nil, err
	}
	id := "EV-" + randomHex(14)
	t, rf, err := s.subject(q.orderRef, q.OutRefundNo, q.Forge, len(q.Set) > 0)
	if err == nil {
		err = s.durable()
	}
	if err != nil {
		return 0, nil, err
	}
	results := s.transmit(r.Context(), max(1, q.Times), q.Parallel, func() (d *draft) {
		s.view(func(st *state) { d = newDraft(st, t, rf, s.now()) })
		d.named(id)
		d.forge, d.set = q.Forge, q.Set
		return d
	})
	var fields map[string]any
	s.view(func(st *state) { fields = newDraft(st, t, rf, s.now()).fields() })
	report := callbackReport(id, results)
	report["fields"] = fields
	return http.StatusOK, report, nil
}

// subject finds what a callback on demand is about, with a payment invented for a trade that has none.
func (s *Sandbox) subject(ref orderRef, refundNo, forge string, altered bool) (t *trade, r *refund, err error) {
	s.view(func(st *state) {
		if t, err = ref.find(st); err != nil {
			return
		}
		if refundNo != "" {
			r, err = s.refundToTell(st, t, refundNo)
			return
		}
		if t.paid() {
			return
		}
		if forge == "" && !altered {
			err = &apiError{
				Status: http.StatusConflict, Code: "NOT_PAID", Field: "forge",
				Message: "forge: is required for an order that is not paid, the platform would never confirm it",
			}
			return
		}
		if t.Channel == channelAlipay && forge != "" && !aliForges(forge) {
			err = errParam("forge", "does not exist at Alipay: the callback would be right")
			return
		}
		t = s.paidTrade(st, t, s.now())
	})
	return t, r, err
}

func (s *Sandbox) refundToTell(st *state, t *trade, no string) (*refund, error) {
	r := st.refund(t.MchID, no)
	if r == nil || r.TradeSeq != t.Seq {
		return nil, errNoResource("refund")
	}
	if r.NotifyURL == "" {
		return nil, errInvalid("the refund has no notify_url")
	}
	if r.status(s.now()) != refundSuccess {
		return nil, errInvalid("the refund is still processing")
	}
	return r, nil
}

func callbackReport(id string, results []result) map[string]any {
	statuses, errs := make([]int, len(results)), []string{}
	for i, r := range results {
		statuses[i] = r.Status
		if r.Error != "" {
			errs = append(errs, strconv.Itoa(i)+": "+r.Error)
		}
	}
	return map[string]any{"id": id, "statuses": statuses, "errors": errs}
}
