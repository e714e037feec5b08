package errs_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
)

func TestErrorsMatchByCodeThroughCopies(t *testing.T) {
	base := errs.New(errs.Conflict, "sold_out", "gone")
	copied := base.With("left", "0")
	copied.Field = "lines[0]"
	wrapped := fmt.Errorf("placing: %w", copied)
	require.ErrorIs(t, wrapped, base)
	require.NotErrorIs(t, wrapped, errs.New(errs.Conflict, "other", "gone"))
	require.Equal(t, errs.Conflict, errs.KindOf(wrapped))
	require.Equal(t, "sold_out", errs.CodeOf(wrapped))
	require.Empty(t, base.Params, "With must not change what it was called on")
}

func TestStrangersAreInternal(t *testing.T) {
	require.Equal(t, errs.Internal, errs.KindOf(errors.New("boom")))
	require.Equal(t, "internal", errs.CodeOf(nil))
}

func TestCauseIsForTheLogOnly(t *testing.T) {
	e := errs.Wrap(errors.New("disk on fire"), errs.Unavailable, "busy", "try again")
	require.Equal(t, "try again", e.Msg)
	require.Contains(t, e.Error(), "disk on fire")
}
