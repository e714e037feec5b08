// Package wire is what the clients of payment platforms share: RSA keys and
// certificates as merchants paste them, text that is cut to a platform's
// limits, and the check of numbers that platforms send. It knows no platform.
//
// No error quotes what was parsed: it may be a secret.
package wire
