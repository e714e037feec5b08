package kit

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Shop is a demo shop of a test: a data directory and the process that serves
// it, which may be killed and started again.
type Shop struct {
	Dir, Data     string // the test's directory; the data directory in it
	Addr, Console string
	LogFile       string
	*Proc         // of the last start

	// Config is a configuration file for the server and all commands; "" is
	// none. Set it before the start.
	Config string

	t        testing.TB
	platform *Platform
	settings []string
	env      []string

	database, databaseURL string // on PostgreSQL; "" on SQLite
}

// NewShop copies the demo shop and starts it with --set settings. It takes its
// payments through p.
func NewShop(t testing.TB, p *Platform, settings ...string) *Shop {
	t.Helper()
	s := Stopped(t, p, settings...)
	s.Start()
	return s
}

// Stopped is NewShop without the start.
func Stopped(t testing.TB, p *Platform, settings ...string) *Shop {
	t.Helper()
	dir, demo := t.TempDir(), demoOf(t)
	s := empty(t, dir, p, settings)
	require.NoError(t, copyPrivate(dir, demo.dir))
	s.useDatabase(demo.database)
	return s
}

// copyPrivate copies a tree; its files are the owner's alone, as they were.
func copyPrivate(to, from string) error {
	return filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		switch {
		case err != nil:
			return err
		case e.IsDir():
			return os.MkdirAll(filepath.Join(to, rel), 0o700)
		case !e.Type().IsRegular():
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(to, rel), content, 0o600)
	})
}

// Empty is a shop in dir that has no data yet.
func Empty(t testing.TB, dir string, p *Platform, settings ...string) *Shop {
	t.Helper()
	Binary(t) // opens what all shops share
	s := empty(t, dir, p, settings)
	s.useDatabase("template0")
	return s
}

func empty(t testing.TB, dir string, p *Platform, settings []string) *Shop {
	t.Helper()
	tmp := filepath.Join(dir, "tmp")
	require.NoError(t, os.MkdirAll(tmp, 0o700))
	s := &Shop{
		Dir: dir, Data: filepath.Join(dir, shopDir), Addr: freeAddr(), Console: freeAddr(), LogFile: filepath.Join(dir, "shop.log"),
		t: t, platform: p, settings: append([]string{"guard.limits=off"}, settings...), env: []string{"TMPDIR=" + tmp},
	}
	t.Cleanup(s.explain)
	return s
}

// explain shows the end of what a shop complained of, if its test failed.
func (s *Shop) explain() {
	if !s.t.Failed() {
		return
	}
	if _, err := os.Stat(s.LogFile); err != nil {
		return // it never ran
	}
	lines, _ := s.LogSince(s.t, 0)
	loud := slices.DeleteFunc(lines, func(l LogLine) bool { return !l.Loud() })
	for _, l := range loud[max(0, len(loud)-10):] {
		s.t.Log("shop: " + l.Raw)
	}
}

// Prepare builds the program and fills the demo shop. Call it before a clock
// starts that is to measure something else: on a busy machine it takes minutes.
func Prepare(t testing.TB) {
	t.Helper()
	demoOf(t)
}

func demoOf(t testing.TB) demoShop {
	t.Helper()
	Binary(t)
	demo, err := shared.demo()
	if err != nil {
		t.Fatalf("kit: %v", err)
	}
	return demo
}

// Start starts the shop and waits until it can sell. env is for this start
// only.
func (s *Shop) Start(env ...string) {
	s.t.Helper()
	require.NoError(s.t, s.TryStart(env...))
}

// TryStart is Start for a shop that may die on the way.
func (s *Shop) TryStart(env ...string) error {
	if err := s.Launch(env...); err != nil {
		return err
	}
	return s.await(s.URL()+"/readyz", 30*time.Second)
}

// Launch starts the shop and does not wait.
func (s *Shop) Launch(env ...string) error { return s.LaunchWith(nil, env...) }

