package sandbox

import (
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"time"
)

const (
	digits       = "0123456789"
	alphanumeric = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	keyBits      = 2048
)

// signer is a private key and the serial under which its public half is known.
type signer struct {
	serial string
	key    *rsa.PrivateKey
}

func (s signer) sign(message string) (string, error) {
	sum := sha256.Sum256([]byte(message))
	sig, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sandbox: sign: %w", err)
	}
	return encodeBase64(sig), nil
}

func verifies(key *rsa.PublicKey, message, signature string) bool {
	sig, err := base64.StdEncoding.DecodeString(signature)
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(message))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], sig) == nil
}

// platform is the platform's own identity: one key pair for the public-key mode and one behind a certificate.
type platform struct {
	PublicKeyID string   `json:"public_key_id"`
	PrivateKey  string   `json:"private_key"` // PKCS #8 PEM
	CertSerial  string   `json:"cert_serial"`
	CertKey     string   `json:"cert_key"`    // PKCS #8 PEM
	Certificate string   `json:"certificate"` // PEM
	Ali         *aliKeys `json:"alipay,omitempty"`

	Mode string    `json:"mode,omitempty"` // what signs; empty is signBoth
	Next *certPair `json:"next,omitempty"` // announced, and not signing yet
	Old  *certPair `json:"old,omitempty"`  // not signing any more, and still listed

	ali       *aliIdentity
	publicKey string // PKIX PEM of PrivateKey
	keySigner signer
	current   *certPair // CertSerial, CertKey and Certificate
}

func newPlatform() (*platform, error) {
	_, keyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	certKey, certKeyPEM, err := newKey()
	if err != nil {
		return nil, err
	}
	serial, certPEM, err := selfSigned(certKey)
	if err != nil {
		return nil, err
	}
	id := "PUB_KEY_ID_0" + randomString(digits, 27)
	ali, err := newAliKeys()
	if err != nil {
		return nil, err
	}
	return &platform{
		PublicKeyID: id, PrivateKey: keyPEM, CertSerial: serial, CertKey: certKeyPEM, Certificate: certPEM, Ali: ali,
	}, nil
}

func (p *platform) parse() error {
	key, err := parseKey(p.PrivateKey)
	if err != nil {
		return fmt.Errorf("platform key: %w", err)
	}
	p.current = &certPair{Serial: p.CertSerial, Key: p.CertKey, Certificate: p.Certificate}
	for _, c := range p.pairs() {
		if err := c.parse(); err != nil {
			return err
		}
	}
	if p.Ali != nil { // a state file of before there was Alipay
		if p.ali, err = p.Ali.parse(); err != nil {
			return err
		}
	}
	p.keySigner = signer{serial: p.PublicKeyID, key: key}
	p.publicKey, err = publicPEM(&key.PublicKey)
	return err
}

func selfSigned(key *rsa.PrivateKey) (serial, certPEM string, err error) {
	return selfSignedFor(key, 5*365*24*time.Hour)
}

func selfSignedFor(key *rsa.PrivateKey, valid time.Duration) (serial, certPEM string, err error) {
	number := new(big.Int).SetBytes(randomBytes(19))
	number.SetBit(number, 155, 1) // keeps the serial at 39 or 40 hex digits
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: number,
		Subject:      pkix.Name{CommonName: "Panshi sandbox payment platform", Organization: []string{"Simulator"}},
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(valid),
		KeyUsage:     x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return "", "", fmt.Errorf("sandbox: platform certificate: %w", err)
	}
	return strings.ToUpper(number.Text(16)), encodePEM("CERTIFICATE", der), nil
}

func newKey() (*rsa.PrivateKey, string, error) {
	key, err := rsa.GenerateKey(rand.Reader, keyBits)
	if err != nil {
		return nil, "", fmt.Errorf("sandbox: generate key: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, "", fmt.Errorf("sandbox: encode key: %w", err)
	}
	return key, encodePEM("PRIVATE KEY", der), nil
}

func parseKey(text string) (*rsa.PrivateKey, error) {
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil, errors.New("not PEM")
	}
	key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, err
	}
	rsaKey, ok := key.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("not an RSA key")
	}
	return rsaKey, nil
}

func publicPEM(key *rsa.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return "", fmt.Errorf("sandbox: encode public key: %w", err)
	}
	return encodePEM("PUBLIC KEY", der), nil
}

func encodePEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sealed is AEAD_AES_256_GCM ciphertext in the form of the protocol.
type sealed struct {
	Algorithm  string `json:"algorithm"`
	Nonce      string `json:"nonce"`           // 12 characters
	Additional string `json:"associated_data"` // authenticated, not secret
	Ciphertext string `json:"ciphertext"`      // base64, tag appended
}

func seal(apiKey, additional string, plain []byte) (sealed, error) {
	block, err := aes.NewCipher([]byte(apiKey))
	if err != nil {
		return sealed{}, fmt.Errorf("sandbox: api v3 key: %w", err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		return sealed{}, fmt.Errorf("sandbox: gcm: %w", err)
	}
	nonce := randomString(alphanumeric, gcm.NonceSize())
	out := gcm.Seal(nil, []byte(nonce), plain, []byte(additional))
	return sealed{
		Algorithm: "AEAD_AES_256_GCM", Nonce: nonce, Additional: additional,
		Ciphertext: encodeBase64(out),
	}, nil
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // crypto/rand.Read never fails: it ends the process instead
	return b
}

func randomHex(n int) string { return hex.EncodeToString(randomBytes(n)) }

// randomString draws n characters evenly from alphabet (at most 64 characters).
func randomString(alphabet string, n int) string {
	limit := 256 - 256%len(alphabet) // bytes above it would favour the first characters
	out := make([]byte, 0, n)
	for len(out) < n {
		for _, b := range randomBytes(n) {
			if int(b) < limit && len(out) < n {
				out = append(out, alphabet[int(b)%len(alphabet)])
			}
		}
	}
	return string(out)
}

func encodeBase64(b []byte) string { return base64.StdEncoding.EncodeToString(b) }
