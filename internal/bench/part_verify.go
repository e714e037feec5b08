package bench

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
)

// verifySpec is callbacks with the keys that prove and open them.
type verifySpec struct {
	PublicKey string   `json:"public_key"` // PEM
	APIKey    string   `json:"api_key"`
	Callbacks []signed `json:"callbacks"`
}

// signed is a callback as it is sent.
type signed struct {
	Stamp     string `json:"stamp"`
	Nonce     string `json:"nonce"`
	Signature string `json:"signature"`
	Body      []byte `json:"body"`
}

// newVerifier verifies and opens callbacks on all cores: what nobody who
// takes them can leave out.
func newVerifier(raw []byte) (worker, error) {
	var spec verifySpec
	if err := json.Unmarshal(raw, &spec); err != nil {
		return worker{}, err
	}
	block, _ := pem.Decode([]byte(spec.PublicKey))
	if block == nil || len(spec.Callbacks) == 0 {
		return worker{}, errors.New("no key or no callbacks")
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return worker{}, err
	}
	key, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return worker{}, errors.New("no RSA key")
	}
	cell, err := aes.NewCipher([]byte(spec.APIKey))
	if err != nil {
		return worker{}, err
	}
	box, err := cipher.NewGCM(cell)
	if err != nil {
		return worker{}, err
	}
	var seq atomic.Int64
	step := func() (int64, error) {
		const chunk = 16
		for range chunk {
			c := spec.Callbacks[int(seq.Add(1))%len(spec.Callbacks)]
			if err := c.take(key, box); err != nil {
				return 0, err
			}
		}
		return chunk, nil
	}
	return worker{work: func(ctx context.Context, c command) (int64, error) {
		return onAllCores(func() (int64, error) { return c.until(ctx, step) })
	}, close: func() error { return nil }}, nil
}

// onAllCores runs f once a core and adds up.
func onAllCores(f func() (int64, error)) (sum int64, err error) {
	var wg sync.WaitGroup
	var mu sync.Mutex
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			n, err2 := f()
			mu.Lock()
			defer mu.Unlock()
			sum, err = sum+n, errors.Join(err, err2)
		})
	}
	wg.Wait()
	return sum, err
}

func (s signed) take(key *rsa.PublicKey, box cipher.AEAD) error {
	signature, err := base64.StdEncoding.DecodeString(s.Signature)
	if err != nil {
		return err
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(s.Stamp), []byte(s.Nonce), s.Body} {
		h.Write(part)
		h.Write([]byte{'\n'})
	}
	if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, h.Sum(nil), signature); err != nil {
		return err
	}
	var body struct {
		Resource struct {
			Ciphertext string `json:"ciphertext"`
			AAD        string `json:"associated_data"`
			Nonce      string `json:"nonce"`
		} `json:"resource"`
	}
	if err := json.Unmarshal(s.Body, &body); err != nil {
		return err
	}
	sealed, err := base64.StdEncoding.DecodeString(body.Resource.Ciphertext)
	if err != nil {
		return err
	}
	_, err = box.Open(nil, []byte(body.Resource.Nonce), sealed, []byte(body.Resource.AAD))
	return err
}
