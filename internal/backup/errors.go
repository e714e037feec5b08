package backup

import (
	"context"
	"errors"

	"panshi/internal/errs"
)

// Missing is the error of an object that is not there.
func Missing(name string, cause error) error {
	return errs.Wrap(cause, errs.NotFound, "backup_object_missing", "there is no such object at the destination").With("name", name)
}

// Exists is the error of a Put whose name is taken.
func Exists(name string, cause error) error {
	return errs.Wrap(cause, errs.Conflict, "backup_object_exists", "the destination has an object of this name already").With("name", name)
}

// Damaged is the error of an object that is not what it should be.
func Damaged(name string, cause error) error {
	return errs.Wrap(cause, errs.Integrity, "backup_object_damaged", "an object at the destination is not what was stored").With("name", name)
}

// Refused is the error of what the destination forbids: what is put, get, list,
// delete or swap.
func Refused(what, name string, cause error) error {
	return errs.Wrap(cause, errs.Forbidden, "backup_refused", "the destination refuses this to our credential").
		With("what", what).With("name", name)
}

// Full is the error of a destination without room.
func Full(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "backup_full", "the destination is full")
}

// Unavailable is the error of a destination that does not answer, or answers
// that it cannot now.
func Unavailable(cause error) error {
	return errs.Wrap(cause, errs.Unavailable, "backup_unavailable", "the destination does not answer")
}

// SwapLost is the error of a swap that somebody else made first.
func SwapLost(name string, cause error) error {
	return errs.Wrap(cause, errs.Conflict, "backup_swap_lost", "somebody else changed this object meanwhile").With("name", name)
}

// NoSwap is the error of a destination that cannot keep a lease.
func NoSwap() error {
	return errs.New(errs.Invalid, "backup_no_swap", "this destination has no conditional put, so it cannot keep a lease")
}

// Is tells whether err carries one of the codes of a Destination.
func Is(err error, code string) bool { return err != nil && errs.CodeOf(err) == code }

// Passing tells whether another try may succeed by itself.
func Passing(err error) bool {
	return Is(err, "backup_unavailable") || Is(err, "backup_full")
}

// ended tells whether err says no more than that the caller's context ended.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && (errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) || Passing(err))
}
