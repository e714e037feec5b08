package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"text/tabwriter"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/offline"
	"panshi/internal/errs"
)

type backupOfflineCmd struct {
	Write  backupOfflineWriteCmd  `cmd:"" default:"withargs" help:"Copy to the disk (the default)."`
	List   backupOfflineListCmd   `cmd:"" help:"What a disk has."`
	Verify backupOfflineVerifyCmd `cmd:"" help:"Read all of a disk and compare it with its manifests."`
}

type backupOfflineWriteCmd struct {
	To          string  `required:"" placeholder:"DIR" help:"Where the disk is mounted."`
	Init        *string `placeholder:"LABEL" help:"Take a disk into use that was not used before, under this name."`
	From        *string `placeholder:"LABEL" help:"Copy from this destination (default the shop's own spool)."`
	SameDevice  bool    `help:"Allow the device of the shop's data: for trying things out; it proves nothing."`
	KeepWeekly  int     `default:"4" placeholder:"N" help:"Keep the last set of so many weeks (default 4)."`
	KeepMonthly int     `default:"12" placeholder:"N" help:"And the last one of so many months (default 12)."`
	Unmount     bool    `help:"Unmount the disk when everything was read back."`
}

// Help implements kong.HelpProvider.
func (backupOfflineWriteCmd) Help() string {
	return `For a disk that is plugged in once a week and lies in a drawer otherwise. It copies what the disk lacks of the newest
recovery point, reads everything on the disk back, past the cache, and only then says "remove me". Whenever it is
interrupted or the disk is unplugged, what was there before counts, and the next run goes on. The bundle of card keys
is never written there; keep it elsewhere.

  panshi backup offline --to /mnt/usb --init blue                 the first time: the directory must be empty
  panshi backup offline --to /mnt/usb --unmount
  panshi backup offline list --to /mnt/usb
  panshi restore --from /mnt/usb --to /var/lib/panshi --sheet sheet.txt

Exit codes: 0 remove me, 1 not finished, 4 the disk loses or changes what was written to it: take another one.`
}

// Run copies and prints.
func (c backupOfflineWriteCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	r, err := c.request()
	if err != nil {
		return err
	}
	cfg, err := offlineShop(g, c.To)
	if err != nil {
		return err
	}
	if r.Generation, r.Complete, err = knownComplete(ctx, cfg); err != nil {
		return err
	}
	m := newMeter(ctx, t, "offline")
	began := m.clock()
	done, err := app.WriteOffline(ctx, cfg, r, t.log(slog.LevelWarn), func(step string, at, of int64) {
		m.step(at, of, step+timeLeft(m.clock().Sub(began), at, of))
	})
	m.end()
	if err != nil {
		return nameFlag(err)
	}
	if err := t.result(done, func(w io.Writer) { tellOffline(w, done, c.To) }); err != nil {
		return err
	}
	if len(done.Damaged) > 0 {
		return altered(done.Damaged[0])
	}
	return nil
}

// knownComplete asks the shop, if it runs, up to when its spool has everything.
func knownComplete(ctx context.Context, cfg app.Config) (generation string, at time.Time, err error) {
	client, err := adminsock.Dial(ctx, cfg.Data)
	if errors.Is(err, adminsock.ErrNotRunning) {
		return "", time.Time{}, nil
	}
	if err != nil {
		return "", time.Time{}, err
	}
	status, err := client.BackupStatus(ctx)
	return status.Generation, status.ShippedAt, errors.Join(err, client.Close())
}

func (c backupOfflineWriteCmd) request() (app.OfflineRequest, error) {
	r := app.OfflineRequest{
		Dir: c.To, SameDevice: c.SameDevice, Unmount: c.Unmount, Keep: offline.Keep{Weekly: c.KeepWeekly, Monthly: c.KeepMonthly},
	}
	for name, f := range map[string]struct{ from, to *string }{"--init": {c.Init, &r.Init}, "--from": {c.From, &r.From}} {
		if f.from == nil {
			continue
		}
		if err := plain(name, *f.from, 32); err != nil {
			return r, err
		}
		*f.to = *f.from
	}
	return r, nil
}

// offlineShop loads the shop whose disk is at dir.
func offlineShop(g *globals, dir string) (app.Config, error) {
	if err := plain("--to", dir, 4096); err != nil {
		return app.Config{}, err
	}
	cfg, err := g.load(nil)
	if err == nil && !hasShop(cfg) {
		err = noShop(cfg)
	}
	return cfg, err
}

// timeLeft guesses by what is done; "" as long as that says nothing.
func timeLeft(took time.Duration, done, total int64) string {
	if done <= 0 || done >= total || took < 2*time.Second {
		return ""
	}
	left := time.Duration(float64(took) / float64(done) * float64(total-done))
	return fmt.Sprintf(", about %s left", left.Round(time.Second))
}

