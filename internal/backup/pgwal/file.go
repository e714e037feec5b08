package pgwal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"panshi/internal/backup/spool"
)

// magic begins every file.
const magic = "PGW1"

// Kinds of frames.
const (
	frameHead     = 'h' // the first
	frameData     = 'd' // log, or tar of a base
	frameManifest = 'm' // the server's list of a base's files
	frameEnd      = 'e' // the last
)

// maxFrame is the longest frame in bytes.
const maxFrame = 1 << 20

// LevelPiece and LevelMerged are the levels of pieces of the log.
const (
	LevelPiece  = 0 // about an interval
	LevelMerged = 1 // minutes
)

// Head is what a file says of itself at its beginning.
type Head struct {
	Base     bool   `json:"base,omitempty"`
	System   string `json:"system"` // the server's identifier
	Timeline uint32 `json:"timeline"`
	Segment  uint64 `json:"segment"` // bytes of a file of the log
	Major    int    `json:"major"`   // the server's version
	// Start is where the log in a piece begins, or recovery from a base.
	Start uint64 `json:"start"`
	// Database and Role are how the shop reaches its tables; only in a base.
	Database string `json:"database,omitempty"`
	Role     string `json:"role,omitempty"`
}

// Same tells whether two files are of one history.
func (h Head) Same(o Head) bool {
	return h.System == o.System && h.Timeline == o.Timeline && h.Segment == o.Segment && h.Major == o.Major
}

// End is what a file says of itself when it is whole.
type End struct {
	// Log is where the log in a piece ends, or that which a base needs.
	Log uint64 `json:"log"`
	// Current says that the server had no more than that when the piece was cut:
	// nothing that was committed before the time in its name comes later.
	Current bool `json:"current,omitempty"`
}

// Writer writes one file.
type Writer struct {
	zip *gzip.Writer
}

// NewWriter begins a file.
func NewWriter(w io.Writer, h Head) (*Writer, error) {
	if _, err := io.WriteString(w, magic); err != nil {
		return nil, err
	}
	zip, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	out := &Writer{zip}
	return out, out.json(frameHead, h)
}

func (w *Writer) json(kind byte, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return w.frame(kind, text)
}

func (w *Writer) frame(kind byte, data []byte) error {
	var head [5]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(data)))
	if _, err := w.zip.Write(head[:]); err != nil {
		return err
	}
	_, err := w.zip.Write(data)
	return err
}

// Data adds bytes.
func (w *Writer) Data(data []byte) error { return w.all(frameData, data) }

// Manifest adds bytes of a base's manifest.
func (w *Writer) Manifest(data []byte) error { return w.all(frameManifest, data) }

func (w *Writer) all(kind byte, data []byte) error {
	for len(data) > 0 {
		n := min(len(data), maxFrame)
		if err := w.frame(kind, data[:n]); err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// Close makes the file whole.
func (w *Writer) Close(e End) error { return errors.Join(w.json(frameEnd, e), w.zip.Close()) }

// Is tells whether content begins as a file of this package does; what was
// looked at is not lost in rest.
func Is(content io.Reader) (is bool, rest io.Reader) {
	r := bufio.NewReader(content)
	start, _ := r.Peek(len(magic)) // an error shows itself to who reads on
	return string(start) == magic, r
}

// Reader reads one file.
type Reader struct {
	Head Head

	r     *bufio.Reader
	frame []byte
	end   *End
}

// NewReader reads a file's head.
func NewReader(content io.Reader) (*Reader, error) {
	var start [len(magic)]byte
	if _, err := io.ReadFull(content, start[:]); err != nil {
		return nil, notOurs(err)
	}
	if string(start[:]) != magic {
		return nil, errNotOurs
	}
	zip, err := gzip.NewReader(content)
	if err != nil {
		return nil, notOurs(err)
	}
	r := &Reader{r: bufio.NewReaderSize(zip, 64<<10), frame: make([]byte, maxFrame)}
	kind, text, err := r.next()
	if err == nil && kind != frameHead {
		err = errNotOurs
	}
	if err == nil {
		err = json.Unmarshal(text, &r.Head)
	}
	return r, err
}

var errNotOurs = errors.New("this is no piece of a server's history")

func notOurs(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errNotOurs
	}
	return err
}

func (r *Reader) next() (kind byte, data []byte, err error) {
	var head [5]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, nil, cutOff(err)
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > maxFrame {
		return 0, nil, errNotOurs
	}
	_, err = io.ReadFull(r.r, r.frame[:n])
	return head[0], r.frame[:n], cutOff(err)
}

// cutOff makes the end of a file that is not whole an error of its own.
func cutOff(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// Next gives the next bytes of the log or the archive, valid until the next
// call, and io.EOF at the end of a file that is whole. Manifests are passed over.
func (r *Reader) Next() ([]byte, error) {
	for r.end == nil {
		kind, data, err := r.next()
		if err != nil {
			return nil, err
		}
		switch kind {
		case frameData:
			return data, nil
		case frameManifest:
		case frameEnd:
			var e End
			if err := json.Unmarshal(data, &e); err != nil {
				return nil, err
			}
			r.end = &e
		default:
			return nil, errNotOurs
		}
	}
	if _, err := r.r.ReadByte(); !errors.Is(err, io.EOF) {
		return nil, errors.Join(errNotOurs, err)
	}
	return nil, io.EOF
}

// End reads the rest of a file and returns what it says of itself at its end.
func (r *Reader) End() (End, error) {
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return *r.end, nil
		} else if err != nil {
			return End{}, err
		}
	}
}

// Fits compares a file, read to its end, with its name.
func Fits(f spool.File, h Head, e End, bytes uint64) error {
	switch {
	case h.Base != (f.Level == spool.SnapshotLevel), h.Segment == 0:
	case h.Base && f.Whole() && f.Last == h.Start-h.Start%h.Segment && e.Log >= h.Start:
		return nil
	case !h.Base && f.First == h.Start+1 && f.Last == e.Log && e.Log == h.Start+bytes:
		return nil
	}
	return fmt.Errorf("it holds something else than its name says: %d to %d with %d bytes", h.Start, e.Log, bytes)
}

// Piece makes the content of a piece in memory.
func Piece(h Head, data []byte, e End) (io.Reader, error) {
	var b bytes.Buffer
	w, err := NewWriter(&b, h)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(w.Data(data), w.Close(e)); err != nil {
		return nil, err
	}
	return &b, nil
}
