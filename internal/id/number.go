package id

import (
	"crypto/rand"
	"time"
)

// alphabet is Crockford's base 32: no I, L, O, U, so that a number survives
// being read aloud.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// A number's characters after the day: numberTime tell the time of day in
// steps of 82 ms, so that numbers made together lie together in an index;
// numberRandom are 12 x 5 = 60 bits, so that guessing is hopeless and a
// collision needs 10^9 orders in one step.
const (
	numberTime   = 4
	numberRandom = 12
)

// Number returns a public number: the prefix, the day of now as YYYYMMDD in
// now's location, the time of day, and random characters. With a prefix of at
// most one letter it is 25 characters of [0-9A-Z] and so fits a payment
// platform's out_trade_no (at most 32).
func Number(prefix string, now time.Time) string {
	var tail [numberTime + numberRandom]byte
	if _, err := rand.Read(tail[numberTime:]); err != nil {
		panic("id: the system's random source failed: " + err.Error())
	}
	hour, minute, second := now.Clock()
	const day = 24 * time.Hour
	since := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second +
		time.Duration(now.Nanosecond())
	step := since.Microseconds() << (5 * numberTime) / day.Microseconds()
	for i := numberTime - 1; i >= 0; i-- {
		tail[i] = byte(step & 31)
		step >>= 5
	}
	for i, b := range tail {
		tail[i] = alphabet[b&31]
	}
	return prefix + now.Format("20060102") + string(tail[:])
}

// Short returns a public number for people to write down: the prefix and ten
// random characters of [0-9A-Z]. It names and proves nothing.
func Short(prefix string) string {
	var tail [10]byte
	if _, err := rand.Read(tail[:]); err != nil {
		panic("id: the system's random source failed: " + err.Error())
	}
	for i, b := range tail {
		tail[i] = alphabet[b&31]
	}
	return prefix + string(tail[:])
}