func altered(f manifest.Finding) error {
	return errs.Wrap(errFindings, errs.Integrity, "backup_destination_altered", "the destination does not hold what was stored there").With("name", f.Name)
}

func tellOffline(w io.Writer, d app.OfflineDone, dir string) {
	fmt.Fprintf(w, "%s has the state of %s (transaction %d), %s: %s bytes copied\n", oneLine(d.Label), localTime(d.Time), d.Transaction,
		plural(int64(d.Sets), "set"), count(d.Copied))
	for _, name := range d.Cards {
		fmt.Fprintf(w, "WARNING: %s is the bundle of card keys; whoever finds this disk must not find it there. Keep it elsewhere 请将卡密包移至别处\n", oneLine(name))
	}
	if n := len(d.Strangers) - len(d.Cards); n > 0 {
		fmt.Fprintf(w, "%s on the disk that no backup wrote\n", plural(int64(n), "file"))
	}
	if d.ClockBehind {
		fmt.Fprintln(w, "nothing old was deleted: a set is newer than this machine's clock says it is")
	}
	if len(d.Damaged) > 0 {
		fmt.Fprintf(w, "DO NOT TRUST THIS DISK: of its older sets %s changed\n", plural(int64(len(d.Damaged)), "object"))
		tellFindings(w, d.Damaged)
		return
	}
	fmt.Fprintf(w, "read back: %s, %s bytes, all as they were written\n", plural(int64(d.Objects), "object"), count(d.Bytes))
	switch {
	case d.Unmounted:
		fmt.Fprintln(w, "unmounted; remove me 可以拔下")
	case d.StillMounted != "":
		fmt.Fprintf(w, "not unmounted (%s): umount %s, then remove me 卸载后可以拔下\n", oneLine(d.StillMounted), oneLine(dir))
	default:
		fmt.Fprintf(w, "umount %s, then remove me 卸载后可以拔下\n", oneLine(dir))
	}
}

type backupOfflineListCmd struct {
	To string `required:"" placeholder:"DIR" help:"Where the disk is mounted."`
}

// Help implements kong.HelpProvider.
func (backupOfflineListCmd) Help() string {
	return `Lists the sets of an offline disk, the oldest first: each restores to its end, or to any moment since its whole copy.

  panshi backup offline list --to /mnt/usb
  panshi restore --from /mnt/usb --to ./look --sheet sheet.txt --at 2026-05-03T14:05:00+08:00`
}

// Run reads the manifests.
func (c backupOfflineListCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := offlineShop(g, c.To)
	if err != nil {
		return err
	}
	list, err := app.ListOffline(ctx, cfg, c.To)
	if err != nil {
		return nameFlag(err)
	}
	return t.result(list, func(out io.Writer) {
		fmt.Fprintf(out, "%s (%s): %s bytes free\n", oneLine(list.Label), list.Disk, count(list.Free))
		w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(w, "WRITTEN\tRESTORES FROM\tTO\tTRANSACTION\tOBJECTS\tBYTES")
		for _, s := range list.Sets {
			fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", localTime(s.Taken), localTime(s.From), localTime(s.Time), count(int64(s.Transaction)),
				count(int64(s.Objects)), count(s.Bytes))
		}
		_ = w.Flush() // a terminal that has gone is nobody to tell
	})
}

type backupOfflineVerifyCmd struct {
	To string `required:"" placeholder:"DIR" help:"Where the disk is mounted."`
}

// Help implements kong.HelpProvider.
func (backupOfflineVerifyCmd) Help() string {
	return `Reads every object of an offline disk, past the cache, and names what is missing, altered, forged, or set back.

  panshi backup offline verify --to /mnt/usb

Exit codes: 0 sound, 1 the disk cannot be read, 4 findings.`
}

// Run verifies one disk.
func (c backupOfflineVerifyCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	cfg, err := offlineShop(g, c.To)
	if err != nil {
		return err
	}
	m := newMeter(ctx, t, "verify")
	began := m.clock()
	v, err := app.VerifyOffline(ctx, cfg, c.To, func(step string, at, of int64) { m.step(at, of, step+timeLeft(m.clock().Sub(began), at, of)) })
	m.end()
	if err != nil {
		return nameFlag(err)
	}
	if err := t.result(v, func(w io.Writer) { tellOfflineVerified(w, v) }); err != nil {
		return err
	}
	return verdict([]app.Verified{v.Verified})
}

func tellOfflineVerified(w io.Writer, v app.OfflineVerified) {
	tellVerified(w, []app.Verified{v.Verified})
	for _, name := range v.Cards {
		fmt.Fprintf(w, "WARNING: %s is the bundle of card keys; keep it elsewhere 请将卡密包移至别处\n", oneLine(name))
	}
}
