package seal

import (
	"errors"
	"strings"

	"filippo.io/age"
)

// An age identity is 32 bytes, written as Bech32 (BIP 173). The library gives the
// text only, and a secret is split by its bytes.
const (
	identityHead = "AGE-SECRET-KEY-"
	bech32Digits = "QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L"
	scalarSize   = 32
	bech32Check  = 6
)

// scalarOf gives the bytes of an identity.
func scalarOf(i *age.X25519Identity) []byte {
	text := strings.TrimPrefix(i.String(), identityHead+"1")
	var out []byte
	held, bits := 0, 0
	for _, digit := range []byte(text[:len(text)-bech32Check]) {
		held = held<<5 | strings.IndexByte(bech32Digits, digit)
		if bits += 5; bits >= 8 {
			bits -= 8
			out = append(out, byte(held>>bits))
			held &= 1<<bits - 1
		}
	}
	return out
}

// identityOf is the identity of some bytes.
func identityOf(scalar []byte) (*age.X25519Identity, error) {
	if len(scalar) != scalarSize {
		return nil, errors.New("not the length of an identity")
	}
	var digits []byte
	held, bits := 0, 0
	for _, b := range scalar {
		held, bits = held<<8|int(b), bits+8
		for bits >= 5 {
			bits -= 5
			digits = append(digits, byte(held>>bits&31))
			held &= 1<<bits - 1
		}
	}
	digits = append(digits, byte(held<<(5-bits)&31))
	var text strings.Builder
	text.WriteString(identityHead + "1")
	for _, d := range append(digits, bech32Sum(digits)...) {
		text.WriteByte(bech32Digits[d])
	}
	return age.ParseX25519Identity(text.String())
}

// bech32Sum is the checksum of BIP 173.
func bech32Sum(digits []byte) []byte {
	head := strings.ToLower(identityHead)
	var all []byte
	for _, c := range []byte(head) {
		all = append(all, c>>5)
	}
	all = append(all, 0)
	for _, c := range []byte(head) {
		all = append(all, c&31)
	}
	all = append(append(all, digits...), make([]byte, bech32Check)...)
	sum := 1
	for _, v := range all {
		top := sum >> 25
		sum = (sum&0x1ffffff)<<5 ^ int(v)
		for i, generator := range []int{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= generator
			}
		}
	}
	sum ^= 1
	out := make([]byte, bech32Check)
	for i := range out {
		out[i] = byte(sum >> (5 * (bech32Check - 1 - i)) & 31)
	}
	return out
}
