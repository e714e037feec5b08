package mirror

import (
	"context"
	"errors"
	"os"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
)

// tries is how often one object is stored in one round: twice under its name,
// then under that of a spare copy.
const tries = 3

// bring stores an item and proves that it arrived. A destination that damages it
// gets an alarm and another try; what it holds under the name is taken away if it
// lets us, else a spare copy is made beside it.
func (c *copier) bring(ctx context.Context, it *item) (manifest.Entry, error) {
	var err error
	for try := range tries {
		name := backup.Numbered(it.Name, c.nextSpare(it.Name))
		var entry manifest.Entry
		entry, err = c.store(ctx, name, it.body())
		switch {
		case err == nil:
			c.setSpare(it.Name, 0)
			c.m.alarms.set(c.Label, AlarmLie, false, nil)
			return entry, nil
		case errors.Is(err, os.ErrNotExist), errors.Is(err, errSource):
			return manifest.Entry{}, c.suspect(it, err)
		case backup.Is(err, "backup_split_brain"):
			c.m.alarms.set(c.Label, AlarmSplitBrain, true, err)
			return manifest.Entry{}, err
		case !backup.Is(err, "backup_object_damaged"):
			return manifest.Entry{}, err
		}
		c.m.alarms.set(c.Label, AlarmLie, true, err)
		if c.Dest.Delete(ctx, name) != nil || try > 0 {
			c.setSpare(it.Name, min(c.nextSpare(it.Name)+1, 9))
		}
	}
	return manifest.Entry{}, err
}

// suspect looks at our own sealed file after an error that may come from it. If
// it is sound, the bytes changed on their way.
func (c *copier) suspect(it *item, err error) error {
	if _, damaged := c.m.staged(it); damaged == nil {
		return backup.Unavailable(err)
	}
	c.m.forget(it)
	return err
}

func (c *copier) nextSpare(name string) int {
	c.spares.Lock()
	defer c.spares.Unlock()
	return c.spare[name]
}

func (c *copier) setSpare(name string, n int) {
	c.spares.Lock()
	defer c.spares.Unlock()
	if n == 0 {
		delete(c.spare, name)
		return
	}
	c.spare[name] = n
}

// errSource marks an error of our own sealed file.
var errSource = errors.New("the sealed file is not what it was")

// store puts one body under one name and looks at what is there then. Code
// backup_object_damaged: not what was put, or nothing.
func (c *copier) store(ctx context.Context, name string, body backup.Body) (manifest.Entry, error) {
	entry := manifest.Entry{Name: name, Size: body.Size, SHA256: body.SHA256}
	if c.LockFor > 0 && backup.Lockable(name) {
		body.LockedUntil = c.m.cfg.Clock.Now().Add(c.LockFor)
	}
	putErr := c.Dest.Put(ctx, name, body)
	if backup.Is(putErr, "backup_object_damaged") {
		return manifest.Entry{}, errors.Join(errSource, putErr) // Put reads what we gave it: it was not what we said
	}
	if putErr != nil && !backup.Is(putErr, "backup_object_exists") {
		return manifest.Entry{}, putErr
	}
	err := backup.ReadBack(ctx, c.Dest, name, body.Size, body.SHA256)
	told := backup.Is(err, "backup_refused")
	c.told.Store(told)
	switch {
	case err == nil, told && putErr == nil:
		return entry, nil
	case told: // something is there and cannot be looked at: a spare copy gets a clear answer
		return manifest.Entry{}, backup.Damaged(name, err)
	case backup.Is(err, "backup_object_missing"):
		return manifest.Entry{}, backup.Damaged(name, errors.New("confirmed, and not there"))
	case backup.Is(err, "backup_object_damaged"):
		return c.whose(ctx, name, body)
	}
	return manifest.Entry{}, err
}

// whose looks closer at an object that is not what we put: rubbish, an older
// sealing of the same file, or another file of a machine that has our key.
func (c *copier) whose(ctx context.Context, name string, body backup.Body) (manifest.Entry, error) {
	r, err := c.Dest.Get(ctx, name, 0, -1)
	if err != nil {
		return manifest.Entry{}, err
	}
	there, err := c.m.cfg.Keys.Reader().Check(r, name)
	if err := errors.Join(err, r.Close()); err != nil {
		return manifest.Entry{}, err
	}
	ours, err := body.Open()
	if err != nil {
		return manifest.Entry{}, err
	}
	mine, err := c.m.cfg.Keys.Reader().Check(ours, name)
	if err := errors.Join(err, ours.Close()); err != nil {
		return manifest.Entry{}, errors.Join(errSource, err)
	}
	if there.Content != mine.Content {
		return manifest.Entry{}, splitBrain(name)
	}
	return manifest.Entry{Name: name, Size: there.Size, SHA256: there.SHA256}, nil
}
