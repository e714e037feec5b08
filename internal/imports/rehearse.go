package imports

import (
	"bytes"
	"context"
	"encoding/binary"
	"slices"

	"panshi/internal/db"
	"panshi/internal/id"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// maxSeen bounds what a dry run remembers of the cards it read, some 40 MB.
// Past it, duplicates inside the file show only in the import itself.
const maxSeen = 1_000_000

// rehearse tells what an import of cards would do. Nothing is sealed.
func (run *cardRun) rehearse(ctx context.Context) (Report, error) {
	seen := make(map[uint64]struct{})
	var report Report
	for {
		c, err := run.read(ctx, run.s.fingerprint)
		if err != nil {
			return report, err
		}
		known, err := run.s.known(ctx, run.b.MerchantID, c)
		if err != nil {
			return report, err
		}
		found := append(doubled(c, known, seen), c.bad...)
		slices.SortFunc(found, func(x, y Finding) int { return int(x.Line - y.Line) })
		run.b.Next = c.next
		run.b.Bad += int64(len(c.bad))
		run.b.Duplicates += int64(len(found) - len(c.bad))
		run.b.Accepted += int64(len(c.lineNos) + len(c.bad) - len(found))
		report.Findings = append(report.Findings, found[:min(len(found), maxFindings-len(report.Findings))]...)
		report.Lines, report.Accepted, report.Duplicates = run.b.lines(), run.b.Accepted, run.b.Duplicates
		report.Bad, report.Truncated = run.b.Bad, run.b.Duplicates+run.b.Bad > maxFindings
		run.tell(c.last)
		if c.last {
			return report, nil
		}
	}
}

// fingerprint adds a card to a chunk without its content.
func (s *Service) fingerprint(c *chunk, merchantID id.ID, text []byte) error {
	c.cards = append(c.cards, stock.SealedCard{
		Index: s.vault.Fingerprint(vault.Cards, merchantID, stock.CardIndexPurpose, text),
	})
	return nil
}

// known asks which cards of a chunk the merchant has.
func (s *Service) known(ctx context.Context, merchantID id.ID, c chunk) (known [][]byte, err error) {
	indexes := make([][]byte, len(c.cards))
	for i, card := range c.cards {
		indexes[i] = card.Index
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		known, err = knownTx(tx, merchantID, indexes)
		return err
	})
	return known, err
}

// doubled lists the cards of a chunk that are known or were seen before, and
// remembers them. Half a fingerprint is enough to remember: a false alarm
// among a million cards has a chance of 2^-24.
func doubled(c chunk, known [][]byte, seen map[uint64]struct{}) []Finding {
	var out []Finding
	for i, card := range c.cards {
		half := binary.BigEndian.Uint64(card.Index)
		_, before := seen[half]
		if before || slices.ContainsFunc(known, func(k []byte) bool { return bytes.Equal(k, card.Index) }) {
			out = append(out, finding(c.lineNos[i], "", Duplicate))
		}
		if len(seen) < maxSeen {
			seen[half] = struct{}{}
		}
	}
	return out
}
