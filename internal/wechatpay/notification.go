package wechatpay

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

const (
	aeadAlgorithm = "AEAD_AES_256_GCM"
	maxAAD        = 16
)

type envelope struct {
	ID        string   `json:"id"`
	EventType string   `json:"event_type"`
	Resource  resource `json:"resource"`
}

type resource struct {
	Algorithm    string `json:"algorithm"`
	OriginalType string `json:"original_type"`
	Ciphertext   string `json:"ciphertext"`
	AAD          string `json:"associated_data"`
	Nonce        string `json:"nonce"`
}

// ParseNotification verifies body exactly as it came, opens it and translates
// it. A payment's Report carries the platform's mchid and appid for the caller
// to match; a refund must name this account's mchid, since RefundReport has no
// room for it. An event that is about neither has both reports nil and needs
// no more than an answer. Errors: signature_missing, signature_probe, signature_stale,
// signature_serial_unknown, signature_wrong (Unauthenticated);
// notification_undecryptable, notification_malformed (Malformed).
func (a *Account) ParseNotification(header http.Header, body []byte) (payment.Notification, error) {
	if err := a.verify(header, body); err != nil {
		return payment.Notification{}, err
	}
	return a.read(body)
}

// read opens and translates a body whose signature is good.
func (a *Account) read(body []byte) (payment.Notification, error) {
	var e envelope
	if json.Unmarshal(body, &e) != nil || !wire.Printable(e.ID, 128) || !wire.Printable(e.EventType, 128) {
		return payment.Notification{}, malformed(errAnswer)
	}
	n := payment.Notification{ID: e.ID}
	var err error
	switch kind, _, _ := strings.Cut(e.EventType, "."); kind {
	case "TRANSACTION":
		if e.EventType != "TRANSACTION.SUCCESS" {
			return payment.Notification{}, malformed(errState)
		}
		n.Payment, err = a.openPayment(e.Resource)
	case "REFUND":
		n.Refund, err = a.openRefund(e.Resource)
	}
	if err != nil {
		return payment.Notification{}, err
	}
	return n, nil
}

func (a *Account) openPayment(r resource) (*payment.Report, error) {
	var t transaction
	if err := a.open(r, "transaction", &t); err != nil {
		return nil, err
	}
	if t.MchID == "" || t.AppID == "" {
		return nil, malformed(errMissing)
	}
	report, err := t.report()
	if err != nil {
		return nil, malformed(err)
	}
	return &report, nil
}

func (a *Account) openRefund(r resource) (*payment.RefundReport, error) {
	var f refund
	if err := a.open(r, "refund", &f); err != nil {
		return nil, err
	}
	if f.MchID != a.mchID {
		return nil, malformed(errors.New("the refund names no merchant or another one"))
	}
	report, err := f.report(f.RefundStatus)
	if err != nil {
		return nil, malformed(err)
	}
	return &report, nil
}

// open decrypts a resource and reads it into v.
func (a *Account) open(r resource, kind string, v any) error {
	if r.OriginalType != "" && r.OriginalType != kind {
		return malformed(errors.New("event and resource disagree"))
	}
	plain, err := a.unseal(r)
	if err != nil {
		return err
	}
	if json.Unmarshal(plain, v) != nil {
		return malformed(errAnswer)
	}
	return nil
}

// Acknowledge is the answer that keeps the platform from telling again.
func (a *Account) Acknowledge() (contentType string, body []byte) {
	return "application/json", []byte(`{"code":"SUCCESS"}`)
}

// unseal decrypts what only the platform and the merchant can have sealed.
func (a *Account) unseal(r resource) ([]byte, error) {
	if r.Algorithm != aeadAlgorithm || len(r.Nonce) != a.resource.NonceSize() || len(r.AAD) > maxAAD {
		return nil, undecryptable()
	}
	sealed, err := base64.StdEncoding.Strict().DecodeString(r.Ciphertext)
	if err != nil || len(sealed) < a.resource.Overhead() {
		return nil, undecryptable()
	}
	plain, err := a.resource.Open(nil, []byte(r.Nonce), sealed, []byte(r.AAD))
	if err != nil {
		return nil, undecryptable()
	}
	return plain, nil
}

func malformed(cause error) error {
	return errs.Wrap(cause, errs.Malformed, "notification_malformed", "the notification is not what the protocol promises")
}

func undecryptable() error {
	return errs.New(errs.Malformed, "notification_undecryptable", "the notification cannot be decrypted with this account's API v3 key")
}
