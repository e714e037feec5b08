package manifest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"panshi/internal/backup/seal"
	"panshi/internal/errs"
)

// Sums are what a shop counted at one moment, to be counted again after a
// restore to it. They are business secrets, so a manifest carries them sealed.
type Sums struct {
	Tx   uint64 `json:"tx"`   // the transaction that they were counted at
	Time int64  `json:"time"` // milliseconds since 1970 UTC
	// Rows counts the rows of each table.
	Rows map[string]int64 `json:"rows"`
	// Orders is, by "day state currency", the number of orders and their total in
	// minor units.
	Orders map[string]Total `json:"orders"`
	// Ledger is the balance in minor units of each "account currency".
	Ledger map[string]int64 `json:"ledger"`
}

// Total is a number of orders and what they come to.
type Total struct {
	Count  int64 `json:"count"`
	Amount int64 `json:"amount"` // minor units
}

// Differences tells in words where got is not what s says, sorted.
func (s Sums) Differences(got Sums) []string {
	out := compare("rows of", s.Rows, got.Rows)
	out = append(out, compare("orders of", s.Orders, got.Orders)...)
	return append(out, compare("ledger of", s.Ledger, got.Ledger)...)
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
