package wechatpay

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

const (
	alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	minRSABits   = 2048
)

// platformKey verifies what the platform signs. A certificate's validity
// limits it; a public key has none (zero times).
type platformKey struct {
	rsa                 *rsa.PublicKey
	notBefore, notAfter time.Time
}

func (k platformKey) validAt(t time.Time) bool {
	return k.notAfter.IsZero() || !t.Before(k.notBefore) && !t.After(k.notAfter)
}

// The parse errors of crypto/x509 are dropped on purpose: they describe key
// bytes, and nobody can act on them.

func parsePrivateKey(text string) (*rsa.PrivateKey, error) {
	block, err := onePEM(text)
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

func parsePlatformKey(serial, text string) (platformKey, error) {
	block, err := onePEM(text)
	if err != nil {
		return platformKey{}, err
	}
	switch {
	case block.Type == "CERTIFICATE" && !strings.HasPrefix(serial, PublicKeyPrefix):
		return parseCertificate(serial, block.Bytes)
	case block.Type == "PUBLIC KEY":
		key, err := x509.ParsePKIXPublicKey(block.Bytes)
		return asPlatformKey(key, err)
	case block.Type == "RSA PUBLIC KEY":
		key, err := x509.ParsePKCS1PublicKey(block.Bytes)
		return asPlatformKey(key, err)
	}
	return platformKey{}, errors.New("must be a PEM public key, or a certificate under its serial")
}

func parseCertificate(serial string, der []byte) (platformKey, error) {
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return platformKey{}, errors.New("must be a readable certificate")
	}
	if !strings.EqualFold(cert.SerialNumber.Text(16), strings.TrimLeft(serial, "0")) {
		return platformKey{}, errors.New("the certificate has another serial")
	}
	key, err := asPlatformKey(cert.PublicKey, nil)
	key.notBefore, key.notAfter = cert.NotBefore, cert.NotAfter
	return key, err
}

func asPlatformKey(key any, err error) (platformKey, error) {
	public, ok := key.(*rsa.PublicKey)
	if err != nil || !ok {
		return platformKey{}, errors.New("must be an RSA public key")
	}
	return platformKey{rsa: public}, wantBits(public.N.BitLen())
}

func onePEM(text string) (*pem.Block, error) {
	block, rest := pem.Decode([]byte(text))
	if block == nil || strings.TrimSpace(string(rest)) != "" {
		return nil, errors.New("must be exactly one PEM block")
	}
	return block, nil
}

func wantBits(n int) error {
	if n < minRSABits {
		return fmt.Errorf("RSA keys must have at least %d bits, this has %d", minRSABits, n)
	}
	return nil
}
