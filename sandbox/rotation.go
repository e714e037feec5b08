package sandbox

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Signing modes: by what the platform proves answers and callbacks.
const (
	// signBoth is what merchants have who moved to the public key: it signs,
	// and a certificate is there for those who ask for it by its serial.
	signBoth = "both"
	// signCertificate is what merchants have who never moved: no public key.
	signCertificate = "certificate"
	// signPublicKey is what new merchants have: there are no certificates.
	signPublicKey = "public_key"
	// signMixed is a migration: callbacks come under either, at random.
	signMixed = "mixed"
)

// certPair is a certificate of the platform with its key.
type certPair struct {
	Serial      string `json:"serial"`
	Key         string `json:"key"`         // PKCS #8 PEM
	Certificate string `json:"certificate"` // PEM

	signer signer
	parsed *x509.Certificate
}

func newCertPair(valid time.Duration) (*certPair, error) {
	key, text, err := newKey()
	if err != nil {
		return nil, err
	}
	serial, cert, err := selfSignedFor(key, valid)
	if err != nil {
		return nil, err
	}
	return &certPair{Serial: serial, Key: text, Certificate: cert}, nil
}

func (c *certPair) parse() error {
	key, err := parseKey(c.Key)
	if err != nil {
		return fmt.Errorf("platform certificate key: %w", err)
	}
	block, _ := pem.Decode([]byte(c.Certificate))
	if block == nil {
		return errors.New("platform certificate is not PEM")
	}
	if c.parsed, err = x509.ParseCertificate(block.Bytes); err != nil {
		return fmt.Errorf("platform certificate: %w", err)
	}
	c.signer = signer{serial: c.Serial, key: key}
	return nil
}

// pairs are the certificates that merchants may see: the one that signs first.
func (p *platform) pairs() []*certPair {
	all := []*certPair{p.current}
	for _, c := range []*certPair{p.Next, p.Old} {
		if c != nil {
			all = append(all, c)
		}
	}
	return all
}

// listed are those of them that are not over.
func (p *platform) listed(now time.Time) []*certPair {
	var out []*certPair
	for _, c := range p.pairs() {
		if p.Mode != signPublicKey && now.Before(c.parsed.NotAfter) {
			out = append(out, c)
		}
	}
	return out
}

// answerSigner proves an answer to a request that names a serial.
func (p *platform) answerSigner(serial string) signer {
	if p.Mode != signPublicKey {
		for _, c := range p.pairs() {
			if c.Serial == serial {
				return c.signer
			}
		}
	}
	if p.Mode == signCertificate {
		return p.current.signer
	}
	return p.keySigner
}

// callbackSigner proves a callback.
func (p *platform) callbackSigner() signer {
	if p.Mode == signCertificate || p.Mode == signMixed && randomFraction() < 0.5 {
		return p.current.signer
	}
	return p.keySigner
}

// turn gives the platform after one step of a rotation.
func (p *platform) turn(step string, valid time.Duration) (*platform, error) {
	after := *p
	switch step {
	case "":
	case "announce":
		if p.Next != nil {
			return nil, errInvalid("a new certificate is announced already: switch first")
		}
		next, err := newCertPair(valid)
		if err != nil {
			return nil, err
		}
		after.Next = next
	case "switch":
		if p.Next == nil {
			return nil, errInvalid("no new certificate is announced")
		}
		after.Old = &certPair{Serial: p.CertSerial, Key: p.CertKey, Certificate: p.Certificate}
		after.CertSerial, after.CertKey, after.Certificate = p.Next.Serial, p.Next.Key, p.Next.Certificate
		after.Next = nil
	case "retire":
		after.Old = nil
	default:
		return nil, errParam("certificate", "must be announce, switch or retire")
	}
	return &after, nil
}

// simKeys shows the platform's keys; simTurnKeys changes what signs.
func (s *Sandbox) simKeys(http.ResponseWriter, *http.Request) (int, any, error) {
	var p *platform
	s.view(func(st *state) { p = st.platform })
	return http.StatusOK, viewKeys(p, s.now()), nil
}

func (s *Sandbox) simTurnKeys(w http.ResponseWriter, r *http.Request) (int, any, error) {
	var q struct {
		Mode        string `json:"mode"`
		Certificate string `json:"certificate"`
		ValidS      int    `json:"valid_s"`
	}
	if err := readStrict(w, r, &q); err != nil {
		return 0, nil, err
	}
	const fiveYears = 5 * 365 * 24 * 3600
	if err := upTo("valid_s", q.ValidS, fiveYears); err != nil {
		return 0, nil, err
	}
	switch q.Mode {
	case "", signBoth, signCertificate, signPublicKey, signMixed:
	default:
		return 0, nil, errParam("mode", "must be both, certificate, public_key or mixed")
	}
	if q.ValidS == 0 {
		q.ValidS = fiveYears
	}
	s.turning.Lock() // a key is slow to make, so not under the lock of the state
	defer s.turning.Unlock()
	var p *platform
	s.view(func(st *state) { p = st.platform })
	p, err := p.turn(q.Certificate, time.Duration(q.ValidS)*time.Second)
	if err != nil {
		return 0, nil, err
	}
	if q.Mode != "" {
		p.Mode = q.Mode
	}
	if err := s.update(func(*state) error { return s.store.commit(record{Platform: p}) }); err != nil {
		return 0, nil, err
	}
	return http.StatusOK, viewKeys(p, s.now()), nil
}

func viewKeys(p *platform, now time.Time) map[string]any {
	certs := []any{}
	for _, c := range p.listed(now) {
		certs = append(certs, map[string]any{
			"serial": c.Serial, "certificate": c.Certificate, "expires_at": c.parsed.NotAfter, "signs": c == p.current,
		})
	}
	mode := p.Mode
	if mode == "" {
		mode = signBoth
	}
	return map[string]any{"mode": mode, "public_key_id": p.PublicKeyID, "certificates": certs}
}
