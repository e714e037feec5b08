package kit

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Copied is a shop that copies itself to a directory, and the recovery sheet by
// which that directory is opened.
type Copied struct {
	*Shop
	Nas   string // the directory
	Sheet string // the sheet's file
}

// NewCopied is NewShop with a destination. The shop proves nothing by itself.
func NewCopied(t testing.TB, p *Platform, settings ...string) *Copied {
	t.Helper()
	c := StoppedCopied(t, p, append([]string{"backup.prove=off"}, settings...)...)
	c.Start()
	return c
}

// StoppedCopied is NewCopied without the start, and with what a shop does by
// itself.
func StoppedCopied(t testing.TB, p *Platform, settings ...string) *Copied {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "nas")
	shop := Stopped(t, p, append(settings, Nas(dir))...)
	require.Error(t, shop.TryStart(), "there is no sheet to seal to")
	return &Copied{shop, dir, shop.NewSheet()}
}

// NewSheet prints the recovery sheet of a shop that has none, into a file.
func (s *Shop) NewSheet() (path string) {
	s.t.Helper()
	r := s.Run("key", "recovery", "new")
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
	path = filepath.Join(s.t.TempDir(), "sheet.txt")
	require.NoError(s.t, os.WriteFile(path, []byte(r.Out), 0o600))
	return path
}

// Nas makes a directory the one destination, called nas.
func Nas(dir string) string {
	return "backup.destinations=[{label: nas, kind: directory, region: basement, same_device: true, dir: " + dir + "}]"
}

// Copies is what `panshi backup status --json` tells of destinations.
type Copies struct {
	Transaction  uint64        `json:"transaction"`
	Lag          time.Duration `json:"lag_ns"`
	Failure      string        `json:"failure"`
	Destinations []Copy        `json:"destinations"`
}

// Copy is one destination of Copies.
type Copy struct {
	Label      string    `json:"label"`
	Restorable bool      `json:"restorable"`
	To         time.Time `json:"to"` // a restore from it gets so far
	Pending    int       `json:"pending"`
	Failure    string    `json:"failure"`
	Alarms     []string  `json:"alarms"`
}

// Copies asks how far the copies are. A shipment that failed is no failure of
// the question.
func (s *Shop) Copies() (c Copies) {
	s.t.Helper()
	r := s.Run("backup", "status", "--json")
	require.NoError(s.t, json.Unmarshal([]byte(r.Out), &c), "%s%s", r.Out, r.Err)
	return c
}

// AwaitCopied waits until every destination has all that was committed when it is
// called. Either nothing is left to copy, for longer than a moment, since the
// mirror looks a few times a second; or, where a database server never rests, the
// destinations reach beyond the call.
func (s *Shop) AwaitCopied() {
	s.t.Helper()
	var c Copies
	held, at, asked := 0, uint64(0), time.Now()
	require.Eventually(s.t, func() bool {
		c = s.Copies()
		all, beyond := c.Lag == 0 && len(c.Destinations) > 0, len(c.Destinations) > 0
		for _, d := range c.Destinations {
			all = all && d.Restorable && d.Pending == 0
			beyond = beyond && d.Restorable && d.To.After(asked.Add(time.Second))
		}
		if held++; !all || c.Transaction != at {
			held, at = 0, c.Transaction
		}
		return held >= 3 || beyond
	}, time.Minute, 200*time.Millisecond, "%+v", &c)
}

// RestoreFrom brings a destination back into a directory that does not exist.
func (c *Copied) RestoreFrom(from, to string, more ...string) Result {
	c.t.Helper()
	return c.RunEnv(nil, append([]string{"restore", "--from", from, "--to", to, "--sheet", c.Sheet}, more...)...)
}
