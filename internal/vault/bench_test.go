package vault

import (
	"testing"

	"panshi/internal/id"
)

var benchText = []byte("ABCDE-FGHIJ-KLMNO-PQRST-UVWXY") // the length of a usual card key

func BenchmarkSeal(b *testing.B) {
	v, _ := newVault(b)
	cell := Cell{"cards", "secret", id.New()}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Seal(Cards, cell, benchText); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnseal(b *testing.B) {
	v, _ := newVault(b)
	cell := Cell{"cards", "secret", id.New()}
	sealed, err := v.Seal(Cards, cell, benchText)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := v.Unseal(Cards, cell, sealed); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFingerprint(b *testing.B) {
	v, _ := newVault(b)
	merchant := id.New()
	b.ReportAllocs()
	for b.Loop() {
		v.Fingerprint(Cards, merchant, "card", benchText)
	}
}

func BenchmarkToken(b *testing.B) {
	v, _ := newVault(b)
	subject := id.New()
	b.ReportAllocs()
	for b.Loop() {
		v.Token("order", subject)
	}
}

func BenchmarkCheckToken(b *testing.B) {
	v, _ := newVault(b)
	subject := id.New()
	token := v.Token("order", subject)
	b.ReportAllocs()
	for b.Loop() {
		v.CheckToken("order", subject, token)
	}
}
