package standby

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/durable"
	"panshi/internal/errs"
)

// The names below the data directory.
const (
	dirName      = "standby"
	stateName    = "state.json"
	databaseName = "database"
	segmentName  = "segment"
	nextName     = "next"
)

// State is what the database of a standby is.
type State struct {
	Node        string `json:"node"` // drawn once
	Generation  string `json:"generation"`
	Transaction uint64 `json:"transaction"` // 0: there is no database yet
	Time        int64  `json:"time"`        // of that transaction, milliseconds since 1970 UTC by the shop's clock
	// Replacing says that the file next is whole and becomes the database.
	Replacing bool `json:"replacing,omitempty"`
	// Promoting is the epoch that this standby took, 0 for none: it follows no more.
	Promoting uint64 `json:"promoting,omitempty"`
}

// At is Time as a time.
func (s State) At() time.Time { return time.UnixMilli(s.Time).UTC() }

// Dir is where the standby of a data directory keeps its files.
func Dir(data string) string { return filepath.Join(data, dirName) }

// Is tells whether a data directory is a standby's.
func Is(data string) bool {
	_, err := os.Stat(filepath.Join(Dir(data), stateName))
	return err == nil
}

// Create makes a standby of a data directory, which may exist and must have no
// shop in it. The caller has looked, and has brought its keys.
func Create(data, node string) error {
	if err := durable.MakeDir(Dir(data)); err != nil {
		return unusable(err)
	}
	return save(data, State{Node: node})
}

// Load reads what a standby has. Code standby_missing: the directory is none.
func Load(data string) (s State, err error) {
	content, err := os.ReadFile(filepath.Join(Dir(data), stateName))
	if errors.Is(err, fs.ErrNotExist) {
		return s, errs.Field("data", "standby_missing", "this data directory is no standby's")
	}
	if err == nil {
		err = json.Unmarshal(content, &s)
	}
	if err != nil {
		return s, unusable(err)
	}
	return s, nil
}

func save(data string, s State) error {
	content, err := json.Marshal(s)
	if err == nil {
		err = durable.WriteFile(filepath.Join(Dir(data), stateName), content)
	}
	if err != nil {
		return unusable(err)
	}
	return nil
}

func unusable(err error) error {
	return errs.Wrap(err, errs.Unavailable, "standby_unusable", "the files of this standby cannot be read or written")
}
