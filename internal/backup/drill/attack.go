package drill

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/restore"
	"panshi/internal/backup/spool"
	"panshi/internal/errs"
)

// ransomware: somebody has the machine and with it the credentials of all
// destinations, and encrypts whatever they reach. What is left is what a lock, a
// credential without the right to delete, or a cable that is not plugged in
// protects.
func ransomware(ctx context.Context, e *exercise) error {
	copies, damages := damaged(slices.Concat(e.Copies, e.Offline))
	e.strike(ctx, "machine_taken", nil)
	var left []Copy
	for i, c := range copies {
		if err := e.step("attack", map[string]string{"destination": c.Label, "protection": protectionOf(c)}, func() error {
			return e.attack(ctx, c, damages[i])
		}); err != nil {
			return err
		}
		if protectionOf(c) != "none" {
			left = append(left, c)
			continue
		}
		if err := e.step("copy_lost", map[string]string{"destination": c.Label}, func() error { return e.lostTo(ctx, c) }); err != nil {
			return err
		}
	}
	switch {
	case len(left) == 0 && e.Clock.Now().Sub(e.Drawer) < drawerFresh:
		return errUntried
	case len(left) == 0:
		return errUnprotected
	}
	for _, c := range left {
		if err := e.clean(ctx, c); err != nil {
			return err
		}
	}
	_, _, err := e.comeBack(ctx, left, Want{Salvage: true})
	return err
}

// protectionOf names what withstands the shop's own credentials.
func protectionOf(c Copy) string {
	switch {
	case c.Offline:
		return "offline"
	case c.Locked:
		return "lock"
	case c.NoDelete:
		return "no_delete"
	}
	return "none"
}

// attack does to a copy what its protection lets somebody do. Whoever may write
// adds things, too.
func (e *exercise) attack(ctx context.Context, c Copy, d *Damage) error {
	if c.Offline {
		return nil
	}
	var names []string
	if err := c.Dest.List(ctx, "", func(o backup.Object) error {
		names = append(names, o.Name)
		return nil
	}); err != nil {
		return err
	}
	for _, name := range names {
		switch {
		case c.Locked && backup.Lockable(name) || c.NoDelete && !c.Locked:
		case c.Locked:
			// Overwritten; the owner has deleted the newer version, and the old one of
			// what was not locked had gone.
			if err := d.Delete(ctx, name); err != nil {
				return err
			}
		default:
			d.Encrypt(name)
		}
	}
	for _, name := range []string{"seg/pay-to-read", manifest.Prefix + "0123456789abcdef/0000000001"} {
		if err := d.Put(ctx, name, backup.Bytes([]byte("your shop is encrypted"))); err != nil {
			return err
		}
	}
	return nil
}

// lostTo sees that nothing comes back from a copy that was encrypted.
func (e *exercise) lostTo(ctx context.Context, c Copy) error {
	got, err := e.Restore(ctx, c, Want{}, e.Progress)
	if err == nil {
		return errors.Join(errNoDisaster, got.Shop.Close())
	}
	return ctx.Err()
}

// clean does what the owner does with an account of his own: he takes away what
// verification says is not ours.
func (e *exercise) clean(ctx context.Context, c Copy) error {
	if c.Offline {
		return nil
	}
	args := map[string]string{"destination": c.Label}
	return e.step("clean", args, func() error {
		report, err := manifest.Verify(ctx, c.Dest, e.Reader, manifest.Options{})
		if err != nil {
			return err
		}
		removed := 0
		for _, f := range report.Findings {
			if f.Kind != manifest.Forged && f.Kind != manifest.ManifestAltered {
				continue
			}
			if err := c.Dest.Delete(ctx, f.Name); err != nil {
				return err
			}
			removed++
		}
		args["count"] = strconv.Itoa(removed)
		return nil
	})
}

// corruptObject: one bit of one object that a restore needs is another one. It
// is found and named, nothing is restored from there, and the other copy is
// used.
func corruptObject(ctx context.Context, e *exercise) error {
	copies, damages := damaged(e.Copies)
	bad := copies[0]
	name, bit, err := e.victim(ctx, bad)
	if err != nil {
		return err
	}
	damages[0].Flip(name, bit)
	args := map[string]string{"destination": bad.Label, "object": name, "bit": strconv.FormatUint(bit, 10)}
	e.strike(ctx, "bit_flipped", args)
	if err := e.step("verify_names_it", args, func() error { return e.named(ctx, bad, name) }); err != nil {
		return err
	}
	if err := e.step("restore_refuses", args, func() error { return e.refuses(ctx, bad) }); err != nil {
		return err
	}
	if len(copies) < 2 {
		return errOneCopy
	}
	_, _, err = e.comeBack(ctx, copies[1:], Want{})
	return err
}

// victim chooses an object that a restore from a copy reads, and a bit of it.
func (e *exercise) victim(ctx context.Context, c Copy) (name string, bit uint64, err error) {
	var files []spool.File
	var all []backup.Object
	if err := c.Dest.List(ctx, "", func(o backup.Object) error {
		all = append(all, o)
		if f, ok := feed.File(o.Name, o.Size); ok {
			files = append(files, f)
		}
		return nil
	}); err != nil {
		return "", 0, err
	}
	slices.SortFunc(files, func(a, b spool.File) int { return strings.Compare(string(a.Name), string(b.Name)) })
	plan, err := restore.Make(slices.CompactFunc(files, func(a, b spool.File) bool { return a.Name == b.Name }), restore.Target{})
	if err != nil {
		return "", 0, err
	}
	needed := map[string]bool{}
	for _, f := range plan.Files {
		if n, ok := feed.Object(f); ok {
			needed[n] = true
		}
	}
	all = slices.DeleteFunc(all, func(o backup.Object) bool { return !needed[o.Name] })
	if len(all) == 0 {
		return "", 0, errNoCopy
	}
	slices.SortFunc(all, func(a, b backup.Object) int { return strings.Compare(a.Name, b.Name) })
	o := all[e.random.below(uint64(len(all)))]
	return o.Name, e.random.below(uint64(o.Size) * 8), nil
}

// named tells whether verification finds exactly one object, and which.
func (e *exercise) named(ctx context.Context, c Copy, name string) error {
	report, err := manifest.Verify(ctx, c.Dest, e.Reader, manifest.Options{
		Progress: func(done, of int) { e.Progress("verify_names_it", int64(done), int64(of)) },
	})
	if err != nil {
		return err
	}
	if len(report.Findings) == 0 || slices.ContainsFunc(report.Findings, func(f manifest.Finding) bool { return f.Name != name }) {
		return errUndetected
	}
	return nil
}

// refuses tells whether a restore ends before it made anything.
func (e *exercise) refuses(ctx context.Context, c Copy) error {
	got, err := e.Restore(ctx, c, Want{}, e.Progress)
	switch {
	case err == nil:
		return errors.Join(errUndetected, got.Shop.Close())
	case errs.KindOf(err) != errs.Integrity:
		return err
	}
	return nil
}
