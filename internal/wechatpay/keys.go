package wechatpay

import (
	"crypto/rsa"
	"errors"
	"strings"
	"time"

	"panshi/internal/payment/wire"
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

func parsePlatformKey(serial, text string) (platformKey, error) {
	block, err := wire.OnePEM(text)
	if err != nil {
		return platformKey{}, err
	}
	if block.Type == "CERTIFICATE" && !strings.HasPrefix(serial, PublicKeyPrefix) {
		cert, key, err := wire.ParseCertificate(block)
		if err != nil {
			return platformKey{}, err
		}
		if !strings.EqualFold(cert.SerialNumber.Text(16), strings.TrimLeft(serial, "0")) {
			return platformKey{}, errors.New("the certificate has another serial")
		}
		return platformKey{key, cert.NotBefore, cert.NotAfter}, nil
	}
	key, err := wire.ParsePublicKey(block)
	if err != nil {
		return platformKey{}, errors.Join(err, errors.New("or a certificate under its serial"))
	}
	return platformKey{rsa: key}, nil
}
