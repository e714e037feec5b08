package sandbox

import (
	"bytes"
	"encoding/json"
	"net/http"
	"time"
)

// draft is a callback before it is sealed and signed: what it says, to whom, and what is wrong with it.
type draft struct {
	id       string
	event    string
	kind     string // "transaction" or "refund"
	url      string
	merchant *merchant
	content  any // *tradeBody, *refundNotice or *aliNotice
	created  time.Time
	stamp    time.Time // moment of signing that the headers claim
	signer   signer
	forge    string
	stranger string         // mchid of somebody else
	set      map[string]any // members to change, see alter
	ali      *aliIdentity
}

// named gives the callback its number, the same with every attempt.
func (d *draft) named(id string) {
	d.id = id
	if notice, ok := d.content.(*aliNotice); ok {
		notice.form.Set("notify_id", id)
	}
}

// refundNotice is the content of a refund callback.
type refundNotice struct {
	MchID               string             `json:"mchid"`
	OutTradeNo          string             `json:"out_trade_no"`
	TransactionID       string             `json:"transaction_id"`
	OutRefundNo         string             `json:"out_refund_no"`
	RefundID            string             `json:"refund_id"`
	RefundStatus        string             `json:"refund_status"`
	SuccessTime         string             `json:"success_time,omitempty"`
	UserReceivedAccount string             `json:"user_received_account"`
	Amount              refundNoticeAmount `json:"amount"`
}

// refundNoticeAmount is in fen.
type refundNoticeAmount struct {
	Total       int64 `json:"total"`
	Refund      int64 `json:"refund"`
	PayerTotal  int64 `json:"payer_total"`
	PayerRefund int64 `json:"payer_refund"`
}

// envelope is the clear part of a callback.
type envelope struct {
	ID           string           `json:"id"`
	CreateTime   string           `json:"create_time"`
	ResourceType string           `json:"resource_type"`
	EventType    string           `json:"event_type"`
	Summary      string           `json:"summary"`
	Resource     envelopeResource `json:"resource"`
}

type envelopeResource struct {
	OriginalType string `json:"original_type"`
	sealed
}

// message is a callback ready to be sent.
type message struct {
	url    string
	header http.Header
	body   []byte
	// acknowledged tells whether an answer is the one that the platform waits for.
	acknowledged func(status int, body string) bool
}

// compose seals and signs d, with the defect that d.forge names.
func (s *Sandbox) compose(d *draft) (*message, error) {
	d.distort()
	if notice, ok := d.content.(*aliNotice); ok {
		notice.alter(d.set)
		return notice.message(d.ali, d.url, d.forge)
	}
	content, err := alter(d.content, d.set, "")
	if err != nil {
		return nil, err
	}
	box, err := seal(d.merchant.APIKey, d.kind, content)
	if err != nil {
		return nil, err
	}
	if d.forge == "ciphertext" {
		box.Ciphertext = flipFirst(box.Ciphertext)
	}
	body, err := alter(envelope{
		ID: d.id, CreateTime: wxTime(d.created), ResourceType: "encrypt-resource", EventType: d.event,
		Summary: summary(d.event), Resource: envelopeResource{OriginalType: d.kind, sealed: box},
	}, d.set, inEnvelope)
	if err != nil {
		return nil, err
	}
	header, err := s.signature(d.signer, body, d.stamp)
	if err != nil {
		return nil, err
	}
	header.Set("Content-Type", "application/json")
	m := &message{url: d.url, header: header, body: body, acknowledged: succeeded}
	return m, m.spoil(d.forge)
}

func summary(event string) string {
	if event == eventRefunded {
		return "退款成功"
	}
	return "支付成功"
}

// newDraft prepares the callback of a paid trade, or of its refund if r is not nil.
func newDraft(st *state, t *trade, r *refund, now time.Time) *draft {
	d := &draft{
		event: eventPaid, kind: "transaction", url: t.NotifyURL, merchant: st.byMchID[t.MchID],
		content: describeTrade(t, stateSuccess), created: t.PaidAt, stamp: now,
		signer: st.platform.callbackSigner(), stranger: strangerTo(st, t.MchID),
	}
	if t.Channel == channelAlipay {
		d.ali, d.content = st.platform.ali, newAliNotice(t, r, randomHex(17), now)
		return d
	}
	if r != nil {
		d.event, d.kind, d.url, d.created = eventRefunded, "refund", r.NotifyURL, r.DueAt
		d.content = describeRefundNotice(r, t, now)
	}
	return d
}

