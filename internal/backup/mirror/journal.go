package mirror

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"

	"panshi/internal/backup/manifest"
	"panshi/internal/durable"
)

// event is one line of a journal: "<crc32 of the JSON, 8 digits> <JSON>\n". Exactly
// one field is set.
type event struct {
	Add      *manifest.Entry    `json:"add,omitempty"`      // the destination has it
	Drop     string             `json:"drop,omitempty"`     // given up by retention, to be deleted
	Gone     string             `json:"gone,omitempty"`     // deleted
	Lost     string             `json:"lost,omitempty"`     // it was there and is not
	From     *start             `json:"from,omitempty"`     // what the destination has to have
	Adopt    *manifest.Head     `json:"adopt,omitempty"`    // a chain that this one takes over
	Pending  *manifest.Manifest `json:"pending,omitempty"`  // decided, perhaps stored
	Declared *manifest.Head     `json:"declared,omitempty"` // stored and proved
}

// journal is the append-only file of one destination. One goroutine uses it.
type journal struct {
	path   string
	file   *os.File
	events int
}

// openJournal reads all whole lines and calls apply for each. A torn last line
// was never counted on and is cut off. damaged tells that a line before the last
// one is wrong: then the file is set aside and the journal begins anew.
func openJournal(path string, apply func(event)) (j *journal, damaged bool, err error) {
	content, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, err
	}
	events, whole, damaged := readEvents(content)
	if damaged {
		if err := os.Rename(path, path+".damaged"); err != nil {
			return nil, true, err
		}
		events, whole = nil, 0
	}
	for _, e := range events {
		apply(e)
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, damaged, err
	}
	if err := errors.Join(f.Truncate(int64(whole)), f.Sync(), durable.SyncDir(filepath.Dir(path))); err != nil {
		return nil, damaged, errors.Join(err, f.Close())
	}
	return &journal{path: path, file: f, events: len(events)}, damaged, nil
}

// readEvents gives the events, how many bytes their lines have, and whether
// something else than a torn end follows.
func readEvents(content []byte) (events []event, whole int, damaged bool) {
	for whole < len(content) {
		end := bytes.IndexByte(content[whole:], '\n')
		if end < 0 {
			return events, whole, false
		}
		e, ok := parseLine(content[whole : whole+end])
		if !ok {
			return events, whole, whole+end+1 < len(content)
		}
		events = append(events, e)
		whole += end + 1
	}
	return events, whole, false
}

func parseLine(line []byte) (event, bool) {
	sum, text, found := bytes.Cut(line, []byte(" "))
	var e event
	if !found || string(sum) != checksum(text) || json.Unmarshal(text, &e) != nil {
		return event{}, false
	}
	return e, true
}

func checksum(text []byte) string { return fmt.Sprintf("%08x", crc32.ChecksumIEEE(text)) }

func formatLine(e event) ([]byte, error) {
	text, err := json.Marshal(e)
	return fmt.Appendf(nil, "%s %s\n", checksum(text), text), err
}

// append writes events durably.
func (j *journal) append(events ...event) error {
	var out []byte
	for _, e := range events {
		line, err := formatLine(e)
		if err != nil {
			return err
		}
		out = append(out, line...)
	}
	if _, err := j.file.Write(out); err != nil {
		return err
	}
	j.events += len(events)
	return j.file.Sync()
}

// rewrite replaces the file by one with these events only.
func (j *journal) rewrite(events []event) error {
	tmp, err := os.OpenFile(j.path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(tmp)
	for _, e := range events {
		line, err := formatLine(e)
		if err == nil {
			_, err = w.Write(line)
		}
		if err != nil {
			return errors.Join(err, tmp.Close())
		}
	}
	if err := errors.Join(w.Flush(), tmp.Sync(), os.Rename(tmp.Name(), j.path), durable.SyncDir(filepath.Dir(j.path))); err != nil {
		return errors.Join(err, tmp.Close())
	}
	old := j.file
	j.file, j.events = tmp, len(events)
	return old.Close()
}

func (j *journal) close() error { return j.file.Close() }
