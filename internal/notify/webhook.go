package notify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strconv"

	"panshi/internal/clock"
)

// Headers of a webhook. The signature is over the timestamp, a dot and the
// body, so that a receiver can refuse what is forged, altered or old.
const (
	HeaderDelivery  = "Panshi-Delivery"  // the message's id, the same in a repeat
	HeaderTimestamp = "Panshi-Timestamp" // Unix seconds
	HeaderSignature = "Panshi-Signature" // v1=<hex HMAC-SHA256>
)

// webhook posts messages as JSON.
type webhook struct {
	cfg   ChannelConfig
	way   Way
	clock clock.Clock
}

// Sign is the value of HeaderSignature.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp + "."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Send implements Channel: any answer of 2xx is a yes.
func (w webhook) Send(ctx context.Context, m Message) error {
	u, err := w.cfg.address()
	if err != nil {
		return err
	}
	secret, err := w.cfg.secret()
	if err != nil {
		return err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return err
	}
	timestamp := strconv.FormatInt(w.clock.Now().Unix(), 10)
	status, answer, err := post(ctx, w.way, u, map[string]string{
		HeaderDelivery: m.ID, HeaderTimestamp: timestamp, HeaderSignature: Sign(secret, timestamp, body),
	}, body)
	if err != nil {
		return err
	}
	return wantOK(status, hide(string(answer), u, secret))
}
