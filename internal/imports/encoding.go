package imports

import (
	"bytes"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"

	"panshi/internal/errs"
)

// encoding is how the bytes of a file are read.
type encoding uint8

const (
	undecided encoding = iota // plain ASCII so far
	utf8Text
	gb18030
)

// Errors about files that are not text as we read it.
var (
	errUTF16 = errs.Field("file", "file_utf16", "the file is UTF-16; save it as UTF-8 or as CSV (GBK)")
	errSheet = errs.Field("file", "file_not_text", "the file is a spreadsheet or an archive; save it as CSV or text first")
)

// sniffSize is how much of a file is looked at to tell its encoding.
const sniffSize = 64 << 10

// sniff tells the encoding by the first bytes of a file, and how many of them
// are a byte order mark. whole says that there is nothing behind prefix.
func sniff(prefix []byte, whole bool) (enc encoding, mark int, err error) {
	switch {
	case bytes.HasPrefix(prefix, []byte{0xEF, 0xBB, 0xBF}):
		return utf8Text, 3, nil
	case bytes.HasPrefix(prefix, []byte{0x84, 0x31, 0x95, 0x33}):
		return gb18030, 4, nil
	case bytes.HasPrefix(prefix, []byte{0xFF, 0xFE}), bytes.HasPrefix(prefix, []byte{0xFE, 0xFF}):
		return undecided, 0, errUTF16
	case bytes.HasPrefix(prefix, []byte("PK\x03\x04")), bytes.HasPrefix(prefix, []byte{0xD0, 0xCF, 0x11, 0xE0}):
		return undecided, 0, errSheet
	case len(prefix) >= 8 && bytes.Count(prefix, []byte{0}) > len(prefix)/4:
		return undecided, 0, errUTF16 // ASCII in UTF-16 without a mark
	}
	return decide(prefix, whole), 0, nil
}

// decide asks the lines of text that are not plain ASCII. Most of them, not
// all: one broken line in a file of UTF-8 must not turn all others into other
// characters. A line of GB18030 is hardly ever valid UTF-8.
func decide(text []byte, whole bool) encoding {
	good, bad := 0, 0
	for len(text) > 0 {
		line, rest := cutLine(text)
		if rest == nil && !whole {
			line = withoutCutRune(line)
		}
		switch {
		case isASCII(line):
		case utf8.Valid(line):
			good++
		default:
			bad++
		}
		text = rest
	}
	switch {
	case good+bad == 0:
		return undecided
	case good >= bad:
		return utf8Text
	}
	return gb18030
}

// cutLine gives the first line of text and what is behind its end; rest is nil
// if the end was not in sight.
func cutLine(text []byte) (line, rest []byte) {
	if end := bytes.IndexAny(text, "\r\n"); end >= 0 {
		return text[:end], text[end+1:]
	}
	return text, nil
}

// withoutCutRune drops the first bytes of a character whose rest is out of
// sight.
func withoutCutRune(line []byte) []byte {
	for n := 1; n <= min(utf8.UTFMax-1, len(line)); n++ {
		if tail := line[len(line)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return line[:len(line)-n]
			}
			break
		}
	}
	return line
}

func isASCII(line []byte) bool {
	for _, b := range line {
		if b >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// decode gives raw as UTF-8; ok is false if it is not of the encoding.
func (e encoding) decode(raw []byte) (text []byte, ok bool) {
	if isASCII(raw) {
		return raw, true
	}
	if e != gb18030 {
		return raw, utf8.Valid(raw)
	}
	text, err := simplifiedchinese.GB18030.NewDecoder().Bytes(raw)
	return text, err == nil && !bytes.ContainsRune(text, utf8.RuneError)
}
