package sandbox

import (
	"crypto/md5" //nolint:gosec // Alipay names certificates by it; nothing rests on it
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

// aliKeys is the Alipay side's identity as it is stored: a root, and a key with a certificate under it.
type aliKeys struct {
	RootKey     string `json:"root_key"` // PKCS #8 PEM
	Root        string `json:"root"`     // PEM
	PrivateKey  string `json:"private_key"`
	Certificate string `json:"certificate"`
}

// aliIdentity is aliKeys, parsed.
type aliIdentity struct {
	rootKey, key *rsa.PrivateKey
	root, cert   *x509.Certificate
	publicKey    string // PKIX PEM
}

func newAliKeys() (*aliKeys, error) {
	rootKey, rootKeyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	key, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	now := time.Now()
	root := aliTemplate("Panshi sandbox root", big.NewInt(1), now)
	root.IsCA, root.BasicConstraintsValid, root.KeyUsage = true, true, x509.KeyUsageCertSign
	rootPEM, err := issue(root, root, &rootKey.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	certPEM, err := issue(aliTemplate("Panshi sandbox Alipay", big.NewInt(2), now), root, &key.PublicKey, rootKey)
	if err != nil {
		return nil, err
	}
	return &aliKeys{RootKey: rootKeyPEM, Root: rootPEM, PrivateKey: keyPEM, Certificate: certPEM}, nil
}

func aliTemplate(name string, serial *big.Int, from time.Time) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: serial, NotBefore: from.Add(-time.Hour), NotAfter: from.AddDate(10, 0, 0),
		Subject:  pkix.Name{CommonName: name, Organization: []string{"Simulator"}, Country: []string{"CN"}},
		KeyUsage: x509.KeyUsageDigitalSignature,
	}
}

func issue(cert, parent *x509.Certificate, public *rsa.PublicKey, key *rsa.PrivateKey) (string, error) {
	der, err := x509.CreateCertificate(rand.Reader, cert, parent, public, key)
	if err != nil {
		return "", fmt.Errorf("sandbox: certificate: %w", err)
	}
	return encodePEM("CERTIFICATE", der), nil
}

func (k *aliKeys) parse() (*aliIdentity, error) {
	out := &aliIdentity{}
	var err error
	if out.rootKey, err = parseKey(k.RootKey); err != nil {
		return nil, fmt.Errorf("alipay root key: %w", err)
	}
	if out.key, err = parseKey(k.PrivateKey); err != nil {
		return nil, fmt.Errorf("alipay key: %w", err)
	}
	if out.root, err = parseCert(k.Root); err != nil {
		return nil, fmt.Errorf("alipay root: %w", err)
	}
	if out.cert, err = parseCert(k.Certificate); err != nil {
		return nil, fmt.Errorf("alipay certificate: %w", err)
	}
	out.publicKey, err = publicPEM(&out.key.PublicKey)
	return out, err
}

func parseCert(text string) (*x509.Certificate, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	return x509.ParseCertificate(block.Bytes)
}

// appCert is the certificate of a merchant's application. It is issued anew each time, always under the same serial,
// which is all that it is known by.
func (a *aliIdentity) appCert(m *merchant) (*x509.Certificate, error) {
	serial, ok := new(big.Int).SetString(m.aliAppID(), 10)
	if !ok {
		return nil, errors.New("sandbox: an app_id is a number")
	}
	text, err := issue(aliTemplate(m.Name, serial, a.root.NotBefore), a.root, m.public, a.rootKey)
	if err != nil {
		return nil, err
	}
	return parseCert(text)
}

// aliSerial is Alipay's name of a certificate: MD5 over issuer and decimal serial number.
func aliSerial(cert *x509.Certificate) string {
	sum := md5.Sum([]byte(cert.Issuer.String() + cert.SerialNumber.String())) //nolint:gosec // as above
	return hex.EncodeToString(sum[:])
}

// aliAppID and aliSellerID are a merchant's numbers at Alipay; they follow from its number at WeChat Pay.
func (m *merchant) aliAppID() string    { return "202100" + m.MchID }
func (m *merchant) aliSellerID() string { return "208800" + m.MchID }

// aliView is everything that a shop needs to take Alipay, in either mode.
type aliView struct {
	AppID      string `json:"app_id"`
	SellerID   string `json:"seller_id"`
	AppKey     string `json:"app_private_key"`
	PublicKey  string `json:"alipay_public_key"`
	AppCert    string `json:"app_cert"`
	AlipayCert string `json:"alipay_cert"`
	RootCert   string `json:"alipay_root_cert"`
	Gateway    string `json:"gateway"`
}

func viewAli(m *merchant, ali *aliIdentity, baseURL string) (*aliView, error) {
	app, err := ali.appCert(m)
	if err != nil {
		return nil, err
	}
	return &aliView{
		AppID: m.aliAppID(), SellerID: m.aliSellerID(), AppKey: m.PrivateKey, PublicKey: ali.publicKey,
		AppCert: encodePEM("CERTIFICATE", app.Raw), AlipayCert: encodePEM("CERTIFICATE", ali.cert.Raw),
		RootCert: encodePEM("CERTIFICATE", ali.root.Raw), Gateway: baseURL + aliPath,
	}, nil
}
