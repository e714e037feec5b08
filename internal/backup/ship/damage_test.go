package ship_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/backuptest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/spool"
	"panshi/internal/db/sqlite"
	"panshi/internal/errs"
)

// Whatever happens to a file that a restore needs, the restore ends with an
// error that names it, and makes nothing.
func TestADamagedSpoolIsNeverRestored(t *testing.T) {
	r := backuptest.NewDice(t)
	s := newShop(t)
	s.open()
	for i := range 6 {
		s.write(fmt.Sprint("round ", i), 5)
		s.shipped()
		if i == 2 {
			require.NoError(t, s.ship.Maintain(t.Context(), 1))
		}
	}
	s.close()
	plan, err := s.tryRestore(restore.Target{}, filepath.Join(t.TempDir(), sqlite.FileName))
	require.NoError(t, err)
	require.Greater(t, len(plan.Files), 3)
	for i := range 60 {
		f := plan.Files[r.IntN(len(plan.Files))]
		what, names := s.damage(r, i%5, f)
		target := filepath.Join(t.TempDir(), sqlite.FileName)
		again, err := s.tryRestore(restore.Target{}, target)
		switch {
		case i%5 == 0 && f.Last == plan.Transaction:
			// Nothing in a spool tells of its own end: who has a copy compares.
			require.NoError(t, err)
		case i%5 == 0 && err == nil:
			require.Equal(t, plan.Transaction, again.Transaction, "the files that were merged are still there")
		default:
			require.Equal(t, errs.Integrity, errs.KindOf(err), "%s %s: %v", what, f.Name, err)
			require.ErrorContains(t, err, names, what)
			require.NoFileExists(t, target)
		}
		s.mend(f)
	}
	_, err = s.tryRestore(restore.Target{}, filepath.Join(t.TempDir(), sqlite.FileName))
	require.NoError(t, err, "mended")
}

func (s *shop) damage(r *backuptest.Dice, kind int, f spool.File) (what, names string) {
	path := filepath.Join(s.cfg.Spool, string(f.Name))
	raw, err := os.ReadFile(path)
	require.NoError(s.t, err)
	require.NoError(s.t, os.WriteFile(path+".saved", raw, 0o600))
	put := func(path string, raw []byte) { require.NoError(s.t, os.WriteFile(path, raw, 0o600)) }
	switch kind {
	case 0:
		require.NoError(s.t, os.Remove(path))
		return "removed", fmt.Sprintf("%016x", f.First)
	case 1:
		at := r.IntN(len(raw))
		flipped := bytes.Clone(raw)
		flipped[at] ^= 1 << r.IntN(8)
		put(path, flipped)
		return fmt.Sprint("flipped at ", at), string(f.Name)
	case 2:
		at := r.IntN(len(raw))
		put(path, raw[:at])
		return fmt.Sprint("cut at ", at), string(f.Name)
	case 3:
		put(path, nil)
		return "emptied", string(f.Name)
	}
	// A copy that pretends to be what came after the newest.
	next := f
	next.First, next.Last, next.Level = 1, 1<<20, spool.SnapshotLevel
	next = spool.Named(next)
	require.NoError(s.t, os.MkdirAll(filepath.Dir(filepath.Join(s.cfg.Spool, string(next.Name))), 0o700))
	put(filepath.Join(s.cfg.Spool, string(next.Name)), raw)
	return "duplicated", string(next.Name)
}

// mend takes back what damage did to f.
func (s *shop) mend(f spool.File) {
	path := filepath.Join(s.cfg.Spool, string(f.Name))
	require.NoError(s.t, os.Rename(path+".saved", path))
	require.NoError(s.t, os.RemoveAll(filepath.Join(s.cfg.Spool, f.Generation, fmt.Sprint(spool.SnapshotLevel))))
}
