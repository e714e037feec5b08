package drill

import (
	"cmp"
	"crypto/ed25519"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup/proof"
	"panshi/internal/durable"
	"panshi/internal/errs"
)

const (
	kind   = "panshi-drill-1" // a signature covers it
	ending = ".json"
	paper  = ".html"
	// kept is how many reports of a drill stay: more than two years of them.
	kept = 30
)

// Store keeps reports in a directory: one below it for each drill.
type Store struct {
	dir    string
	signer ed25519.PublicKey
}

// NewStore makes a Store over dir, which Keep makes if it is not there.
func NewStore(dir string, signer ed25519.PublicKey) *Store { return &Store{dir, signer} }

// Kept is a report in the store.
type Kept struct {
	Report
	ID   string `json:"id"`   // names it: drill and number
	Page string `json:"page"` // path of what a person reads
	// Forged says that this shop did not sign what is there, or not under this
	// name. Then nothing in Report is to be believed.
	Forged bool `json:"forged,omitempty"`
}

// Keep signs a report and keeps it with its page durably, and lets the oldest
// go. Code drill_unwritable.
func (s *Store) Keep(r Report, html []byte, signer proof.Signer) (Kept, error) {
	content, err := proof.Encode(kind, r, signer)
	if err != nil {
		return Kept{}, err
	}
	k := Kept{Report: r, ID: fmt.Sprintf("%s/%013d", r.Drill, r.At.UnixMilli())}
	path := filepath.Join(s.dir, filepath.FromSlash(k.ID))
	k.Page = path + paper
	// The page first: a report without its page would be one that nobody reads.
	if err := errors.Join(durable.MakeDir(filepath.Dir(path)), durable.WriteFile(k.Page, html), durable.WriteFile(path+ending, content)); err != nil {
		return k, unwritable(err)
	}
	return k, s.thin(r.Drill)
}

// List gives the reports of a drill, newest first, and those that nobody should
// believe. Code drill_unreadable.
func (s *Store) List(name Name) ([]Kept, error) {
	names, err := s.names(name)
	if err != nil {
		return nil, err
	}
	var all []Kept
	for _, n := range slices.Backward(names) {
		k, err := s.Load(string(name) + "/" + strings.TrimSuffix(n, ending))
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// Load gives one report. Codes drill_report_unknown, drill_unreadable.
func (s *Store) Load(id string) (Kept, error) {
	if !validID(id) {
		return Kept{}, reportUnknown()
	}
	path := filepath.Join(s.dir, filepath.FromSlash(id))
	content, err := os.ReadFile(path + ending)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return Kept{}, reportUnknown()
	case err != nil:
		return Kept{}, unreadable(err)
	}
	k := Kept{ID: id, Page: path + paper}
	if proof.Decode(kind, content, s.signer, &k.Report) != nil || fmt.Sprintf("%s/%013d", k.Drill, k.At.UnixMilli()) != id {
		return Kept{ID: id, Page: k.Page, Forged: true}, nil //nolint:nilerr // what we did not sign is what Forged says
	}
	return k, nil
}

// Standing is how a drill stands.
type Standing struct {
	Last   *Kept // the newest that is ours, passed or not; nil if there is none
	Passed *Kept // the newest that passed
}

// Standing gives how a drill stands. What is forged counts as absent.
func (s *Store) Standing(name Name) (st Standing, err error) {
	all, err := s.List(name)
	for _, k := range all {
		switch {
		case k.Forged:
			continue
		case st.Last == nil:
			st.Last = &k
		}
		if k.Passed() && st.Passed == nil {
			st.Passed = &k
		}
	}
	return st, err
}

// Since gives when the shop began to rehearse: now, if it never did before. What
// cannot be read counts from now, too. Code drill_unwritable.
func (s *Store) Since(now time.Time) (time.Time, error) {
	path := filepath.Join(s.dir, "since")
	if content, err := os.ReadFile(path); err == nil {
		if at, err := time.Parse(time.RFC3339, string(content)); err == nil {
			return at, nil
		}
	}
	if err := errors.Join(durable.MakeDir(s.dir), durable.WriteFile(path, []byte(now.UTC().Format(time.RFC3339)))); err != nil {
		return now, unwritable(err)
	}
	return now, nil
}

// Standings gives how all drills stand.
func (s *Store) Standings() (map[Name]Standing, error) {
	all := map[Name]Standing{}
	for _, d := range All() {
		st, err := s.Standing(d.Name)
		if err != nil {
			return nil, err
		}
		all[d.Name] = st
	}
	return all, nil
}

// validID tells whether id is of our making, and no path to somewhere else.
func validID(id string) bool {
	name, number, found := strings.Cut(id, "/")
	_, err := Named(name)
	return found && err == nil && len(number) == 13 && strings.Trim(number, "0123456789") == ""
}

// names lists the reports of a drill, oldest first.
func (s *Store) names(name Name) ([]string, error) {
	entries, err := os.ReadDir(filepath.Join(s.dir, string(name)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unreadable(err)
	}
	var names []string
	for _, e := range entries {
		if n := e.Name(); e.Type().IsRegular() && validID(string(name)+"/"+strings.TrimSuffix(n, ending)) && strings.HasSuffix(n, ending) {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(a, b) })
	return names, nil
}

func (s *Store) thin(name Name) error {
	names, err := s.names(name)
	for _, n := range names[:max(0, len(names)-kept)] {
		path := filepath.Join(s.dir, string(name), strings.TrimSuffix(n, ending))
		if gone := os.Remove(path + paper); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		err = errors.Join(err, os.Remove(path+ending))
	}
	if err != nil {
		return unwritable(err)
	}
	return nil
}

func reportUnknown() error {
	return errs.Field("report", "drill_report_unknown", "there is no such report; panshi drill reports lists them")
}

func unwritable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "drill_unwritable", "the report of a drill cannot be written")
}

func unreadable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "drill_unreadable", "the reports of drills cannot be read")
}
