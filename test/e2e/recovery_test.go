package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/test/kit"
)

// recoveryPage is the runbook, where the words of the second language begin, and
// the minute that it writes in the place of the last good one.
const (
	recoveryPage   = "../../docs/operations/recovery.md"
	secondLanguage = "\n## 中文\n"
	goodMinute     = "2026-05-03T14:05:00+08:00"
)

// blocks are the fenced blocks of a text: those that are marked for a disaster,
// in their order, and all lines of all of them.
func blocks(text string) (marked map[string][][]string, all []string) {
	marked = map[string][][]string{}
	for _, m := range regexp.MustCompile("(?ms)^```([^\n]*)\n(.*?)^```$").FindAllStringSubmatch(text, -1) {
		lines := strings.Split(strings.TrimSpace(m[2]), "\n")
		all = append(all, lines...)
		if name, found := strings.CutPrefix(m[1], "sh run "); found {
			marked[name] = append(marked[name], lines)
		}
	}
	return marked, all
}

func runbook(t *testing.T) (english, chinese string) {
	t.Helper()
	content, err := os.ReadFile(recoveryPage)
	require.NoError(t, err)
	english, chinese, found := strings.Cut(string(content), secondLanguage)
	require.True(t, found)
	return english, chinese
}

// scene is a shop with two copies, a stick with sheet and bundle, and a minute
// after which everything is bad.
type scene struct {
	t              *testing.T
	shop           *kit.Shop
	platform       *kit.Platform
	book           *kit.Book
	sku            string
	copy, far, usb string
	minute         time.Time
	late           kit.Placed // an order of after the minute
	said           strings.Builder
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{t: t, platform: kit.NewPlatform(t), book: &kit.Book{}, copy: filepath.Join(t.TempDir(), "copy"), far: otherDisk(t), usb: t.TempDir()}
	s.shop = kit.Stopped(t, s.platform)
	s.shop.Config = filepath.Join(t.TempDir(), "panshi.yaml")
	require.NoError(t, os.WriteFile(s.shop.Config, nearAndFar(s.copy, s.far), 0o600))
	r := s.shop.Run("key", "recovery", "new")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	require.NoError(t, os.WriteFile(filepath.Join(s.usb, "sheet.txt"), []byte(r.Out), 0o600))
	s.shop.Start()
	s.sku = s.shop.ImportCards("runbook", "1.00", kit.Keys("RUNBOOK", 50))
	r = s.shop.Run("key", "cards", filepath.Join(s.usb, "cards.bundle"))
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	_, err := kit.Buy(t.Context(), s.shop.Client(), s.platform, s.book, buyer(1), one(s.sku))
	require.NoError(t, err)
	s.minute = time.Now().Add(2 * time.Second).Truncate(time.Second)
	time.Sleep(time.Until(s.minute.Add(time.Second))) // what comes now is after the minute
	s.late, err = s.shop.Client().Place(t.Context(), buyer(2), one(s.sku))
	require.NoError(t, err)
	s.shop.AwaitCopied()
	return s
}

// lose removes things of the machine, which has had a power cut.
func (s *scene) lose(paths ...string) {
	s.t.Helper()
	s.shop.Kill()
	for _, path := range paths {
		require.NoError(s.t, os.RemoveAll(path))
	}
}

func (s *scene) machine() []string {
	return []string{s.shop.Data, s.shop.Data + ".spool", s.shop.Data + ".key"}
}

// encrypt makes noise of all files below the given places.
func (s *scene) encrypt(places ...string) {
	s.t.Helper()
	for _, place := range places {
		require.NoError(s.t, filepath.WalkDir(place, func(path string, e os.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
			return os.WriteFile(path, []byte("pay, and you get your shop back"), 0o600)
		}))
	}
}

// here puts the places of this scene into a line of the page.
func (s *scene) here(line string) string {
	return strings.NewReplacer("/var/lib/panshi", s.shop.Data, "/etc/panshi.yaml", s.shop.Config, "/mnt/copy", s.copy, "/mnt/usb", s.usb,
		goodMinute, s.minute.Format(time.RFC3339)).Replace(line)
}

// run does what a block says, line by line, as a person does: the first line that
// fails ends it.
func (s *scene) run(lines []string) {
	s.t.Helper()
	for _, line := range lines {
		switch line {
		case "systemctl stop panshi":
			s.shop.Kill()
			continue
		case "systemctl start panshi":
			s.shop.Start()
			continue
		}
		out, err := s.sh(s.here(line))
		require.NoError(s.t, err, "%s\n%s", line, out)
		s.said.WriteString(out)
	}
}

