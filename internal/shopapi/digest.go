package shopapi

import (
	"crypto/sha256"
	"encoding/binary"
	"hash"

	"panshi/internal/checkout"
	"panshi/internal/id"
	"panshi/internal/order"
)

// A digest stands for what a request means, so that a repeat under the same
// Idempotency-Key is told from another request. It covers what decides the
// outcome and leaves out the rest: spaces, the spelling of a contact, the
// language. Every part is written with its length, so that no two requests
// share an encoding. The label changes with the encoding.

// placeDigest covers the lines in their order and the normalised contact.
func placeDigest(lines []checkout.PlaceLine, contact order.Contact) []byte {
	d := digest{sha256.New()}
	d.text("panshi place 1")
	d.number(len(lines))
	for _, l := range lines {
		d.text(string(l.SKUID[:]))
		d.number(l.Quantity)
	}
	d.text(string(contact.Kind))
	d.text(contact.Value)
	return d.Sum(nil)
}

// payDigest covers the channel and the payer or the store credit if one is
// named; the order is part of the key's scope.
func payDigest(channel id.ID, payerID string, credit creditProof) []byte {
	d := digest{sha256.New()}
	if credit != (creditProof{}) {
		d.text("panshi pay 3")
		d.text(string(channel[:]))
		d.text(payerID)
		d.text(credit.Number)
		d.text(credit.Code)
		return d.Sum(nil)
	}
	if payerID == "" {
		d.text("panshi pay 1")
		d.text(string(channel[:]))
		return d.Sum(nil)
	}
	d.text("panshi pay 2")
	d.text(string(channel[:]))
	d.text(payerID)
	return d.Sum(nil)
}

type digest struct{ hash.Hash }

func (d digest) number(n int) {
	_, _ = d.Write(binary.BigEndian.AppendUint64(nil, uint64(n))) // a hash takes everything
}

func (d digest) text(s string) {
	d.number(len(s))
	_, _ = d.Write([]byte(s))
}
