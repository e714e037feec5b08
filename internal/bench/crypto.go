package bench

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"time"

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
	sealing, err := vaultSteps()
	return append(append(steps, open), sealing...), err
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
