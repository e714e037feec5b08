package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// restore stops the shop and brings it back from its directory, in turn with
// restic, which brings back the same database file from a copy of its own.
func (r *run) restore(ctx context.Context, c *copier) error {
	if err := errors.Join(c.settled(ctx), c.stop()); err != nil {
		return err
	}
	back, err := c.back()
	if err != nil {
		return err
	}
	other, err := r.workshop.restic(c)
	if err != nil {
		return err
	}
	var ours, made, theirs []float64
	for range min(r.cfg.Rounds, 3) {
		told, err := c.bringBack(back)
		if err != nil {
			return err
		}
		ours, made = append(ours, told.Took.Seconds()), append(made, told.Made.Seconds())
		took, err := other.restore(ctx)
		if err != nil {
			return err
		}
		theirs = append(theirs, took.Seconds())
	}
	first, err := back.firstOrder(ctx)
	if err != nil {
		return err
	}
	r.tellRestore(c, ours, made, theirs, first)
	return errors.Join(r.store.drop(back.name), os.RemoveAll(back.data()+".spool"), other.remove())
}

func (r *run) tellRestore(c *copier, ours, made, theirs []float64, first time.Duration) {
	whole, _ := middle(ours)
	database, _ := middle(made)
	size := diskSize(c.data())
	r.figure(Figure{"restore", c.behind, whole, "s", fmt.Sprintf("panshi restore of %.0f MB, proved and checked: median", mb(size))})
	r.figure(Figure{"restore_made", c.behind, database, "s", "of these until the database stood there; the rest is checking it"})
	r.figure(Figure{"restore_sold", c.behind, whole + first.Seconds(), "s", "and then started, until the first order was placed; aim: 300 s"})
	if len(theirs) == 0 || theirs[0] == 0 {
		r.say("restore: restic is not installed, there is nothing to compare with")
		return
	}
	restic, _ := middle(theirs)
	r.figure(Figure{"restore_restic", c.behind, restic, "s", "restic restore of the same database file: median"})
	r.figure(Figure{"restore_ratio", c.behind, database / restic, "", "restore_made by restore_restic; aim: 1.5"})
	r.say(fmt.Sprintf("restore at %d: %.1f s, of them %.1f s until the database stood there; restic %.1f s", c.behind, whole, database, restic))
}

// back is the shop that comes back; its directory does not exist.
func (c *copier) back() (*shop, error) {
	s := *c.shop
	s.name, s.child, s.set = c.name+"-back", nil, []string{"backup.spool=off"}
	return &s, errors.Join(os.RemoveAll(s.data()), os.RemoveAll(s.data()+".key"))
}

// restored is what panshi restore --json tells.
type restored struct {
	Took  time.Duration `json:"took_ns"`
	Made  time.Duration `json:"made_ns"`
	Check struct {
		Violations int64 `json:"violations"`
	} `json:"check"`
}

// bringBack restores into a directory that it empties first.
func (c *copier) bringBack(to *shop) (told restored, err error) {
	if err := errors.Join(os.RemoveAll(to.data()), os.RemoveAll(to.data()+".key")); err != nil {
		return told, err
	}
	out, err := c.w.output("restore", "--json", "--from", c.nas, "--to", to.data(), "--sheet", c.sheet, "--cards", c.cards)
	if err != nil {
		return told, err
	}
	if err := json.Unmarshal(out, &told); err != nil {
		return told, err
	}
	if told.Took == 0 || told.Made == 0 {
		return told, fmt.Errorf("panshi restore tells no time: %s", out[:min(len(out), 500)])
	}
	return told, nil
}

// firstOrder starts a restored shop and places one order.
func (s *shop) firstOrder(ctx context.Context) (time.Duration, error) {
	begin := time.Now()
	if err := s.start(); err != nil {
		return 0, err
	}
	_, err := s.place(ctx, 1, 1)
	took := time.Since(begin)
	return took, errors.Join(err, s.stop())
}

// restic is a copy of a database file by the program of that name, or nothing
// where it is not installed.
type restic struct {
	w   *workshop
	dir string
	exe string
}

func (w *workshop) restic(c *copier) (*restic, error) {
	x := &restic{w: w, dir: c.data() + ".restic"}
	var err error
	if x.exe, err = exec.LookPath("restic"); err != nil {
		return x, nil //nolint:nilerr // there is nothing to compare with, which the report tells
	}
	for _, args := range [][]string{{"init"}, {"backup", c.database()}} {
		if err := x.run(w.ctx, args...); err != nil {
			return nil, err
		}
	}
	return x, nil
}

func (x *restic) run(ctx context.Context, args ...string) error {
	args = append([]string{"--quiet", "--repo", filepath.Join(x.dir, "repo"), "--cache-dir", filepath.Join(x.dir, "cache")}, args...)
	cmd := exec.CommandContext(ctx, x.exe, args...) //nolint:gosec // found in the search path
	cmd.Env, cmd.SysProcAttr = append(cleanEnv(), "RESTIC_PASSWORD=bench"), childAttr()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("restic: %w: %s", err, out[max(0, len(out)-500):])
	}
	return nil
}

// restore brings the file back into a new directory; 0 without a restic.
func (x *restic) restore(ctx context.Context) (time.Duration, error) {
	if x.exe == "" {
		return 0, nil
	}
	to := filepath.Join(x.dir, "to")
	if err := os.RemoveAll(to); err != nil {
		return 0, err
	}
	begin := time.Now()
	err := x.run(ctx, "restore", "latest", "--target", to)
	return time.Since(begin), err
}

func (x *restic) remove() error { return os.RemoveAll(x.dir) }
