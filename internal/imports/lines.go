package imports

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"unicode"

	"panshi/internal/errs"
)

// Sizes in bytes.
const (
	maxCard = 4 << 10
	// maxRaw is what is kept of a line while it is read: a card with many
	// blanks around it still fits, and a file without line ends costs no more.
	maxRaw = 4 * maxCard
)

// line is one line of a file of cards.
type line struct {
	no    int64
	text  []byte // trimmed UTF-8; valid until the next call of next
	fault string // code of a finding; text is nil then
}

// lineReader reads a file of cards line by line in bounded memory.
type lineReader struct {
	r    *bufio.Reader
	enc  encoding
	no   int64 // lines read
	read int64 // bytes consumed
	buf  []byte
}

// newLineReader looks at the first bytes of src. It fails on files that are
// not text.
func newLineReader(src io.Reader) (*lineReader, error) {
	l := &lineReader{r: bufio.NewReaderSize(src, sniffSize), buf: make([]byte, 0, maxRaw)}
	prefix, err := l.r.Peek(sniffSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, unreadable(err)
	}
	enc, mark, err2 := sniff(prefix, errors.Is(err, io.EOF))
	if err2 != nil {
		return nil, err2
	}
	l.enc = enc
	if _, err := l.r.Discard(mark); err != nil {
		return nil, unreadable(err)
	}
	l.read = int64(mark)
	return l, nil
}

// next gives the next line that is not empty, io.EOF after the last one.
func (l *lineReader) next() (line, error) {
	for {
		complete, err := l.fill()
		if err != nil {
			return line{}, err
		}
		l.no++
		text, fault := l.judge(complete)
		if fault != "" || len(text) > 0 {
			return line{no: l.no, text: text, fault: fault}, nil
		}
	}
}

// fill reads a line into buf. complete is false if it was longer than that.
func (l *lineReader) fill() (complete bool, err error) {
	l.buf, complete = l.buf[:0], true
	for empty := true; ; empty = false {
		b, err := l.r.ReadByte()
		switch {
		case errors.Is(err, io.EOF) && !empty:
			return complete, nil
		case errors.Is(err, io.EOF):
			return false, io.EOF
		case err != nil:
			return false, unreadable(err)
		}
		l.read++
		switch {
		case b == '\n':
			return complete, nil
		case b == '\r':
			l.skipLF()
			return complete, nil
		case len(l.buf) < maxRaw:
			l.buf = append(l.buf, b)
		default:
			complete = false
		}
	}
}

// skipLF takes the second half of a CRLF.
func (l *lineReader) skipLF() {
	if next, err := l.r.Peek(1); err == nil && next[0] == '\n' {
		_, _ = l.r.Discard(1) // it was just peeked
		l.read++
	}
}

// judge decodes and trims the line in buf, or says what is wrong with it.
func (l *lineReader) judge(complete bool) (text []byte, fault string) {
	if l.enc == undecided && !isASCII(l.buf) {
		l.enc = l.decideNow(complete)
	}
	text, ok := l.enc.decode(l.buf)
	text = bytes.TrimFunc(text, blank)
	switch {
	case !complete, ok && len(text) > maxCard:
		return nil, TooLong
	case !ok:
		return nil, BadEncoding
	case bytes.ContainsFunc(text, control):
		return nil, ControlCharacter
	}
	return text, ""
}

// decideNow asks the line at hand, which is the first that is not plain ASCII,
// and as much of what follows as a look at the beginning would have asked.
func (l *lineReader) decideNow(complete bool) encoding {
	first := l.buf
	if !complete {
		first = withoutCutRune(first)
	}
	following, err := l.r.Peek(sniffSize)
	sight := make([]byte, 0, len(first)+1+len(following))
	sight = append(append(append(sight, first...), '\n'), following...)
	return decide(sight, errors.Is(err, io.EOF))
}

// blank tells what is cut around a card: all spaces, the full-width one too,
// and the marks that editors and web pages leave.
func blank(r rune) bool { return unicode.IsSpace(r) || r == '\uFEFF' || r == '\u200B' }

// control tells what no card has. A tab may part an account from its password.
func control(r rune) bool { return unicode.IsControl(r) && r != '\t' }

func unreadable(err error) error {
	return errs.Wrap(err, errs.Invalid, "file_unreadable", "the file could not be read to its end")
}
