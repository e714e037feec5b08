// Package kit starts the real program for tests that look at it from outside:
// it builds the binary once, fills a demo shop once and copies it for every
// test, runs shop and payment platform as processes of their own, kills them
// as tests ask, and speaks the public contract as a buyer does.
//
// Everything lives in the test's temporary directory and on loopback ports;
// processes die with the test, and with the test binary.
package kit
