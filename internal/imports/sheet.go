package imports

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"panshi/internal/errs"
)

// maxCatalog is the size of a catalogue file in bytes. It is checked as a
// whole before anything is stored, so it is held in memory.
const maxCatalog = 32 << 20

var errTooLarge = errs.New(errs.TooLarge, "file_too_large", "a catalogue file has at most 32 MiB")

// sheet is a parsed CSV file.
type sheet struct {
	at    map[column]int // where a column stands
	names []column       // the same the other way
	rows  []row
	// cut is a finding that ended the reading, if any.
	cut []Finding
}

type row struct {
	line  int64 // on which it begins
	cells []string
}

func (s sheet) has(c column) bool { _, ok := s.at[c]; return ok }

// cell gives the text of a cell; one that is not there is empty.
func (s sheet) cell(r row, c column) string {
	if i, ok := s.at[c]; ok && i < len(r.cells) {
		return r.cells[i]
	}
	return ""
}

// name tells which column stands at i; "" for none.
func (s sheet) name(i int) column {
	if i < len(s.names) {
		return s.names[i]
	}
	return ""
}

// readCatalog reads a file whole; it fails past maxCatalog.
func readCatalog(src io.Reader) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(src, maxCatalog+1))
	switch {
	case err != nil:
		return nil, unreadable(err)
	case len(raw) > maxCatalog:
		return nil, errTooLarge
	case len(bytes.TrimSpace(raw)) == 0:
		return nil, errEmpty
	}
	return raw, nil
}

// decodeAll gives a whole file as UTF-8. Characters outside its encoding
// become U+FFFD, which parseSheet finds.
func decodeAll(raw []byte) (string, error) {
	enc, mark, err := sniff(raw, true)
	if err != nil {
		return "", err
	}
	text := raw[mark:]
	if enc == gb18030 {
		text, _ = enc.decode(text) // what is wrong is marked in the text
	}
	plain := strings.ToValidUTF8(string(text), string(utf8.RuneError))
	if !strings.Contains(plain, "\n") {
		plain = strings.ReplaceAll(plain, "\r", "\n") // an old Macintosh
	}
	return plain, nil
}

// parseSheet reads header and rows. It fails if the header does not fit;
// what is wrong further down is for the rows to tell.
func parseSheet(text string) (sheet, error) {
	r := csv.NewReader(strings.NewReader(text))
	r.FieldsPerRecord = -1
	r.Comma = separator(text)
	header, err := r.Read()
	if err != nil {
		return sheet{}, errs.Wrap(err, errs.Invalid, "header_unreadable", "the header row cannot be read")
	}
	s := sheet{}
	if s.at, err = parseHeader(header); err != nil {
		return sheet{}, err
	}
	s.names = make([]column, len(header))
	for c, i := range s.at {
		s.names[i] = c
	}
	for {
		cells, err := r.Read()
		var wrong *csv.ParseError
		switch {
		case errors.Is(err, io.EOF):
			return s, nil
		case errors.As(err, &wrong):
			s.cut = []Finding{finding(int64(wrong.StartLine), "", "bad_quotes")}
			return s, nil
		case err != nil:
			return sheet{}, unreadable(err)
		}
		no, _ := r.FieldPos(0)
		if !slices.ContainsFunc(cells, func(c string) bool { return strings.TrimSpace(c) != "" }) {
			continue // spreadsheets save empty rows too
		}
		s.rows = append(s.rows, row{int64(no), cells})
	}
}

// separator tells by the header row what parts the cells: spreadsheets write
// semicolons or tabs where the comma is taken.
func separator(text string) rune {
	header, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	for _, c := range []rune{',', ';', '\t'} {
		if strings.ContainsRune(header, c) {
			return c
		}
	}
	return ','
}

// parseHeader finds the columns. Unknown, repeated and missing ones are named.
func parseHeader(header []string) (map[column]int, error) {
	at := map[column]int{}
	for i, cell := range header {
		name := column(strings.ToLower(machine(strings.Trim(cell, "\uFEFF"))))
		_, twice := at[name]
		switch {
		case name == "":
			continue
		case !slices.Contains(allColumns(), name):
			return nil, badHeader("unknown_column", "the file has a column that is not known: ", string(name))
		case twice:
			return nil, badHeader("duplicate_column", "the file has a column twice: ", string(name))
		}
		at[name] = i
	}
	for _, name := range neededColumns() {
		if _, ok := at[name]; !ok {
			return nil, badHeader("missing_column", "the file lacks a column: ", string(name))
		}
	}
	return at, nil
}

func badHeader(code, msg, name string) error {
	if runes := []rune(name); len(runes) > 60 {
		name = string(runes[:60]) + "…"
	}
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, name)
	return errs.Field("file", code, msg+name).With("column", name)
}