// sh runs a line by a shell in which panshi is the program under test.
func (s *scene) sh(line string) (string, error) {
	bin := filepath.Join(s.shop.Dir, "bin")
	if err := os.MkdirAll(bin, 0o700); err != nil {
		return "", err
	}
	if err := os.Symlink(kit.Binary(s.t), filepath.Join(bin, "panshi")); err != nil && !os.IsExist(err) {
		return "", err
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "sh", "-ec", line)
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + s.shop.Dir, "TMPDIR=" + s.shop.Dir}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// Every command of the runbook, on a real shop to which just that has happened.
// Afterwards the shop has what was bought, and sells.
func TestTheRunbookWorks(t *testing.T) {
	kit.OnlyOn(t, db.SQLite, "a server's database is backed up by other means")
	t.Parallel()
	english, chinese := runbook(t)
	marked, _ := blocks(english)
	inChinese, _ := blocks(chinese)
	require.Equal(t, marked, inChinese, "both languages say the same")
	disasters := map[string]struct {
		strike  func(s *scene)
		between func(s *scene) // its first block and the second
		after   func(s *scene)
	}{
		"disk-lost":    {strike: func(s *scene) { s.lose(s.machine()...) }},
		"machine-lost": {strike: func(s *scene) { s.lose(append(s.machine(), s.shop.Config)...) }},
		"intruder": {after: func(s *scene) {
			require.Contains(s.t, s.said.String(), "make up: "+s.late.No, "the order of after the minute is listed")
			_, err := s.shop.Client().Order(s.t.Context(), s.late)
			require.Equal(s.t, 404, kit.StatusOf(err), "%v", err)
		}},
		"rows-deleted": {},
		"ransomware": {
			strike: func(s *scene) {
				require.NoError(s.t, os.CopyFS(filepath.Join(s.usb, "offline"), os.DirFS(s.copy)))
				s.shop.Kill()
				s.encrypt(append(s.machine(), s.copy, s.far, s.shop.Config)...)
				for _, path := range s.machine() { // the clean machine has none of it
					require.NoError(s.t, os.RemoveAll(path))
				}
			},
			between: func(s *scene) {
				for _, dir := range []string{s.copy, s.far} {
					require.NoError(s.t, os.RemoveAll(dir))
				}
			},
		},
		"region-gone": {strike: func(s *scene) { require.NoError(s.t, os.Rename(s.copy, s.copy+".gone")) }},
		"key-lost":    {strike: func(s *scene) { s.lose(s.shop.Data + ".key") }},
		"before":      {},
	}
	require.Len(t, marked, len(disasters), "each disaster of the page is tried, and no other")
	for name, d := range disasters {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			if d.strike != nil {
				d.strike(s)
			}
			require.NotEmpty(t, marked[name])
			for i, lines := range marked[name] {
				if i == 1 && d.between != nil {
					d.between(s)
				}
				s.run(lines)
			}
			if d.after != nil {
				d.after(s)
			}
			s.book.RequireKept(t, s.shop.Client(), 0)
			_, err := kit.Buy(t.Context(), s.shop.Client(), s.platform, s.book, buyer(3), one(s.sku))
			require.NoError(t, err)
			s.shop.RequireClean()
		})
	}
}

// words are the command that a line of the page runs, without what it is run on.
func words(line string) []string {
	var out []string
	for _, w := range strings.Fields(line)[1:] {
		if !regexp.MustCompile(`^[a-z][a-z-]*$`).MatchString(w) {
			break
		}
		out = append(out, w)
	}
	return out
}

// Every command that the page names, in a block or in a sentence, exists.
func TestTheRunbookNamesCommandsThatExist(t *testing.T) {
	t.Parallel()
	english, chinese := runbook(t)
	shop := kit.Empty(t, t.TempDir(), nil)
	exists := func(command []string) bool {
		return shop.RunEnv(nil, append(command, "--help")...).Code == 0
	}
	require.False(t, exists([]string{"resurrect"}), "the test can tell")
	require.False(t, exists([]string{"backup", "resurrect"}), "the test can tell")
	named := 0
	for _, text := range []string{english, chinese} {
		_, lines := blocks(text)
		for _, m := range regexp.MustCompile("`(panshi [^`\n]+)`").FindAllStringSubmatch(text, -1) {
			lines = append(lines, m[1])
		}
		for _, line := range lines {
			if strings.HasPrefix(line, "panshi ") {
				named++
				require.True(t, exists(words(line)), "%s", line)
			}
		}
	}
	require.Greater(t, named, 40)
}
