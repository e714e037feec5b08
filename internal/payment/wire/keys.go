package wire

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
)

// MinRSABits is the shortest key that is accepted, on either side.
const MinRSABits = 2048

// The parse errors of crypto/x509 are dropped on purpose: they describe key
// bytes, and nobody can act on them.

// ParsePrivateKey reads exactly one unencrypted RSA private key, PKCS #8 or
// PKCS #1, in PEM.
func ParsePrivateKey(text string) (*rsa.PrivateKey, error) {
	block, err := OnePEM(text)
	if err != nil {
		return nil, err
	}
	var key any
	switch block.Type {
	case "PRIVATE KEY":
		key, err = x509.ParsePKCS8PrivateKey(block.Bytes)
	case "RSA PRIVATE KEY":
		key, err = x509.ParsePKCS1PrivateKey(block.Bytes)
	default:
		return nil, errors.New("must be a PEM private key")
	}
	private, ok := key.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("must be an unencrypted RSA private key")
	}
	return private, wantBits(private.N.BitLen())
}

// ParsePublicKey reads the RSA public key of a PEM block of type PUBLIC KEY
// (PKIX) or RSA PUBLIC KEY (PKCS #1).
func ParsePublicKey(block *pem.Block) (*rsa.PublicKey, error) {
	switch block.Type {
	case "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		return asPublicKey(key, err)
	case "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		return asPublicKey(key, err)
	}
	return nil, errors.New("must be a PEM public key")
}

// ParseCertificate reads the certificate of a PEM block, whose key must be
// RSA.
func ParseCertificate(block *pem.Block) (*x509.Certificate, *rsa.PublicKey, error) {
	if block.Type != "CERTIFICATE" {
		return nil, nil, errors.New("must be a PEM certificate")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, nil, errors.New("must be a readable certificate")
	}
	key, err := asPublicKey(cert.PublicKey, nil)
	return cert, key, err
}

func asPublicKey(key any, err error) (*rsa.PublicKey, error) {
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return nil, errors.New("must be an RSA public key")
	}
	return public, wantBits(public.N.BitLen())
}

// OnePEM reads a text that is exactly one PEM block.
func OnePEM(text string) (*pem.Block, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("must be exactly one PEM block")
	}
	return block, nil
}

// Armour puts a key that is bare base64, as some consoles give it out, into
// PEM of a type. What is PEM already, or no base64, stays as it is.
func Armour(text, typ string) string {
	bare := strings.Join(strings.Fields(text), "")
	der, err := base64.StdEncoding.DecodeString(bare)
	if err != nil || bare == "" {
		return text
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: typ, Bytes: der}))
}

func wantBits(n int) error {
	if n < MinRSABits {
		return fmt.Errorf("RSA keys must have at least %d bits, this has %d", MinRSABits, n)
	}
	return nil
}