func describeRefundNotice(r *refund, t *trade, now time.Time) *refundNotice {
	out := &refundNotice{
		MchID: t.MchID, OutTradeNo: t.OutTradeNo, TransactionID: t.TransactionID, OutRefundNo: r.OutRefundNo,
		RefundID: r.RefundID, RefundStatus: r.status(now), UserReceivedAccount: "支付用户零钱",
		Amount: refundNoticeAmount{Total: t.Total, Refund: r.Amount, PayerTotal: t.Total, PayerRefund: r.Amount},
	}
	if out.RefundStatus == refundSuccess {
		out.SuccessTime = wxTime(r.DueAt)
	}
	return out
}

// strangerTo returns the mchid of another merchant, invented if there is none.
func strangerTo(st *state, mchID string) string {
	for _, m := range st.merchants {
		if m.MchID != mchID {
			return m.MchID
		}
	}
	return "18" + randomString(digits, 8)
}

// forgeries lists the defects that a callback can be sent with.
func forgeries() []string {
	return []string{
		"amount", "appid", "ciphertext", "currency", "future", "merchant", "order", "reserialized", "serial",
		"signature", "signtest", "stale", "unsigned",
	}
}

// distort applies the defects that are signed correctly: what a callback says, and when.
func (d *draft) distort() {
	const shift = 10 * time.Minute
	switch d.forge {
	case "stale":
		d.stamp = d.stamp.Add(-shift)
	case "future":
		d.stamp = d.stamp.Add(shift)
	}
	switch c := d.content.(type) {
	case *tradeBody:
		c.distort(d.forge, d.stranger)
	case *refundNotice:
		c.distort(d.forge, d.stranger)
	case *aliNotice:
		c.distort(d.forge, d.stranger)
	}
}

func (c *tradeBody) distort(forge, stranger string) {
	switch forge {
	case "amount":
		c.Amount.Total = otherAmount(c.Amount.Total)
		c.Amount.PayerTotal = c.Amount.Total
	case "currency":
		c.Amount.Currency, c.Amount.PayerCurrency = "JPY", "JPY"
	case "merchant":
		c.MchID = stranger
	case "appid":
		c.AppID = "wx" + randomHex(8)
	case "order":
		c.OutTradeNo = "X" + randomString(digits, 20)
	}
}

func (c *refundNotice) distort(forge, stranger string) {
	switch forge {
	case "amount":
		c.Amount.Refund = otherAmount(c.Amount.Refund)
		c.Amount.PayerRefund = c.Amount.Refund
	case "merchant":
		c.MchID = stranger
	case "order":
		c.OutTradeNo = "X" + randomString(digits, 20)
	}
}

// otherAmount is one fen, which an attacker would like to have paid, or two where one was due.
func otherAmount(fen int64) int64 {
	if fen == 1 {
		return 2
	}
	return 1
}

// spoil applies the defects that no holder of the platform key would make.
func (m *message) spoil(forge string) error {
	switch forge {
	case "signature":
		m.header.Set("Wechatpay-Signature", encodeBase64(randomBytes(keyBits/8)))
	case "signtest":
		m.header.Set("Wechatpay-Signature", "WECHATPAY/SIGNTEST/"+encodeBase64(randomBytes(keyBits/8)))
	case "serial":
		m.header.Set("Wechatpay-Serial", "PUB_KEY_ID_0"+randomString(digits, 27))
	case "unsigned":
		m.header = http.Header{"Content-Type": {"application/json"}}
	case "reserialized":
		var out bytes.Buffer
		if err := json.Indent(&out, m.body, "", "  "); err != nil {
			return err
		}
		m.body = out.Bytes()
	}
	return nil
}

// flipFirst changes the first character of base64 text to another one.
func flipFirst(text string) string {
	if text[0] == 'A' {
		return "B" + text[1:]
	}
	return "A" + text[1:]
}
