package offline

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/seal"
)

// bundleMost is more than a bundle of keys takes, in bytes.
const bundleMost = 4 << 20

// Strangers are files on a disk that no manifest lists.
type Strangers struct {
	Names []string // at most strangersMost
	// Cards are those that are the bundle of card keys: whoever finds the disk
	// should not find that, too.
	Cards []string
}

const strangersMost = 100

// FindStrangers looks for files in dir that are not in live. cardsName is the name
// that the bundle of card keys is sealed under.
func FindStrangers(dir string, live map[string]manifest.Entry, reader seal.Reader, cardsName string) (Strangers, error) {
	var found Strangers
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		name := filepath.ToSlash(rel)
		_, listed := live[name]
		switch {
		case entry.IsDir() && name != "." && (ofFileSystem(entry.Name()) || name == ".tmp"):
			return fs.SkipDir
		case !entry.Type().IsRegular(), listed, name == MarkerName, name == markerTemp,
			strings.HasPrefix(name, manifest.Prefix), strings.HasPrefix(name, backup.HoldPrefix):
			return nil
		}
		if len(found.Names) < strangersMost {
			found.Names = append(found.Names, name)
		}
		if sealedAs(path, cardsName, reader) {
			found.Cards = append(found.Cards, name)
		}
		return nil
	})
	if err != nil {
		return found, backup.Unavailable(err)
	}
	return found, nil
}

// sealedAs tells whether this shop sealed a file under a name.
func sealedAs(path, name string, reader seal.Reader) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil || info.Size() > bundleMost {
		return false
	}
	_, err = reader.Check(f, name)
	return err == nil
}

// Ours are the findings of a verification that are about the backup: a file that
// somebody else put on the disk under a name that no backup has is a stranger.
func Ours(findings []manifest.Finding) []manifest.Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f manifest.Finding) bool {
		return f.Kind == manifest.Forged && !ours(f.Name) && !strings.HasPrefix(f.Name, manifest.Prefix)
	})
}
