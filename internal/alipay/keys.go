package alipay

import (
	"crypto/md5" //nolint:gosec // the platform names certificates by it; nothing rests on it
	"crypto/rsa"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"slices"
	"strings"

	"panshi/internal/errs"
	"panshi/internal/payment/wire"
)

func parsePrivate(text string) (*rsa.PrivateKey, error) {
	if isPEM(text) {
		return wire.ParsePrivateKey(text)
	}
	key, err := wire.ParsePrivateKey(wire.Armour(text, "PRIVATE KEY"))
	if err != nil {
		return wire.ParsePrivateKey(wire.Armour(text, "RSA PRIVATE KEY"))
	}
	return key, nil
}

func parsePublic(text string) (*rsa.PublicKey, error) {
	if !isPEM(text) {
		text = wire.Armour(text, "PUBLIC KEY")
	}
	block, err := wire.OnePEM(text)
	if err != nil {
		return nil, err
	}
	return wire.ParsePublicKey(block)
}

// parseCerts reads the three certificates, and checks that the platform's was
// issued under the root that is held.
func (c Config) parseCerts() (certSerials, *rsa.PublicKey, error) {
	var wrong error
	note := func(field string, err error) {
		if err != nil {
			wrong = errors.Join(wrong, errs.Field(field, codeConfig, err.Error()))
		}
	}
	app, _, err := leaf(c.AppCert)
	note("app_cert", err)
	ours, public, err := leaf(c.AlipayCert)
	note("alipay_cert", err)
	roots, err := chain(c.RootCert)
	note("alipay_root_cert", err)
	if wrong != nil {
		return certSerials{}, nil, wrong
	}
	note("alipay_cert", issuedUnder(ours, chainOf(c.AlipayCert), roots))
	return certSerials{app: serialOf(app), alipay: serialOf(ours), root: rootSerial(roots)}, public, wrong
}

// leaf reads the first certificate of a text.
func leaf(text string) (*x509.Certificate, *rsa.PublicKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, nil, errors.New("must be a PEM certificate")
	}
	return wire.ParseCertificate(block)
}

// chain reads every certificate of a text. Those that Go cannot read (the
// platform's root file has one of SM2) are left out.
func chain(text string) ([]*x509.Certificate, error) {
	certs := chainOf(text)
	if len(certs) == 0 {
		return nil, errors.New("must hold at least one readable PEM certificate")
	}
	return certs, nil
}

func chainOf(text string) []*x509.Certificate {
	var certs []*x509.Certificate
	for rest := []byte(text); ; {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			return certs
		}
		if cert, err := x509.ParseCertificate(block.Bytes); err == nil {
			certs = append(certs, cert)
		}
	}
}

// issuedUnder verifies cert up to one of roots. Its own time counts, not
// today's: an expired certificate is refused when it signs, not when an old
// account is opened.
func issuedUnder(cert *x509.Certificate, between, roots []*x509.Certificate) error {
	pool, middle := x509.NewCertPool(), x509.NewCertPool()
	for _, c := range roots {
		pool.AddCert(c)
	}
	for _, c := range between {
		middle.AddCert(c)
	}
	_, err := cert.Verify(x509.VerifyOptions{
		Roots: pool, Intermediates: middle, CurrentTime: cert.NotBefore, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	return unless(err == nil, "was not issued under the root certificate")
}

// serialOf is the platform's name of a certificate: MD5 over issuer and
// decimal serial number.
func serialOf(cert *x509.Certificate) string {
	sum := md5.Sum([]byte(cert.Issuer.String() + cert.SerialNumber.String())) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// rootSerial joins the names of the roots that sign with RSA.
func rootSerial(roots []*x509.Certificate) string {
	signsRSA := []x509.SignatureAlgorithm{x509.SHA1WithRSA, x509.SHA256WithRSA, x509.SHA384WithRSA, x509.SHA512WithRSA}
	var names []string
	for _, c := range roots {
		if slices.Contains(signsRSA, c.SignatureAlgorithm) {
			names = append(names, serialOf(c))
		}
	}
	return strings.Join(names, "_")
}
