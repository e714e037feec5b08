package imports

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"hash"
	"io"
	"log/slog"

	"panshi/internal/catalog"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/id"
	"panshi/internal/stock"
	"panshi/internal/vault"
)

// chunkLines is how many lines one transaction stores: a row a line, and room
// for the counter, the batch and the trail below db.MaxRows.
const chunkLines = 400

// CardsRequest is a file of card keys for one SKU.
type CardsRequest struct {
	MerchantID id.ID
	SKUCode    string
	FileName   string // told back in reports; folders are cut off
	// Source gives the file from its first byte. Where cards must not lie in
	// clear, it must not be a temporary copy.
	Source io.Reader
	// Size in bytes and SHA-256 of the file. They may be missing if Source is
	// an io.Seeker: then it is read once before to find them.
	Size   int64
	Digest []byte
	DryRun bool // only tell what would be
}

// errNotCards says that the SKU sells something else.
var errNotCards = errs.Field("sku", "sku_not_cards", "this SKU does not sell card keys")

// Cards imports a file of card keys and calls progress (nil is allowed) after
// each chunk. The report is valid with an error too. Codes: sku_not_found,
// sku_not_cards, file_empty, file_utf16, file_not_text, file_unreadable,
// file_digest_missing, file_changed, import_busy, and those of package db.
func (s *Service) Cards(ctx context.Context, req CardsRequest, progress func(Progress)) (Report, error) {
	ctx = db.WithLong(ctx)
	if progress == nil {
		progress = func(Progress) {}
	}
	if err := req.measure(); err != nil {
		return Report{}, err
	}
	if err := s.vault.Ready(vault.Cards); err != nil {
		return Report{}, err
	}
	sku, err := s.cardSKU(ctx, req.MerchantID, req.SKUCode)
	if err != nil {
		return Report{}, err
	}
	sum := sha256.New()
	lines, err := newLineReader(io.TeeReader(req.Source, sum))
	if err != nil {
		return Report{}, err
	}
	run := &cardRun{s: s, req: req, lines: lines, sum: sum, progress: progress}
	run.b = batch{
		MerchantID: req.MerchantID, Kind: kindCards, SKUID: sku.ID, FileName: baseName(req.FileName),
		Digest: req.Digest, Size: req.Size, Next: 1,
	}
	if req.DryRun {
		return run.rehearse(ctx)
	}
	return run.importAll(ctx)
}

// measure finds digest and size where they are missing.
func (req *CardsRequest) measure() error {
	if len(req.Digest) == sha256.Size && req.Size > 0 {
		return nil
	}
	seeker, ok := req.Source.(io.Seeker)
	if !ok {
		return errs.Field("digest", "file_digest_missing", "a stream needs the size and the SHA-256 of the file")
	}
	sum := sha256.New()
	size, err := io.Copy(sum, req.Source)
	if err != nil {
		return unreadable(err)
	}
	if size == 0 {
		return errEmpty
	}
	if _, err := seeker.Seek(-size, io.SeekCurrent); err != nil {
		return unreadable(err)
	}
	req.Size, req.Digest = size, sum.Sum(nil)
	return nil
}

// cardSKU finds the SKU that the cards are for.
func (s *Service) cardSKU(ctx context.Context, merchantID id.ID, code string) (sku catalog.SKU, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		sku, err = catalog.SKUByCodeTx(tx, merchantID, code)
		return err
	})
	if err == nil && sku.Mode != stock.Cards {
		return catalog.SKU{}, errNotCards
	}
	return sku, err
}

// cardRun is one run over a file of cards; it belongs to one goroutine.
type cardRun struct {
	s        *Service
	req      CardsRequest
	lines    *lineReader
	sum      hash.Hash // over what was read
	progress func(Progress)
	b        batch // as stored
}

// chunk is what one transaction stores.
type chunk struct {
	cards   []stock.SealedCard
	lineNos []int64 // of the cards
	bad     []Finding
	next    int64 // the line behind the chunk
	last    bool
}

