package ship

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"github.com/benbjohnson/litestream"
	"github.com/superfly/ltx"

	"panshi/internal/backup"
	"panshi/internal/backup/spool"
	"panshi/internal/durable"
)

// The files of the state directory.
const (
	generationFile = "generation" // that the database belongs to
	ancestorFile   = "ancestor"   // that a restored database came from
)

// NoteAncestor tells a data directory, which the caller has just restored,
// which generation it came from: the one that it begins sorts after that.
func NoteAncestor(data, generation string) error {
	return writeWord(filepath.Join(data, stateDir), ancestorFile, generation)
}

// BeginEpoch tells a data directory under which epoch it writes from now on. What
// it ships must sort after all of the epochs before, so a history that began
// under one of those ends. The shop stands still. It may be called again.
func BeginEpoch(data string, epoch uint64) error {
	dir := filepath.Join(data, stateDir)
	floor := fmt.Sprintf("%08d-00000000", backup.FirstOf(epoch))
	known, err := readWord(dir, generationFile)
	if err != nil || known >= floor {
		return err
	}
	ancestor, err := readWord(dir, ancestorFile)
	if err != nil {
		return err
	}
	if err := writeWord(dir, ancestorFile, max(ancestor, known, floor)); err != nil || known == "" {
		return err
	}
	if err := os.Remove(filepath.Join(dir, generationFile)); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	return durable.SyncDir(dir)
}

// generation decides which generation goes on, or begins a new one.
func (s *Shipper) generation(ctx context.Context) (string, error) {
	dir := filepath.Join(s.data, stateDir)
	known, err := readWord(dir, generationFile)
	if err != nil {
		return "", err
	}
	broken := s.whyBroken(known)
	if broken == nil {
		return known, nil
	}
	ancestor, err := readWord(dir, ancestorFile)
	if err != nil {
		return "", err
	}
	names := []string{known, ancestor}
	files, err := s.spool.List(ctx, "")
	if err != nil {
		return "", err
	}
	for _, f := range files {
		names = append(names, f.Generation)
	}
	next := spool.NextGeneration(names...)
	s.log.Info("backup: a new generation begins with a whole copy", slog.String("generation", next), slog.Any("because", broken))
	// The staged files go first: without their generation they mean nothing, and
	// with another they would be taken for its own.
	if err := os.RemoveAll(s.staged()); err != nil {
		return "", fmt.Errorf("ship: %w", err)
	}
	return next, writeWord(dir, generationFile, next)
}

// whyBroken tells why the history cannot be proved to go on from where it was
// left; nil if it can.
func (s *Shipper) whyBroken(generation string) error {
	if generation == "" {
		return errors.New("the database belongs to none")
	}
	c := &client{spool: s.spool, generation: generation}
	shipped, ok := c.shipped()
	if !ok {
		return errors.New("the spool has nothing of the last one")
	}
	staged, err := s.lastStaged()
	if err != nil {
		return err
	}
	if uint64(staged.MaxTXID) < shipped.Last {
		return errors.New("the spool is ahead of the data directory")
	}
	return s.sameLog(staged)
}

// lastStaged reads the newest staged file to its end and returns its head.
func (s *Shipper) lastStaged() (ltx.Header, error) {
	dir := filepath.Join(s.staged(), "ltx", "0")
	entries, err := os.ReadDir(dir) // sorted: the newest is the last
	if err != nil {
		return ltx.Header{}, err
	}
	for i := len(entries) - 1; i >= 0; i-- {
		if _, _, err := ltx.ParseFilename(entries[i].Name()); err != nil {
			continue // cut off in writing
		}
		file, err := os.Open(filepath.Join(dir, entries[i].Name()))
		if err != nil {
			return ltx.Header{}, err
		}
		decoder := ltx.NewDecoder(file)
		err = decoder.Verify()
		return decoder.Header(), errors.Join(err, file.Close())
	}
	return ltx.Header{}, errors.New("nothing is staged")
}

// sameLog tells whether the log is still the one that a staged file was read
// from, and not shorter than it was then.
func (s *Shipper) sameLog(staged ltx.Header) error {
	log, err := os.Open(s.path + "-wal")
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }() // it was only read
	var head [litestream.WALHeaderSize]byte
	if _, err := io.ReadFull(log, head[:]); err != nil {
		return fmt.Errorf("the log was emptied: %w", err)
	}
	info, err := log.Stat()
	if err != nil {
		return err
	}
	salt1, salt2 := binary.BigEndian.Uint32(head[16:]), binary.BigEndian.Uint32(head[20:])
	if salt1 != staged.WALSalt1 || salt2 != staged.WALSalt2 || info.Size() < staged.WALOffset+staged.WALSize {
		return errors.New("the log started over since it was last read")
	}
	return nil
}

// readWord reads a file of one word; "" if there is none.
func readWord(dir, name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("ship: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// writeWord replaces a file of one word, durably.
func writeWord(dir, name, word string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	tmp := filepath.Join(dir, name+".new")
	file, err := os.OpenFile(tmp, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	_, err = file.WriteString(word + "\n")
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	if err := os.Rename(tmp, filepath.Join(dir, name)); err != nil {
		return fmt.Errorf("ship: %w", err)
	}
	return durable.SyncDir(dir)
}
