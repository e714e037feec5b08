package seal

import (
	"crypto/ed25519"
	"encoding/hex"
	"encoding/json"
	"time"

	"filippo.io/age"

	"panshi/internal/errs"
)

// secretName is what the keys are called where they are kept.
const secretName = "backup"

// Keeper keeps secrets of this machine wrapped by a key that is elsewhere
// (vault.Secrets). Store fails with code vault_exists if there is one, Load with
// vault_secret_missing if there is none; both are durable when they return.
type Keeper interface {
	Store(name string, secret []byte) error
	Replace(name string, secret []byte) error
	Load(name string) ([]byte, error)
}

// Keys are what a shop needs to make backups, and, unless it is strict, to read
// them.
type Keys struct {
	shop     string
	recovery *age.X25519Recipient
	verify   *age.X25519Identity // nil when the shop is strict
	sign     ed25519.PrivateKey
}

// Options say how keys are made.
type Options struct {
	Shop string // a name for the sheet
	// Strict keeps no verify identity: then this machine cannot read its own
	// backups, and another one has to prove them.
	Strict bool
	Now    time.Time
}

// New draws keys for a shop that has none. Print the sheet, then Save: a sheet
// without saved keys is harmless, saved keys without a sheet are a trap.
func New(o Options) (*Keys, Sheet, error) {
	_, sign, err := ed25519.GenerateKey(nil)
	if err != nil {
		return nil, Sheet{}, drawFailed(err)
	}
	return draw(o, sign)
}

// Renew draws another recovery identity for a shop whose sheet is lost or was
// seen. The signing key stays. What was sealed before opens by the old sheet
// only.
func (k *Keys) Renew(o Options) (*Keys, Sheet, error) { return draw(o, k.sign) }

func draw(o Options, sign ed25519.PrivateKey) (*Keys, Sheet, error) {
	recovery, err := age.GenerateX25519Identity()
	if err != nil {
		return nil, Sheet{}, drawFailed(err)
	}
	k := &Keys{shop: o.Shop, recovery: recovery.Recipient(), sign: sign}
	if !o.Strict {
		if k.verify, err = age.GenerateX25519Identity(); err != nil {
			return nil, Sheet{}, drawFailed(err)
		}
	}
	return k, Sheet{Shop: o.Shop, Made: o.Now, Identity: recovery, Signer: k.Signer()}, nil
}

func drawFailed(err error) error {
	return errs.Wrap(err, errs.Internal, "backup_key_draw", "keys could not be drawn")
}

// stored is Keys as the keeper wraps them.
type stored struct {
	Shop     string `json:"shop"`
	Recovery string `json:"recovery"` // recipient
	Verify   string `json:"verify,omitempty"`
	Sign     string `json:"sign"` // seed, hexadecimal
}

// Save keeps the keys; code vault_exists if there are others and replace is
// not set.
func (k *Keys) Save(keeper Keeper, replace bool) error {
	s := stored{Shop: k.shop, Recovery: k.recovery.String(), Sign: hex.EncodeToString(k.sign.Seed())}
	if k.verify != nil {
		s.Verify = k.verify.String()
	}
	content, err := json.Marshal(s)
	if err != nil {
		return errs.Wrap(err, errs.Internal, "backup_key_malformed", "the keys of backups are not readable")
	}
	defer clear(content)
	if replace {
		return keeper.Replace(secretName, content)
	}
	return keeper.Store(secretName, content)
}

// Load gives the keys that Save kept. Codes: those of the keeper,
// backup_key_malformed.
func Load(keeper Keeper) (*Keys, error) {
	content, err := keeper.Load(secretName)
	if err != nil {
		return nil, err
	}
	defer clear(content)
	k, err := parse(content)
	if err != nil {
		return nil, errs.Wrap(err, errs.Integrity, "backup_key_malformed", "the keys of backups are not readable")
	}
	return k, nil
}

func parse(content []byte) (*Keys, error) {
	var s stored
	if err := json.Unmarshal(content, &s); err != nil {
		return nil, err
	}
	recovery, err := age.ParseX25519Recipient(s.Recovery)
	if err != nil {
		return nil, err
	}
	seed, err := hex.DecodeString(s.Sign)
	if err != nil || len(seed) != ed25519.SeedSize {
		return nil, errs.New(errs.Integrity, "backup_key_malformed", "the keys of backups are not readable")
	}
	k := &Keys{shop: s.Shop, recovery: recovery, sign: ed25519.NewKeyFromSeed(seed)}
	if s.Verify != "" {
		k.verify, err = age.ParseX25519Identity(s.Verify)
	}
	return k, err
}

// Strict tells whether this machine cannot open what it seals.
func (k *Keys) Strict() bool { return k.verify == nil }

// Signer is the key that all signatures of this shop are checked by.
func (k *Keys) Signer() ed25519.PublicKey {
	return ed25519.PublicKey(append([]byte(nil), k.sign[ed25519.SeedSize:]...))
}

// Sign signs a message; what it is must be clear from its first bytes.
func (k *Keys) Sign(message []byte) []byte { return ed25519.Sign(k.sign, message) }

// Reader gives what opens objects on this machine: in strict mode it can check
// signatures and no more.
func (k *Keys) Reader() Reader {
	r := Reader{Signer: k.Signer()}
	if k.verify != nil {
		r.Identities = []age.Identity{k.verify}
	}
	return r
}

func (k *Keys) recipients() []age.Recipient {
	out := []age.Recipient{k.recovery}
	if k.verify != nil {
		out = append(out, k.verify.Recipient())
	}
	return out
}

// String keeps keys out of logs.
func (*Keys) String() string { return "[backup keys]" }

// GoString keeps keys out of logs.
func (*Keys) GoString() string { return "[backup keys]" }
