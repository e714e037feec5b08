package id

import (
	"crypto/rand"
	"time"
)

// alphabet is Crockford's base 32: no I, L, O, U, so that a number survives
// being read aloud.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// numberRandom is the count of random characters in a number: 16 x 5 = 80
// bits, so that guessing is hopeless and a collision needs 10^12 orders a day.
const numberRandom = 16

// Number returns a public number: the prefix, the day of now as YYYYMMDD in
// now's location, and 16 random characters. With a prefix of at most one
// letter it is 25 characters of [0-9A-Z] and so fits a payment platform's
// out_trade_no (at most 32).
func Number(prefix string, now time.Time) string {
	random := make([]byte, numberRandom)
	if _, err := rand.Read(random); err != nil {
		panic("id: the system's random source failed: " + err.Error())
	}
	for i, b := range random {
		random[i] = alphabet[b&31]
	}
	return prefix + now.Format("20060102") + string(random)
}
