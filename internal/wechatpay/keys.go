package wechatpay

import (
	"crypto/rsa"
	"errors"
	"maps"
	"strings"
	"sync"
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

// askAgain is how often the platform may be asked for its certificates at most:
// whoever sends callbacks with made-up serials costs one question in it.
const askAgain = time.Minute

// keyring holds the platform's keys: those of the configuration, which stay
// until they expire, and the certificates that the platform told of last.
type keyring struct {
	configured map[string]platformKey

	mu    sync.Mutex
	told  map[string]platformKey // guarded by mu
	asked time.Time              // guarded by mu; when the platform was asked last
}

// find gives the key of a serial, if it is valid at a moment.
func (k *keyring) find(serial string, at time.Time) (platformKey, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	key, ok := k.told[serial]
	if !ok {
		key, ok = k.configured[serial]
	}
	return key, ok && key.validAt(at)
}

// mayAsk takes the right to ask the platform, which comes once in askAgain.
func (k *keyring) mayAsk(now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.asked.IsZero() && now.Sub(k.asked).Abs() < askAgain {
		return false
	}
	k.asked = now
	return true
}

// tell replaces the certificates that the platform told of: what it withdrew
// proves nothing any more.
func (k *keyring) tell(told map[string]platformKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.told = told
}

// certificates are all certificates in hand, without the public keys.
func (k *keyring) certificates() map[string]platformKey {
	k.mu.Lock()
	defer k.mu.Unlock()
	all := maps.Clone(k.configured)
	maps.Copy(all, k.told)
	maps.DeleteFunc(all, func(_ string, key platformKey) bool { return key.notAfter.IsZero() })
	return all
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