// LaunchWith is Launch with more flags of panshi serve.
func (s *Shop) LaunchWith(more []string, env ...string) error {
	args := append([]string{"serve", "--http", s.Addr, "--console", s.Console}, s.Flags()...)
	if s.platform != nil {
		args = append(args, "--set", "sandbox.url="+s.platform.URL)
	}
	for _, kv := range s.settings {
		args = append(args, "--set", kv)
	}
	args = append(args, more...)
	p, err := startProc(s.LogFile, append(s.env, env...), Binary(s.t), args...)
	if err != nil {
		return err
	}
	s.Proc = p
	s.t.Cleanup(p.Kill)
	return nil
}

// URL is where buyers find the shop.
func (s *Shop) URL() string { return "http://" + s.Addr }

// Client returns a buyer's client of the shop.
func (s *Shop) Client() *Client { return newClient(s.URL()) }

// Result is what a command left behind.
type Result struct {
	Code     int
	Out, Err string
}

// Flags are those by which every command finds this shop.
func (s *Shop) Flags() []string {
	flags := append([]string{"--data", s.Data}, settingsOf(s.databaseURL)...)
	if s.Config != "" {
		flags = append(flags, "--config", s.Config)
	}
	return flags
}

// Run runs a command of the program on this shop.
func (s *Shop) Run(args ...string) Result {
	s.t.Helper()
	return s.RunEnv(nil, append(args, s.Flags()...)...)
}

// RunKilled is RunEnv with a kill after a time; killed is false if the command
// was faster.
func (s *Shop) RunKilled(after time.Duration, env []string, args ...string) (killed bool) {
	s.t.Helper()
	p, err := startProc(filepath.Join(s.t.TempDir(), "killed.log"), append(s.env, env...), Binary(s.t), args...)
	require.NoError(s.t, err)
	select {
	case <-p.done:
	case <-time.After(after):
		p.Kill()
	}
	return p.Killed()
}

// RunEnv runs a command exactly as told.
func (s *Shop) RunEnv(env []string, args ...string) Result {
	s.t.Helper()
	cmd := exec.CommandContext(s.t.Context(), Binary(s.t), args...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errOut, cleanEnv(append(s.env, env...))
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("panshi %v: %v", args, err)
	}
	return Result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// RequireClean runs `panshi check` and fails the test on any violation.
func (s *Shop) RequireClean() {
	s.t.Helper()
	r := s.Run("check")
	require.Zero(s.t, r.Code, "panshi check\n%s\n%s", r.Out, r.Err)
}

// ImportCards puts a new card product with keys on the shelf, for a price in
// yuan, and gives its SKU. The slug is the SKU's code too.
func (s *Shop) ImportCards(slug, price string, keys []string) string {
	s.t.Helper()
	dir := s.t.TempDir() // not the shop's: these files are in clear
	sheet := CatalogFile(s.t, dir, fmt.Sprintf("%s,card,Test %s,%s,%s,", slug, slug, slug, price))
	r := s.Run("import", "catalog", sheet)
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
	r = s.Run("import", "cards", "--sku", slug, CardsFile(s.t, dir, keys))
	require.Zero(s.t, r.Code, "%s%s", r.Out, r.Err)
	return s.Client().SKU(s.t, slug)
}

// CatalogFile writes a catalogue whose rows have slug, kind, title, sku, price
// and stock.
func CatalogFile(t testing.TB, dir string, rows ...string) string {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("slug,kind,title,sku,price,stock\n")
	for _, row := range rows {
		b.WriteString(row + "\n")
	}
	path := filepath.Join(dir, "catalog.csv")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// CardsFile writes card keys, one a line.
func CardsFile(t testing.TB, dir string, keys []string) string {
	t.Helper()
	var b bytes.Buffer
	for _, k := range keys {
		b.WriteString(k + "\n")
	}
	path := filepath.Join(dir, "cards.txt")
	require.NoError(t, os.WriteFile(path, b.Bytes(), 0o600))
	return path
}

// Keys makes n card keys that begin with prefix.
func Keys(prefix string, n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = fmt.Sprintf("%s-%06d", prefix, i)
	}
	return keys
}
