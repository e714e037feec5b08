package pgrestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"panshi/internal/db/pgserver"
	"panshi/internal/db/pgstream"
	"panshi/internal/errs"
)

// Replay has a server of our own recover the data that Apply made, to the
// moment of the plan, and ends it cleanly: what is left is a server that
// starts by itself. Codes restore_server_missing, restore_path_closed,
// restore_replay_failed, restore_log_broken.
func (r *Restorer) Replay(ctx context.Context, plan Plan, path string) error {
	if err := Own(path); err != nil {
		return err
	}
	r.progress("replay", 0, 0)
	stopped, end, err := recovery(ctx, plan, path, plan.At)
	if errors.Is(err, errNotReached) {
		// Nothing was committed after the moment, so that the end is the moment.
		stopped, end, err = recovery(ctx, plan, path, time.Time{})
	}
	if err != nil || stopped {
		return err
	}
	return r.whole(ctx, plan, uint64(end))
}

// Own gives a data directory to the account that servers run as, and makes sure
// that this account gets there.
func Own(path string) error {
	who, err := pgserver.Account()
	if err != nil {
		return errs.Wrap(err, errs.Unavailable, "restore_server_missing", "no server can be started here")
	}
	if err := pgserver.Give(path, who); err != nil || who == nil {
		return err
	}
	for dir := filepath.Dir(path); dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		info, err := os.Stat(dir)
		if err != nil {
			return unwritable(err)
		}
		owner, ok := info.Sys().(*syscall.Stat_t)
		if info.Mode()&0o001 == 0 && (!ok || owner.Uid != who.Uid) {
			return errs.New(errs.Invalid, "restore_path_closed",
				"the database server's account cannot enter "+dir+"; restore to another directory, or as that account").With("path", dir)
		}
	}
	return nil
}

// LetThrough lets the account that servers run as pass through a directory of
// ours, if it is another one than we are.
func LetThrough(dir string) error {
	if who, err := pgserver.Account(); err != nil || who == nil {
		return nil //nolint:nilerr // who needs a server is told when it is started
	}
	if err := os.Chmod(dir, 0o711); err != nil { //nolint:gosec // it shows nothing of what is in it
		return unwritable(err)
	}
	return nil
}

// Serve starts a server on restored data, alone with its caller.
func Serve(path string, settings ...string) (*pgserver.Existing, error) {
	major, err := pgserver.MajorOf(path)
	if err != nil {
		return nil, errs.Wrap(err, errs.Integrity, "restore_replay_failed", "the restored data are not those of a server")
	}
	server, err := pgserver.Run(major, path, settings...)
	if err != nil {
		return nil, errs.Wrap(err, errs.Unavailable, "restore_server_missing", "the server cannot be started here: "+err.Error())
	}
	return server, nil
}

// errNotReached says that the log ended before the moment.
var errNotReached = errors.New("the log ends before the wanted moment")

// recovery runs a server until it has recovered: to a moment, or to the end of
// the log. stopped tells that it stopped on purpose; else end is where.
func recovery(ctx context.Context, plan Plan, path string, at time.Time) (stopped bool, end pgstream.LSN, err error) {
	settings := []string{
		"restore_command=false", "recovery_end_command=", "archive_cleanup_command=", "recovery_target_timeline=current", "recovery_target_action=promote",
		"recovery_target=", "recovery_target_name=", "recovery_target_lsn=", "recovery_target_xid=", "recovery_target_inclusive=on", "recovery_target_time=",
	}
	if !at.IsZero() {
		settings[len(settings)-1] += at.UTC().Format("2006-01-02 15:04:05.999999+00")
	}
	server, err := Serve(path, settings...)
	if err != nil {
		return false, 0, err
	}
	defer func() { err = errors.Join(err, server.Close()) }()
	if err := server.Await(ctx, plan.Base.Role, plan.Base.Database); err != nil {
		if strings.Contains(server.Log(), "recovery ended before configured recovery target was reached") {
			return false, 0, errNotReached
		}
		return false, 0, Failed(err)
	}
	text, err := server.Text(ctx, plan.Base.Role, plan.Base.Database, "SELECT pg_last_wal_replay_lsn()::text")
	if err != nil {
		return false, 0, Failed(err)
	}
	end, _ = pgstream.ParseLSN(text)
	return strings.Contains(server.Log(), "recovery stopping "), end, nil
}

// Failed says of what a restored server did that the restore failed.
func Failed(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return errs.Wrap(err, errs.Integrity, "restore_replay_failed", "the server could not replay its log: "+err.Error())
}

// Sizes in the log, by which it is told whether a record was cut off.
const (
	pageSize  = 8192
	pageHead  = 24 // of a page
	firstHead = 40 // of the first page of a segment
	lengthOf  = 4  // a record begins with its length
)

// whole makes sure that recovery got as far as the log goes: where it stopped
// there is nothing, or a record whose end was not shipped any more.
func (r *Restorer) whole(ctx context.Context, plan Plan, stopped uint64) error {
	at := stopped
	switch {
	case at%plan.Base.Segment == 0:
		at += firstHead
	case at%pageSize == 0:
		at += pageHead
	}
	if at+lengthOf > plan.Transaction {
		return nil
	}
	head, err := r.bytesAt(ctx, plan, at, lengthOf)
	if err != nil {
		return err
	}
	length := uint64(binary.NativeEndian.Uint32(head))
	most := length + (length/(pageSize-pageHead)+2)*pageHead + firstHead
	if length > 0 && at+most > plan.Transaction {
		return nil
	}
	return errs.New(errs.Integrity, "restore_log_broken",
		fmt.Sprintf("the log in the backup ends at %s for the server, and goes on to %s", pgstream.LSN(stopped), pgstream.LSN(plan.Transaction)))
}

// bytesAt reads the log of a plan at a position.
func (r *Restorer) bytesAt(ctx context.Context, plan Plan, at uint64, n int) ([]byte, error) {
	out := make([]byte, 0, n)
	for _, f := range plan.Files[1:] {
		if f.Last <= at || f.First > at+uint64(n) {
			continue
		}
		if _, _, err := r.each(ctx, f, func(data []byte, before uint64) error {
			for i, b := range data {
				if f.First-1+before+uint64(i) == at+uint64(len(out)) && len(out) < n {
					out = append(out, b)
				}
			}
			return nil
		}); err != nil {
			return nil, err
		}
	}
	if len(out) < n {
		return make([]byte, n), nil
	}
	return out, nil
}