func (run *cardRun) importAll(ctx context.Context) (Report, error) {
	b, resumed, err := run.s.begin(ctx, run.b)
	if err != nil {
		return Report{}, err
	}
	run.b = b
	err = run.chunks(ctx)
	// What was stored is told even if the caller has gone.
	report, err2 := run.s.report(context.WithoutCancel(ctx), run.b, resumed)
	if err != nil || err2 != nil {
		return report, errors.Join(err, err2)
	}
	run.tell(true)
	run.s.log.LogAttrs(ctx, slog.LevelInfo, "cards imported", slog.String("batch", b.ID.String()),
		slog.String("sku", run.req.SKUCode), slog.Int64("accepted", run.b.Accepted),
		slog.Int64("duplicates", run.b.Duplicates), slog.Int64("bad", run.b.Bad), slog.Bool("resumed", resumed))
	return report, nil
}

// chunks stores what is left of the file and closes the batch.
func (run *cardRun) chunks(ctx context.Context) error {
	for {
		c, err := run.read(ctx, run.s.seal)
		if err != nil {
			return err
		}
		if len(c.lineNos)+len(c.bad) > 0 {
			if err := run.store(ctx, c); err != nil {
				return err
			}
		}
		if c.last {
			return run.finish(ctx)
		}
	}
}

// read collects the next chunk; take turns a line into a card.
func (run *cardRun) read(ctx context.Context,
	take func(c *chunk, merchantID id.ID, text []byte) error,
) (chunk, error) {
	c := chunk{next: run.b.Next}
	for len(c.lineNos)+len(c.bad) < chunkLines {
		l, err := run.lines.next()
		switch {
		case errors.Is(err, io.EOF):
			c.last = true
			return c, nil
		case err != nil:
			return chunk{}, err
		case l.no < run.b.Next:
			if err := ctx.Err(); err != nil {
				return chunk{}, err
			}
			continue // stored by the run before
		}
		c.next = l.no + 1
		if l.fault != "" {
			c.bad = append(c.bad, finding(l.no, "", l.fault))
			continue
		}
		if err := take(&c, run.b.MerchantID, l.text); err != nil {
			return chunk{}, err
		}
		c.lineNos = append(c.lineNos, l.no)
	}
	return c, ctx.Err()
}

// seal adds a card to a chunk.
func (s *Service) seal(c *chunk, merchantID id.ID, text []byte) error {
	card := stock.SealedCard{
		ID: id.New(), Index: s.vault.Fingerprint(vault.Cards, merchantID, stock.CardIndexPurpose, text),
	}
	var err error
	card.Content, err = s.vault.Seal(vault.Cards, stock.CardCell(card.ID), text)
	c.cards = append(c.cards, card)
	return err
}

// store writes a chunk with the progress of its batch.
func (run *cardRun) store(ctx context.Context, c chunk) error {
	var became batch
	fault.Point("imports.cards.sealed")
	err := run.s.db.Update(ctx, func(tx *db.Tx) error {
		became = run.b
		if err := standsTx(tx, run.b); err != nil {
			return err
		}
		duplicates, err := addTx(tx, run.b, c)
		if err != nil {
			return err
		}
		became.Next = c.next
		became.Accepted += int64(len(c.cards) - len(duplicates))
		became.Duplicates += int64(len(duplicates))
		became.Bad += int64(len(c.bad))
		if err := addFindingsTx(tx, run.b, append(duplicates, c.bad...)); err != nil {
			return err
		}
		return advanceTx(tx, run.b, became)
	})
	fault.Point("imports.cards.committed")
	if err != nil {
		return err
	}
	run.b = became
	run.tell(false)
	return nil
}

// addTx stores the cards of a chunk and tells the lines of its duplicates.
func addTx(tx *db.Tx, b batch, c chunk) (duplicates []Finding, err error) {
	if len(c.cards) == 0 {
		return nil, nil
	}
	at, err := stock.AddCardsTx(tx, b.MerchantID, b.SKUID, b.ID, c.cards)
	for _, i := range at {
		duplicates = append(duplicates, finding(c.lineNos[i], "", Duplicate))
	}
	return duplicates, err
}

// finish closes the batch, if what was read is what was promised.
func (run *cardRun) finish(ctx context.Context) error {
	if !bytes.Equal(run.sum.Sum(nil), run.req.Digest) {
		return errors.Join(ErrFileChanged, run.s.end(ctx, run.b, "failed"))
	}
	return run.s.end(ctx, run.b, "done")
}

func (run *cardRun) tell(done bool) {
	run.progress(Progress{
		Lines: run.b.lines(), Accepted: run.b.Accepted, Duplicates: run.b.Duplicates, Bad: run.b.Bad,
		BytesRead: run.lines.read, BytesTotal: run.req.Size, Done: done,
	})
}
