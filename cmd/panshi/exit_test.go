package main

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/errs"
)

func TestExitCodes(t *testing.T) {
	for kind, want := range map[errs.Kind]int{
		errs.Internal: 1, errs.Invalid: 2, errs.NotFound: 1, errs.Conflict: 1, errs.Unauthenticated: 3, errs.Forbidden: 3,
		errs.TooMany: 1, errs.TooLarge: 2, errs.Unavailable: 1, errs.Integrity: 4, errs.Malformed: 2,
	} {
		err := errs.New(kind, "c", "m")
		require.Equal(t, want, exitCode(err), "kind %d", kind)
		require.Equal(t, want, exitCode(fmt.Errorf("doing it: %w", err)), "kind %d, wrapped", kind)
		require.Equal(t, want, exitCode(errors.Join(err, errors.New("closing"))), "kind %d, joined", kind)
	}
	integrity := errs.New(errs.Integrity, "c", "m")
	require.Equal(t, 4, exitCode(errors.Join(errs.New(errs.Invalid, "c", "m"), integrity)), "integrity outweighs")
	require.Equal(t, 4, exitCode(errors.Join(errors.New("x"), errors.Join(errors.New("y"), fmt.Errorf("z: %w", integrity)))))
	require.Equal(t, 0, exitCode(nil))
	require.Equal(t, 1, exitCode(errFindings))
	require.Equal(t, 1, exitCode(errors.New("anything")))
	require.Equal(t, 1, exitCode(context.Canceled))
}

func TestExplain(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	field := errs.Field("sandbox.addr", "c", "is wrong")
	for _, c := range []struct {
		err  error
		want string
	}{
		{nil, ""},
		{errFindings, ""},
		{errors.Join(errFindings, nil), ""},
		{errors.New("plain"), "plain"},
		{field, "--sandbox: is wrong"},
		{errs.Field("shop.order_ttl", "c", "is wrong"), "shop.order_ttl: is wrong"},
		{errors.Join(field, errors.Join(errors.New("a\nb"), errors.New("c"))), "--sandbox: is wrong; a b; c"},
		{errs.Wrap(errors.New("no space"), errs.Internal, "c", "cannot write"), "cannot write: no space"},
		{errs.Wrap(errors.New("no space"), errs.Internal, "c", "cannot write: no  space"), "cannot write: no space"},
		{errs.Wrap(field, errs.Internal, "c", "outer"), "outer: --sandbox: is wrong"},
		{errors.New("bell \x07 escape \x1b[31m nul \x00 bad \xff"), "bell \uFFFD escape \uFFFD[31m nul \uFFFD bad \uFFFD"},
	} {
		require.Equal(t, c.want, explain(t.Context(), c.err))
	}
	require.Equal(t, "interrupted", explain(ended, fmt.Errorf("x: %w", context.Canceled)))
	require.Equal(t, "context canceled", explain(t.Context(), context.Canceled), "cancelled, but not by a signal")
}
