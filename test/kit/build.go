package kit

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// workshop is what all tests of a process share: the binary and the demo shop.
type workshop struct {
	once   sync.Once
	binary func() (string, error)
	demo   func() (demoShop, error)
	*engines
	dir string
	err error
}

// demoShop is the filled shop that others are copies of.
type demoShop struct {
	dir      string
	database string // on PostgreSQL; "" on SQLite
}

var shared workshop

func (w *workshop) open() {
	w.once.Do(func() {
		w.dir, w.err = os.MkdirTemp("", "panshi-kit")
		w.engines = newEngines()
		w.binary = sync.OnceValues(w.build)
		w.demo = sync.OnceValues(w.fill)
	})
}

// Main runs a package's tests and then removes what they shared. Call it from
// TestMain.
func Main(m *testing.M) int {
	code := m.Run()
	if shared.dir != "" {
		_ = os.RemoveAll(shared.dir)
	}
	return code
}

// Binary gives the path of the program under test: PANSHI_BIN if it is set and
// no build tag is asked for, else a fresh build.
func Binary(t testing.TB) string {
	t.Helper()
	shared.open()
	if shared.err != nil {
		t.Fatalf("kit: %v", shared.err)
	}
	path, err := shared.binary()
	if err != nil {
		t.Fatalf("kit: %v", err)
	}
	return path
}

func (w *workshop) build() (string, error) {
	if path := os.Getenv("PANSHI_BIN"); path != "" && buildTags == "" {
		return filepath.Abs(path)
	}
	root, err := Root()
	if err != nil {
		return "", err
	}
	path := filepath.Join(w.dir, "panshi")
	cmd := exec.Command("go", "build", "-tags", buildTags, "-o", path, "./cmd/panshi")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return path, nil
}

// Root finds the folder of the module.
func Root() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		up := filepath.Dir(dir)
		if up == dir {
			return "", errors.New("no go.mod above the test")
		}
		dir = up
	}
}

// fill makes the demo shop that tests start from, and lets it and the platform
// meet once, so that the keys of both are made only once.
func (w *workshop) fill() (demoShop, error) {
	path, err := w.binary()
	if err != nil {
		return demoShop{}, err
	}
	demo := demoShop{dir: filepath.Join(w.dir, "demo")}
	if err := os.Mkdir(demo.dir, 0o700); err != nil {
		return demo, err
	}
	var url string
	if demo.database, url, err = w.database("template0"); err != nil {
		return demo, err
	}
	flags := append([]string{"--data", filepath.Join(demo.dir, shopDir)}, settingsOf(url)...)
	filling := exec.Command(path, append([]string{"demo"}, flags...)...)
	filling.Env = cleanEnv(nil)
	if out, err := filling.CombinedOutput(); err != nil {
		return demo, fmt.Errorf("panshi demo: %w\n%s", err, out)
	}
	return demo, w.introduce(path, demo.dir, flags)
}

func (w *workshop) introduce(path, dir string, flags []string) error {
	box, shop, console := freeAddr(), freeAddr(), freeAddr()
	platform, err := startProc(filepath.Join(w.dir, "sandbox.log"), nil,
		path, "sandbox", "--http", box, "--state", filepath.Join(dir, stateFile))
	if err != nil {
		return err
	}
	defer platform.Kill()
	if err := platform.await("http://"+box+"/healthz", time.Minute); err != nil {
		return err
	}
	p, err := startProc(filepath.Join(w.dir, "shop.log"), nil, path,
		append([]string{"serve", "--http", shop, "--console", console, "--set", "sandbox.url=http://" + box}, flags...)...)
	if err != nil {
		return err
	}
	defer p.Kill()
	if err := p.await("http://"+shop+"/readyz", time.Minute); err != nil {
		return err
	}
	if code := p.Stop(30 * time.Second); code != 0 {
		return fmt.Errorf("panshi serve stopped with %d\n%s", code, p.Log())
	}
	return nil
}

// cleanEnv is the environment without settings of a shop, which would reach
// the one under test.
func cleanEnv(more []string) []string {
	var out []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "PANSHI_") {
			out = append(out, kv)
		}
	}
	return append(out, more...)
}
