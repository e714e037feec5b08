package imports

import (
	"context"
	"log/slog"
	"path"
	"strings"
	"unicode"

	"panshi/internal/audit"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/vault"
)

// maxFindings is how many findings of a file are kept and told.
const maxFindings = 1000

// Service imports files. It is safe for concurrent use.
type Service struct {
	db    db.DB
	vault *vault.Vault
	log   *slog.Logger
}

// New returns a Service that stores in d what it sealed by v.
func New(d db.DB, v *vault.Vault, log *slog.Logger) *Service {
	return &Service{db: d, vault: v, log: log}
}

// Progress is how far an import came. Lines counts lines that were not empty;
// it is the sum of the three that follow.
type Progress struct {
	Lines, Accepted, Duplicates, Bad int64
	BytesRead, BytesTotal            int64
	Done                             bool
}

// Report is the outcome of an import, also of one that failed on its way:
// then it tells what was stored until then.
type Report struct {
	BatchID                          id.ID // zero after a dry run
	Lines, Accepted, Duplicates, Bad int64
	Findings                         []Finding // the first 1,000, by line
	Truncated                        bool      // there were more findings
	Resumed                          bool      // an interrupted import was continued
}

// Finding is something wrong with a line. It never holds what stood there.
type Finding struct {
	Line   int64  `json:"line"`             // from 1, as an editor counts
	Column string `json:"column,omitempty"` // of a catalogue
	Code   string `json:"code"`
	Text   string `json:"text"` // English; catalogues translate by Code
}

// Codes of findings about cards.
const (
	Duplicate        = "duplicate"
	TooLong          = "too_long"
	ControlCharacter = "control_character"
	BadEncoding      = "bad_encoding"
)

// Errors of this package.
var (
	ErrBusy = errs.New(errs.Conflict, "import_busy",
		"this file is being imported right now")
	ErrFileChanged = errs.New(errs.Conflict, "file_changed",
		"the file changed while it was read; what was stored before stays, import it again")
	errEmpty = errs.Field("file", "file_empty", "the file is empty")
)

func finding(line int64, column, code string) Finding {
	return Finding{Line: line, Column: column, Code: code, Text: textOf(code)}
}

// textOf says in English what a code of this package means.
func textOf(code string) string {
	texts := map[string]string{
		Duplicate:               "this card is in the shop already, or stood earlier in the file",
		TooLong:                 "the text is too long",
		ControlCharacter:        "the text has a control character",
		BadEncoding:             "the text is not in the encoding of the file",
		"required":              "this cell is needed",
		"invalid_kind":          "a kind is card, text or manual",
		"invalid_price":         "a price is in yuan with at most two decimals, such as 19.90",
		"invalid_number":        "this must be a whole number",
		"out_of_range":          "the number is too large",
		"invalid_status":        "a status is on or off",
		"conflicting_value":     "an earlier row says something else for the same product or category",
		"duplicate_sku":         "an earlier row has the same SKU",
		"too_many_skus":         "a product has at most 100 SKUs",
		"too_many_cells":        "the row has more cells than the header",
		"bad_quotes":            "the quotation marks of this row do not match; the rest of the file was not read",
		"stock_not_for_cards":   "the stock of card keys is the number of cards; leave this cell empty",
		"content_only_for_text": "only products of kind text have a content",
		"content_missing":       "a text product on sale needs its content",
		"category_unknown":      "there is no such category; give its title to make it",
	}
	return texts[code]
}

// recordTx writes a line of the trail about a subject of an import.
func recordTx(ctx context.Context, tx *db.Tx, r audit.Record) error {
	r.Actor, r.RequestID = audit.Origin(ctx)
	return audit.RecordTx(tx, r)
}

// Imported tells whether a file with this SHA-256 was imported to its end for
// a merchant: as a catalogue, or as cards of whatever SKU.
func (s *Service) Imported(ctx context.Context, merchantID id.ID, digest []byte) (done bool, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		var n int64
		err := tx.Get([]any{&n}, `SELECT COUNT(*) FROM import_batches
			WHERE merchant_id = $1 AND file_digest = $2 AND status = 'done'`, merchantID, digest)
		done = n > 0
		return err
	})
	return done, err
}

// merchantTx finds a merchant by its id.
func merchantTx(tx *db.Tx, merchantID id.ID) (merchant.Merchant, error) {
	all, err := merchant.AllTx(tx)
	if err != nil {
		return merchant.Merchant{}, err
	}
	for _, m := range all {
		if m.ID == merchantID {
			return m, nil
		}
	}
	return merchant.Merchant{}, merchant.ErrNotFound
}

// baseName is what is kept of a file's name: no folders, nothing unprintable,
// at most 200 bytes.
func baseName(name string) string {
	name = path.Base(strings.ReplaceAll(strings.ToValidUTF8(name, ""), `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, name)
	if len(name) > 200 {
		name = strings.ToValidUTF8(name[:200], "")
	}
	if name == "." || name == "/" {
		return ""
	}
	return name
}
