package wechatpay

import (
	"context"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"panshi/internal/errs"
)

const (
	// codeSerial is the refusal that new certificates may cure.
	codeSerial = "signature_serial_unknown"
	// renewAhead: a new platform certificate is told about this long before the
	// old one ends (docs/merchant/development/interface-rules/wechatpay-certificates.html
	// asks merchants to look at least every 12 hours).
	renewAhead = 30 * 24 * time.Hour
	// lookAnew is how old the platform's word about its certificates may get.
	lookAnew = 12 * time.Hour
	// maxCertificates bounds an answer: there are two while one follows the other.
	maxCertificates = 16
)

var errForeignKeys = errors.New("the certificates are not signed by one of them, nor by a key in hand")

// Renew asks the platform for its certificates if what is in hand is old or
// ends soon. An account that verifies by public keys only has nothing to renew:
// they never end, and the platform tells such merchants of no certificates.
// The error is payment's, and the keys in hand stay as they are.
func (a *Account) Renew(ctx context.Context) error {
	now := a.clock.Now()
	if !a.stale(now) || !a.platform.mayAsk(now) {
		return nil
	}
	return a.askCertificates(ctx)
}

// RenewFor asks too, once in a minute at most, if err says that a message was
// signed under a serial that is not in hand. It tells whether there may be new
// certificates, so that the message should be read again.
func (a *Account) RenewFor(ctx context.Context, header http.Header, err error) bool {
	// A public key cannot be asked for: a person takes it from the merchant platform.
	if errs.CodeOf(err) != codeSerial || strings.HasPrefix(header.Get("Wechatpay-Serial"), PublicKeyPrefix) {
		return false
	}
	return a.platform.mayAsk(a.clock.Now()) && a.askCertificates(ctx) == nil
}

// stale tells whether certificates are used here and should be looked at.
func (a *Account) stale(now time.Time) bool {
	certs := a.platform.certificates()
	newest := time.Time{}
	for _, c := range certs {
		if c.notAfter.After(newest) {
			newest = c.notAfter
		}
	}
	if len(certs) == 0 {
		return false
	}
	a.platform.mu.Lock()
	defer a.platform.mu.Unlock()
	return newest.Sub(now) < renewAhead || now.Sub(a.platform.asked) >= lookAnew
}

// prove is verify, with one question for new certificates between two tries.
func (a *Account) prove(ctx context.Context, h http.Header, body []byte) error {
	err := a.verify(h, body)
	if err != nil && a.RenewFor(ctx, h, err) {
		return a.verify(h, body)
	}
	return err
}

// askCertificates asks, and believes an answer that was sealed under the API v3
// key, which none but the platform and the merchant have, and signed under a key
// in hand or one of the certificates in it: the first answer has no other proof.
func (a *Account) askCertificates(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	got, err := a.roundTrip(ctx, call{method: http.MethodGet, uri: "/v3/certificates", want: http.StatusOK})
	if err != nil {
		return busy(networkCause(ctx, err))
	}
	if len(got.body) > maxAnswer {
		return busy(errAnswer)
	}
	if got.status != http.StatusOK {
		if err := a.verify(got.header, got.body); err != nil {
			return busy(fmt.Errorf("HTTP %d: %w", got.status, err))
		}
		return got.refusal()
	}
	told, err := a.openCertificates(got.body)
	if err != nil {
		return busy(err)
	}
	find := func(serial string, at time.Time) (platformKey, bool) {
		if key, ok := told[serial]; ok {
			return key, key.validAt(at)
		}
		return a.platform.find(serial, at)
	}
	if err := a.verifyBy(find, got.header, got.body); err != nil {
		return busy(errors.Join(errForeignKeys, err))
	}
	a.platform.tell(told)
	return nil
}

// openCertificates reads the certificates of an answer. It is the one place
// where a body is read before its signature is proven: each certificate is
// believed for its seal, and no other word of the body is used.
func (a *Account) openCertificates(body []byte) (map[string]platformKey, error) {
	var said struct {
		Data []struct {
			Serial string   `json:"serial_no"`
			Sealed resource `json:"encrypt_certificate"`
		} `json:"data"`
	}
	if json.Unmarshal(body, &said) != nil || len(said.Data) == 0 || len(said.Data) > maxCertificates {
		return nil, errAnswer
	}
	told := make(map[string]platformKey, len(said.Data))
	for _, c := range said.Data {
		text, err := a.unseal(c.Sealed)
		if err != nil {
			return nil, err
		}
		block, _ := pem.Decode(text)
		if block == nil || block.Type != "CERTIFICATE" || strings.HasPrefix(c.Serial, PublicKeyPrefix) {
			return nil, errAnswer
		}
		if told[c.Serial], err = parsePlatformKey(c.Serial, string(text)); err != nil {
			return nil, err
		}
	}
	return told, nil
}
