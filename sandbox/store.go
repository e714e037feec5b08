package sandbox

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// record is one line of the state file. Its members become true together: a line is either whole or not there.
type record struct {
	Platform *platform `json:"platform,omitempty"`
	Merchant *merchant `json:"merchant,omitempty"`
	Trade    *trade    `json:"trade,omitempty"`
	Refund   *refund   `json:"refund,omitempty"`
	Note     *note     `json:"note,omitempty"`
}

// store is the state in memory and its journal on disk. It holds a lock file, so that two processes cannot write to
// one state file.
type store struct {
	state   *state
	journal *journal
	lock    io.Closer
}

// openStore locks and loads the state file at path, drops a torn last line, and rewrites the file compactly.
func openStore(path string) (*store, error) {
	if path == "" {
		return nil, errors.New("sandbox: StateFile is empty")
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, fmt.Errorf("sandbox: state directory: %w", err)
	}
	lock, err := lockFile(path + ".lock")
	if err != nil {
		return nil, fmt.Errorf("sandbox: %s is in use by another process: %w", path, err)
	}
	st, file, err := loadAndCompact(path)
	if err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	return &store{state: st, journal: newJournal(file), lock: lock}, nil
}

func (s *store) close() error {
	return errors.Join(s.journal.close(), s.lock.Close())
}

// commit applies r to memory and appends it to the journal. The caller holds the sandbox's lock.
func (s *store) commit(r record) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("sandbox: encode record: %w", err)
	}
	if err := s.journal.append(append(line, '\n')); err != nil {
		return fmt.Errorf("sandbox: append record: %w", err)
	}
	return s.state.apply(r)
}

func loadAndCompact(path string) (*state, *os.File, error) {
	st, err := loadState(path)
	if err != nil {
		return nil, nil, err
	}
	if err := st.complete(); err != nil {
		return nil, nil, err
	}
	if err := writeSnapshot(path, st); err != nil {
		return nil, nil, fmt.Errorf("sandbox: compact %s: %w", path, err)
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, fmt.Errorf("sandbox: open state file: %w", err)
	}
	return st, file, nil
}

// complete gives the platform the keys that it lacks: all of them at the first start, Alipay's in a state file of
// before there was Alipay.
func (st *state) complete() error {
	if st.platform == nil {
		p, err := newPlatform()
		if err != nil {
			return err
		}
		return st.apply(record{Platform: p})
	}
	if st.platform.Ali != nil {
		return nil
	}
	ali, err := newAliKeys()
	if err != nil {
		return err
	}
	p := *st.platform
	p.Ali = ali
	return st.apply(record{Platform: &p})
}

func loadState(path string) (*state, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newState(), nil
	}
	if err != nil {
		return nil, fmt.Errorf("sandbox: open state file: %w", err)
	}
	defer file.Close()
	st, err := readState(file)
	if err != nil {
		return nil, fmt.Errorf("sandbox: read %s: %w", path, err)
	}
	return st, nil
}

// readState replays lines. What follows the last newline is the torn end of a write that was never acknowledged and
// is dropped, and so is a last line that does not parse; damage before it is an error, because acknowledged payments
// may be in it.
func readState(r io.Reader) (*state, error) {
	st := newState()
	in := bufio.NewReaderSize(r, 1<<16)
	var bad error
	for n := 1; ; n++ {
		line, err := in.ReadBytes('\n')
		if err == io.EOF {
			return st, nil
		}
		if err != nil {
			return nil, err
		}
		if bad != nil {
			return nil, bad
		}
		if err := st.replay(line); err != nil {
			bad = fmt.Errorf("line %d is damaged: %w", n, err)
		}
	}
}

func (st *state) replay(line []byte) error {
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return err
	}
	return st.apply(r)
}

// writeSnapshot replaces the file at path by the state, durably: either the old or the new file survives a crash.
func writeSnapshot(path string, st *state) error {
	tmp := path + ".tmp"
	file, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err := errors.Join(encodeState(file, st), file.Sync(), file.Close()); err != nil {
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		return err
	}
	dir, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(dir.Sync(), dir.Close())
}

func encodeState(w io.Writer, st *state) error {
	out := bufio.NewWriterSize(w, 1<<16)
	enc := json.NewEncoder(out)
	for r := range st.records() {
		if err := enc.Encode(r); err != nil {
			return err
		}
	}
	return out.Flush()
}
