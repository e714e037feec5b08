package bench

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/alipay"
	"panshi/internal/clock"
	"panshi/internal/id"
	"panshi/internal/vault"
)

const (
	cryptoTimes   = 200  // each step is done so often, one after the other
	callbackBytes = 1200 // about what a callback has
	resourceBytes = 600  // about what is sealed in it
	cardBytes     = 64   // about what a card key has
)

// step is one cryptographic operation that a sale costs.
type step struct {
	name, about string
	do          func() error
}

// crypto shows what each cryptographic step of a payment costs by itself, to
// stand beside what a callback costs in all.
func (r *run) crypto() error {
	steps, err := cryptoSteps()
	if err != nil {
		return err
	}
	for _, s := range steps {
		cost, err := s.cost()
		if err != nil {
			return err
		}
		r.figure(Figure{s.name, 0, cost, "µs", s.about})
	}
	return nil
}

// cost is the median of a step in microseconds.
func (s step) cost() (float64, error) {
	took := make([]time.Duration, cryptoTimes)
	for i := range took {
		begin := time.Now()
		if err := s.do(); err != nil {
			return 0, err
		}
		took[i] = time.Since(begin)
	}
	slices.Sort(took)
	return us(took[len(took)/2]), nil
}

func cryptoSteps() ([]step, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	message := make([]byte, callbackBytes)
	sum := sha256.Sum256(message)
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, err
	}
	steps := []step{
		{"rsa_sign", "RSA 2048 with SHA-256 over a request: one for each question to a platform", func() error {
			sum := sha256.Sum256(message)
			_, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
			return err
		}},
		{"rsa_verify", "the same verified: one for each answer and callback", func() error {
			sum := sha256.Sum256(message)
			return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], sig)
		}},
	}
	open, err := opening()
	if err != nil {
		return nil, err
	}
	ali, err := alipayStep(key)
	if err != nil {
		return nil, err
	}
	sealing, err := vaultSteps()
	return append(append(steps, open, ali), sealing...), err
}

// alipayStep is what a notification of Alipay costs until it is believed, by
// the shop's own code: key is the platform's, and the application's too.
func alipayStep(key *rsa.PrivateKey) (step, error) {
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return step{}, err
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return step{}, err
	}
	account, err := alipay.New(alipay.Config{
		BaseURL: alipay.ProductionURL, AppID: "2021000000000001", SellerID: "2088000000000001",
		AppKeyPEM: base64.StdEncoding.EncodeToString(private), PublicKey: base64.StdEncoding.EncodeToString(public),
	}, &http.Client{}, clock.System{})
	if err != nil {
		return step{}, err
	}
	form, err := notification(key)
	if err != nil {
		return step{}, err
	}
	return step{"alipay_verify", "an Alipay notification read from its form and verified (RSA2): one for each of its callbacks", func() error {
		_, err := account.ParseNotification(nil, form)
		return err
	}}, nil
}

// notification is a form such as Alipay sends, signed.
func notification(key *rsa.PrivateKey) ([]byte, error) {
	form := url.Values{}
	for name, value := range map[string]string{
		"app_id": "2021000000000001", "seller_id": "2088000000000001", "notify_id": rand.Text(), "notify_type": "trade_status_sync",
		"notify_time": "2026-05-04 11:02:01", "gmt_create": "2026-05-04 11:01:00", "gmt_payment": "2026-05-04 11:02:00",
		"charset": "utf-8", "version": "1.0", "out_trade_no": "P20260504000000000001", "trade_no": "2026050422001400000000000001",
		"trade_status": "TRADE_SUCCESS", "total_amount": "19.99", "receipt_amount": "19.99", "invoice_amount": "19.99",
		"buyer_pay_amount": "19.99", "point_amount": "0.00", "buyer_id": "2088000000000002", "buyer_logon_id": "159****5620",
		"subject": "card", "fund_bill_list": `[{"amount":"19.99","fundChannel":"ALIPAYACCOUNT"}]`,
	} {
		form.Set(name, value)
	}
	lines := make([]string, 0, len(form))
	for _, name := range slices.Sorted(maps.Keys(form)) {
		lines = append(lines, name+"="+form.Get(name))
	}
	sum := sha256.Sum256([]byte(strings.Join(lines, "&")))
	sig, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	form.Set("sign", base64.StdEncoding.EncodeToString(sig))
	form.Set("sign_type", "RSA2")
	return []byte(form.Encode()), err
}

// opening is what the sealed part of a callback costs.
func opening() (step, error) {
	block, err := aes.NewCipher(make([]byte, 32))
	if err != nil {
		return step{}, err
	}
	box, err := cipher.NewGCM(block)
	if err != nil {
		return step{}, err
	}
	nonce := []byte(rand.Text()[:box.NonceSize()])
	sealed := box.Seal(nil, nonce, make([]byte, resourceBytes), nil)
	return step{"gcm_decrypt", "AES-256-GCM over the sealed part of a callback: one for each callback", func() error {
		_, err := box.Open(nil, nonce, sealed, nil)
		return err
	}}, nil
}

// vaultSteps are what a card key costs, by the vault's own code under keys that
// are thrown away.
func vaultSteps() ([]step, error) {
	dir, err := os.MkdirTemp("", "panshi-bench-vault-")
	if err != nil {
		return nil, err
	}
	v, err := vault.Create(vault.DefaultConfig(filepath.Join(dir, "shop")))
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return nil, err
	}
	cell := vault.Cell{Table: "cards", Column: "content_sealed", Row: id.New()}
	card := make([]byte, cardBytes)
	sealed, err := v.Seal(vault.Cards, cell, card)
	if err != nil {
		return nil, err
	}
	return []step{
		{"vault_seal", "a card key sealed: one for each that is imported", func() error {
			_, err := v.Seal(vault.Cards, cell, card)
			return err
		}},
		{"vault_unseal", "and unsealed: one for each that is revealed; settling a callback unseals none", func() error {
			_, err := v.Unseal(vault.Cards, cell, sealed)
			return err
		}},
	}, nil
}
