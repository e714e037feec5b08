// Package shamir splits a secret into shares, of which a threshold gives it back
// and fewer say nothing about it (A. Shamir, "How to share a secret", 1979).
//
// Each byte is the value at 0 of its own random polynomial over GF(2^8), the
// field of AES (FIPS 197, 4.2); share x has the values at x. Whether shares
// belong together is for the caller to know: wrong ones give a wrong secret.
package shamir

import (
	"errors"
	"io"
)

// Share is the values of all polynomials at X.
type Share struct {
	X byte // from 1
	Y []byte
}

// MaxShares is how many shares there may be.
const MaxShares = 255

var (
	errCounts = errors.New("shamir: there are 2 to 255 shares, and of these 2 to all give the secret back")
	errShares = errors.New("shamir: shares are of the same length, and no two the same")
)

// Split makes n shares, of which any threshold give the secret back. random is
// crypto/rand.Reader, but for known answers.
func Split(secret []byte, threshold, n int, random io.Reader) ([]Share, error) {
	if threshold < 2 || threshold > n || n > MaxShares {
		return nil, errCounts
	}
	shares := make([]Share, n)
	for i := range shares {
		shares[i] = Share{X: byte(i + 1), Y: make([]byte, len(secret))}
	}
	coefficients := make([]byte, threshold) // the lowest first
	defer clear(coefficients)
	for at, b := range secret {
		if _, err := io.ReadFull(random, coefficients[1:]); err != nil {
			return nil, err
		}
		coefficients[0] = b
		for i := range shares {
			shares[i].Y[at] = value(coefficients, shares[i].X)
		}
	}
	return shares, nil
}

// value is a polynomial's at x.
func value(coefficients []byte, x byte) (y byte) {
	for i := len(coefficients) - 1; i >= 0; i-- {
		y = mul(y, x) ^ coefficients[i]
	}
	return y
}

// Combine gives the secret of exactly as many shares as the threshold was; any
// more that belong to them change nothing.
func Combine(shares []Share) ([]byte, error) {
	if len(shares) < 2 {
		return nil, errCounts
	}
	seen := map[byte]bool{}
	for _, s := range shares {
		if s.X == 0 || seen[s.X] || len(s.Y) != len(shares[0].Y) {
			return nil, errShares
		}
		seen[s.X] = true
	}
	secret := make([]byte, len(shares[0].Y))
	for i, s := range shares {
		weight := weightAtZero(shares, i)
		for at, y := range s.Y {
			secret[at] ^= mul(y, weight)
		}
	}
	return secret, nil
}

// weightAtZero is Lagrange's, of share i for the value at 0.
func weightAtZero(shares []Share, i int) byte {
	weight := byte(1)
	for j, other := range shares {
		if j != i {
			weight = mul(weight, mul(other.X, inverse(other.X^shares[i].X)))
		}
	}
	return weight
}

// mul multiplies without branches or tables that depend on a and b.
func mul(a, b byte) (product byte) {
	for range 8 {
		product ^= -(b & 1) & a
		a = a<<1 ^ -(a>>7)&0x1b
		b >>= 1
	}
	return product
}

// inverse is a^254; 0 has none and gives 0.
func inverse(a byte) byte {
	square, out := a, byte(1)
	for range 7 {
		square = mul(square, square)
		out = mul(out, square)
	}
	return out
}
