package manifest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup/seal"
	"panshi/internal/errs"
)

// Sums are what a shop counted at one moment, to be counted again after a
// restore. They are business secrets, so a manifest carries them sealed.
type Sums struct {
	// Generation and Tx are the state that was counted, exactly.
	Generation string `json:"generation"`
	Tx         uint64 `json:"tx"`
	Time       int64  `json:"time"` // milliseconds since 1970 UTC
	// Rows counts the rows of each table; nil if they were not counted.
	Rows map[string]int64 `json:"rows,omitempty"`
	// Orders is, by "period merchant currency", the orders placed and their
	// totals. A period is a day or a month of UTC: see DayForm, MonthForm.
	Orders map[string]Total `json:"orders"`
	// Ledger is, by "period account currency", the postings and their sum.
	Ledger map[string]Total `json:"ledger"`
}

// The forms of periods.
const (
	DayForm   = "2006-01-02"
	MonthForm = "2006-01"
)

// Total is a number of orders or postings and what they come to.
type Total struct {
	Count  int64 `json:"count"`
	Amount int64 `json:"amount"` // minor units
}

// Plus adds another total.
func (t Total) Plus(o Total) Total {
	return Total{Count: t.Count + o.Count, Amount: t.Amount + o.Amount}
}

// String says both.
func (t Total) String() string { return fmt.Sprintf("%d for %d", t.Count, t.Amount) }

// settled is how long after its end a period may still get something: what was
// begun in it and committed later.
const settled = time.Hour

// Closed tells whether a period that ended then can get nothing more at a time.
func Closed(end, at time.Time) bool { return !at.Before(end.Add(settled)) }

// At gives Time as a time.
func (s Sums) At() time.Time { return time.UnixMilli(s.Time).UTC() }

// Settled leaves the totals of the periods that were closed at a time: whatever
// happened since, they are the same. Rows are left out.
func (s Sums) Settled(at time.Time) Sums {
	open := func(key string, _ Total) bool {
		period, _, _ := strings.Cut(key, " ")
		end, err := time.Parse(DayForm, period)
		if err == nil {
			return !Closed(end.AddDate(0, 0, 1), at)
		}
		end, err = time.Parse(MonthForm, period)
		return err != nil || !Closed(end.AddDate(0, 1, 0), at)
	}
	s.Rows, s.Orders, s.Ledger = nil, maps.Clone(s.Orders), maps.Clone(s.Ledger)
	maps.DeleteFunc(s.Orders, open)
	maps.DeleteFunc(s.Ledger, open)
	return s
}

// Differences tells in words where got is not what s says, sorted. Rows count
// only if both have some.
func (s Sums) Differences(got Sums) []string {
	out := compare("orders of", s.Orders, got.Orders)
	out = append(out, compare("ledger of", s.Ledger, got.Ledger)...)
	if len(s.Rows) == 0 || len(got.Rows) == 0 {
		return out
	}
	return append(out, compare("rows of", s.Rows, got.Rows)...)
}

func compare[V comparable](what string, want, got map[string]V) []string {
	var out []string
	keys := slices.AppendSeq(slices.Collect(maps.Keys(want)), maps.Keys(got))
	slices.Sort(keys)
	for _, k := range slices.Compact(keys) {
		if want[k] != got[k] {
			out = append(out, fmt.Sprintf("%s %s: %v instead of %v", what, k, got[k], want[k]))
		}
	}
	return out
}

// SealSums closes sums for the manifest h.
func SealSums(ctx context.Context, keys *seal.Keys, h Head, s Sums) ([]byte, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, errs.Wrap(err, errs.Internal, "backup_manifest_unwritable", "a manifest could not be written")
	}
	var out bytes.Buffer
	_, err = keys.Seal(ctx, sumsName(h), bytes.NewReader(text), &out)
	return out.Bytes(), err
}

// Opened gives the sums of a manifest that has some; it needs an identity.
func (m Manifest) Opened(r seal.Reader) (Sums, error) {
	h := Head{Chain: m.Chain, Number: m.Number}
	content, err := r.Open(bytes.NewReader(m.Sums), sumsName(h))
	if err != nil {
		return Sums{}, err
	}
	text, err := io.ReadAll(content)
	if err != nil {
		return Sums{}, errs.Wrap(err, errs.Integrity, "backup_object_damaged", "an object at the destination is not what was stored")
	}
	var s Sums
	if err := json.Unmarshal(text, &s); err != nil {
		return Sums{}, errs.Wrap(err, errs.Integrity, "backup_object_damaged", "an object at the destination is not what was stored")
	}
	return s, nil
}

// sumsName binds sealed sums to their manifest.
func sumsName(h Head) string { return "sums/" + h.Name() }
