package powerloss

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"panshi/test/kit"
	"panshi/test/powerloss/disk"
)

// plantedBinary is the environment variable that makes a start of the shop one
// of the build with the planted defect.
const plantedBinary = "POWERLOSS_BIN"

// planted is the program with the planted defect. It is built while other tests
// run; ask only after waiting.
var planted struct {
	path string
	err  error
	done chan struct{}
}

func TestMain(m *testing.M) {
	code, done := disk.Isolate()
	if !done {
		code = run(m)
	}
	os.Exit(code)
}

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "powerloss")
	if err == nil {
		defer os.RemoveAll(dir)
		err = build(dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "powerloss:", err)
		return 1
	}
	code := kit.Main(m)
	<-planted.done
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, "powerloss:", err)
			return 1
		}
	}
	return code
}

// build makes the program and, in the background, its planted twin, and has the
// kit start either through a script.
func build(dir string) error {
	program := os.Getenv("PANSHI_BIN")
	if program == "" {
		program = filepath.Join(dir, "program")
		if err := compile(program, ""); err != nil {
			return err
		}
	}
	program, err := filepath.Abs(program)
	if err != nil {
		return err
	}
	planted.path, planted.done = filepath.Join(dir, "planted"), make(chan struct{})
	go func() {
		defer close(planted.done)
		planted.err = compile(planted.path, "plantedsync")
	}()
	// PANSHI_SEED is ours; the shop takes it for a setting that it does not know.
	script := fmt.Sprintf("#!/bin/sh\nunset PANSHI_SEED\nexec \"${%s:-%s}\" \"$@\"\n", plantedBinary, program)
	path := filepath.Join(dir, "panshi")
	if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
		return err
	}
	return os.Setenv("PANSHI_BIN", path)
}

func compile(path, tags string) error {
	root, err := kit.Root()
	if err != nil {
		return err
	}
	cmd := exec.Command("go", "build", "-tags", tags, "-o", path, "./cmd/panshi")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building the program: %w\n%s", err, out)
	}
	return nil
}

// long tells whether the long forms are asked for.
func long() bool { return os.Getenv("PANSHI_TORTURE") == "long" }
