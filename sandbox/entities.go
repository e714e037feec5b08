package sandbox

import (
	"crypto/rsa"
	"fmt"
	"time"
)

// Trade states of the protocol.
const (
	stateNotPaid = "NOTPAY"
	stateSuccess = "SUCCESS"
	stateRefund  = "REFUND"
	stateClosed  = "CLOSED"
)

const (
	refundProcessing = "PROCESSING"
	refundSuccess    = "SUCCESS"
)

// What the texts of QR codes begin with.
const (
	wxCodePrefix  = "weixin://wxpay/bizpayurl?pr="
	aliCodePrefix = "https://qr.alipay.com/bax"
)

const (
	eventPaid     = "TRANSACTION.SUCCESS"
	eventRefunded = "REFUND.SUCCESS"
)

// merchant is a shop known to the platform. The platform keeps the private key only because a developer may ask for
// it again; it verifies with the public half.
type merchant struct {
	MchID      string    `json:"mchid"`
	AppID      string    `json:"app_id"`
	Name       string    `json:"name"`
	Serial     string    `json:"serial"`
	PrivateKey string    `json:"private_key"` // PKCS #8 PEM
	APIKey     string    `json:"api_v3_key"`  // 32 characters
	CreatedAt  time.Time `json:"created_at"`

	public *rsa.PublicKey
}

func (m *merchant) parse() error {
	key, err := parseKey(m.PrivateKey)
	if err != nil {
		return fmt.Errorf("merchant key: %w", err)
	}
	m.public = &key.PublicKey
	return nil
}

// trade is one order at the platform. Amounts are fen.
type trade struct {
	Seq         int       `json:"seq"`
	Channel     string    `json:"channel,omitempty"` // channelAlipay, or empty for WeChat Pay
	Kind        string    `json:"kind,omitempty"`    // native (or empty), jsapi, h5
	MchID       string    `json:"mchid"`
	AppID       string    `json:"appid"`
	OutTradeNo  string    `json:"out_trade_no"`
	Description string    `json:"description"`
	Attach      string    `json:"attach,omitempty"`
	NotifyURL   string    `json:"notify_url"`
	Total       int64     `json:"total"`
	Currency    string    `json:"currency"`
	ReturnURL   string    `json:"return_url,omitempty"`
	Opened      bool      `json:"opened,omitempty"` // Alipay: a buyer has seen it
	Token       string    `json:"token"`            // of the code_url
	Fingerprint string    `json:"fingerprint"`      // of the request that made it
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`

	State         string    `json:"state"` // as recorded; see status
	TransactionID string    `json:"transaction_id,omitempty"`
	OpenID        string    `json:"openid,omitempty"`
	PaidAt        time.Time `json:"paid_at,omitzero"`
	Refunded      int64     `json:"refunded,omitempty"` // sum of accepted refunds
}

func (t *trade) key() orderKey { return orderKey{t.Channel, t.MchID, t.OutTradeNo} }

// kind is the trade_type of WeChat Pay.
func (t *trade) kind() string {
	switch t.Kind {
	case "jsapi":
		return "JSAPI"
	case "h5":
		return "MWEB"
	}
	return "NATIVE"
}

// codeURL is the text of the trade's QR code.
func (t *trade) codeURL() string {
	if t.Channel == channelAlipay {
		return aliCodePrefix + t.Token
	}
	return wxCodePrefix + t.Token
}

// status is the state at a moment: an unpaid trade past its expiry is closed without anybody closing it.
func (t *trade) status(now time.Time) string {
	if t.State == stateNotPaid && !now.Before(t.ExpiresAt) {
		return stateClosed
	}
	return t.State
}

func (t *trade) paid() bool { return t.State == stateSuccess || t.State == stateRefund }

// refund gives money of a trade back. It succeeds by the passing of time. Amounts are fen.
type refund struct {
	Seq         int       `json:"seq"`
	TradeSeq    int       `json:"trade_seq"`
	OutRefundNo string    `json:"out_refund_no"`
	RefundID    string    `json:"refund_id"`
	Amount      int64     `json:"amount"`
	Reason      string    `json:"reason,omitempty"`
	NotifyURL   string    `json:"notify_url,omitempty"`
	Fingerprint string    `json:"fingerprint"`
	CreatedAt   time.Time `json:"created_at"`
	DueAt       time.Time `json:"due_at"`
}

func (r *refund) status(now time.Time) string {
	if now.Before(r.DueAt) {
		return refundProcessing
	}
	return refundSuccess
}

// note is a callback that the platform owes, from its first attempt to its last.
type note struct {
	Seq       int       `json:"seq"`
	ID        string    `json:"id"`
	Event     string    `json:"event"`
	TradeSeq  int       `json:"trade_seq"`
	RefundSeq int       `json:"refund_seq"` // -1 for payments
	URL       string    `json:"url"`
	CreatedAt time.Time `json:"created_at"`
	NextAt    time.Time `json:"next_at"`
	Rank      int       `json:"rank"` // order among callbacks due at one moment
	Tries     int       `json:"tries"`
	History   []attempt `json:"history,omitempty"` // the newest ones
	Delivered bool      `json:"delivered"`
	Done      bool      `json:"done"` // delivered, or the schedule is exhausted
}

// attempt is one try to deliver a callback. Status 0 means that no HTTP answer came.
type attempt struct {
	At     time.Time `json:"at"`
	Status int       `json:"status"`
	Error  string    `json:"error,omitempty"`
	Forge  string    `json:"forge,omitempty"`
	// Acknowledged: the answer was the one that the platform waits for.
	Acknowledged bool `json:"acknowledged,omitempty"`
}
