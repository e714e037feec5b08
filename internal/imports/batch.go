package imports

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"strconv"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/id"
)

// The kinds of batches.
const (
	kindCards   = "cards"
	kindCatalog = "catalog"
)

// batch is one row of import_batches.
type batch struct {
	ID         id.ID
	MerchantID id.ID
	Kind       string
	SKUID      id.ID // zero for a catalogue
	FileName   string
	Digest     []byte
	Size       int64
	Next       int64 // the first line, or row of a catalogue, that is not done
	Accepted   int64
	Duplicates int64
	Bad        int64
}

func (b batch) lines() int64 { return b.Accepted + b.Duplicates + b.Bad }

// room is how many more findings of the batch are kept.
func (b batch) room() int { return int(max(0, maxFindings-b.Duplicates-b.Bad)) }

func (b batch) detail(subject string) map[string]string {
	return map[string]string{
		subject: b.FileName, "accepted": strconv.FormatInt(b.Accepted, 10),
		"duplicates": strconv.FormatInt(b.Duplicates, 10), "bad": strconv.FormatInt(b.Bad, 10),
	}
}

// begin finds the unfinished batch of a file or makes one, and tells which.
func (s *Service) begin(ctx context.Context, want batch) (b batch, resumed bool, err error) {
	want.ID, want.Next = id.New(), 1
	err = s.db.Update(ctx, func(tx *db.Tx) error {
		b, resumed = want, true
		if err := tx.Alone("import " + hex.EncodeToString(b.Digest)); err != nil {
			return err
		}
		err := tx.Get([]any{&b.ID, &b.Next, &b.Accepted, &b.Duplicates, &b.Bad},
			`SELECT id, next_line, accepted, duplicates, bad FROM import_batches
			WHERE merchant_id = $1 AND file_digest = $2 AND kind = $3 AND status = 'running'
			AND (sku_id = $4 OR kind = 'catalog')`, b.MerchantID, b.Digest, b.Kind, b.SKUID)
		if errors.Is(err, db.ErrNoRows) {
			resumed = false
			err = insertBatch(tx, b)
		}
		if err != nil {
			return err
		}
		return recordTx(ctx, tx, b.record("started"))
	})
	return b, resumed, err
}

// record is a line of the trail about b.
func (b batch) record(what string) audit.Record {
	return audit.Record{
		MerchantID: b.MerchantID, Action: "import." + what, SubjectKind: "import", SubjectID: b.ID,
		Detail: b.detail(b.Kind),
	}
}

func insertBatch(tx *db.Tx, b batch) error {
	now := db.Millis(tx.Now())
	_, err := tx.Exec(`INSERT INTO import_batches (id, merchant_id, kind, sku_id, file_name, file_digest,
		file_size, status, created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 'running', $8, $9)`,
		b.ID, b.MerchantID, b.Kind, b.SKUID, b.FileName, b.Digest, b.Size, now, now)
	return err
}

// standsTx is ErrBusy if somebody else who imports the same file has moved b
// since it was read. Who does so from now on waits for this transaction.
func standsTx(tx *db.Tx, b batch) error {
	var n int64
	err := tx.Get([]any{&n}, `SELECT next_line FROM import_batches
		WHERE id = $1 AND next_line = $2 AND status = 'running'`+tx.ForUpdate(), b.ID, b.Next)
	if errors.Is(err, db.ErrNoRows) {
		return ErrBusy
	}
	return err
}

// advanceTx moves b, which stands, to what it became by one chunk.
func advanceTx(tx *db.Tx, b, became batch) error {
	changed, err := tx.Exec(`UPDATE import_batches SET next_line = $1, accepted = $2, duplicates = $3, bad = $4,
		updated_at = $5 WHERE id = $6 AND next_line = $7 AND status = 'running'`,
		became.Next, became.Accepted, became.Duplicates, became.Bad, db.Millis(tx.Now()), b.ID, b.Next)
	if err == nil && changed != 1 {
		return ErrBusy
	}
	return err
}

// end closes b as done or failed.
func (s *Service) end(ctx context.Context, b batch, status string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error {
		changed, err := tx.Exec(`UPDATE import_batches SET status = $1, updated_at = $2
			WHERE id = $3 AND next_line = $4 AND status = 'running'`, status, db.Millis(tx.Now()), b.ID, b.Next)
		if err != nil {
			return err
		}
		if changed != 1 {
			return ErrBusy
		}
		return recordTx(ctx, tx, b.record(status))
	})
}

// addFindingsTx keeps the findings of a chunk, those by lines first, as far as
// there is room.
func addFindingsTx(tx *db.Tx, b batch, found []Finding) error {
	slices.SortFunc(found, func(x, y Finding) int { return int(x.Line - y.Line) })
	for _, f := range found[:min(len(found), b.room())] {
		if _, err := tx.Exec(`INSERT INTO import_findings (batch_id, line_no, merchant_id, code)
			VALUES ($1, $2, $3, $4)`, b.ID, f.Line, b.MerchantID, f.Code); err != nil {
			return err
		}
	}
	return nil
}

// report tells of a batch of cards, with the findings of all its runs.
func (s *Service) report(ctx context.Context, b batch, resumed bool) (r Report, err error) {
	r = Report{
		BatchID: b.ID, Lines: b.lines(), Accepted: b.Accepted, Duplicates: b.Duplicates, Bad: b.Bad,
		Truncated: b.Duplicates+b.Bad > maxFindings, Resumed: resumed,
	}
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		r.Findings, err = db.Collect(tx, func(rows db.Rows) (f Finding, err error) {
			err = rows.Scan(&f.Line, &f.Code)
			return finding(f.Line, "", f.Code), err
		}, `SELECT line_no, code FROM import_findings WHERE batch_id = $1 AND merchant_id = $2 ORDER BY line_no`,
			b.ID, b.MerchantID)
		return err
	})
	return r, err
}

// knownTx tells which of the fingerprints the merchant's cards have. At most
// db.MaxRows a call.
func knownTx(tx *db.Tx, merchantID id.ID, indexes [][]byte) (known [][]byte, err error) {
	var query bytes.Buffer
	query.WriteString(`SELECT content_index FROM cards WHERE merchant_id = $1 AND content_index IN (NULL`)
	args := []any{merchantID}
	for _, index := range indexes {
		args = append(args, index)
		query.WriteString(", $" + strconv.Itoa(len(args)))
	}
	query.WriteString(")")
	return db.Collect(tx, func(rows db.Rows) (index []byte, err error) {
		err = rows.Scan(&index)
		return index, err
	}, query.String(), args...)
}
