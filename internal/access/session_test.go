package access

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/perm"
)

func TestSessionsEnd(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	idle := o.signIn()
	k.clock.Advance(30*time.Minute - time.Millisecond)
	_, err := k.access.Authenticate(k.ctx(), idle.Token)
	require.NoError(t, err)
	k.clock.Advance(30*time.Minute - time.Millisecond)
	_, err = k.access.Authenticate(k.ctx(), idle.Token)
	require.NoError(t, err, "its use was noted")
	k.clock.Advance(30 * time.Minute)
	_, err = k.access.Authenticate(k.ctx(), idle.Token)
	require.ErrorIs(t, err, ErrNoSession)

	busy := o.signIn()
	for range 12*3 - 1 {
		k.clock.Advance(20 * time.Minute)
		_, err = k.access.Authenticate(k.ctx(), busy.Token)
		require.NoError(t, err)
	}
	require.Equal(t, k.clock.Now().Add(20*time.Minute), busy.ExpiresAt)
	k.clock.Advance(20 * time.Minute)
	_, err = k.access.Authenticate(k.ctx(), busy.Token)
	require.ErrorIs(t, err, ErrNoSession, "12 hours are the most")

	out := o.signIn()
	require.Equal(t, 1, k.count(`SELECT COUNT(*) FROM staff_sessions`), "dead ones are swept")
	require.NoError(t, k.access.SignOut(k.ctx(), out.Principal))
	_, err = k.access.Authenticate(k.ctx(), out.Token)
	require.ErrorIs(t, err, ErrNoSession)
	for _, token := range []string{"", "x", strings.Repeat("A", 43), "\x00\xff"} {
		_, err = k.access.Authenticate(k.ctx(), token)
		require.ErrorIs(t, err, ErrNoSession)
	}
}

func TestSignInRotates(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o, other := k.owner(k.one, "chen"), k.owner(k.two, "wu-two")
	first, foreign := o.signIn(), other.signIn()
	k.nextCode()
	second, err := k.access.SignIn(k.ctx(), SignInRequest{Login: "chen", Password: o.password, Code: o.code(0), Replaces: first.Token})
	require.NoError(t, err)
	require.NotEqual(t, first.Token, second.Token)
	_, err = k.access.Authenticate(k.ctx(), first.Token)
	require.ErrorIs(t, err, ErrNoSession)
	k.nextCode()
	_, err = k.access.SignIn(k.ctx(), SignInRequest{Login: "chen", Password: o.password, Code: o.code(0), Replaces: foreign.Token})
	require.NoError(t, err)
	_, err = k.access.Authenticate(k.ctx(), foreign.Token)
	require.NoError(t, err, "another person's session is not ended")
}

func TestDisabledStaffAreOut(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	s := o.signIn()
	require.NoError(t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE staff SET status = 'disabled'`)
		return err
	}))
	_, err := k.access.Authenticate(k.ctx(), s.Token)
	require.ErrorIs(t, err, ErrNoSession)
	k.nextCode()
	_, err = o.try(o.password, o.code(0))
	k.requireCode(err, "sign_in_failed")
	err = k.access.ChangePassword(k.ctx(), s.Principal, o.password, o.code(0), "another violet ladder")
	require.ErrorIs(t, err, ErrNoSession)
}

func TestChangePassword(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	here := o.signIn()
	k.nextCode()
	there := o.signIn()
	const next = "teapot orbit 42 saffron"
	change := func(current, code, next string) error {
		return k.access.ChangePassword(k.ctx(), here.Principal, current, code, next)
	}
	k.requireCode(change(o.password, o.code(0), "password1234"), "password_common")
	k.requireCode(change("not the password", o.code(1), next), "sign_in_failed")
	k.clock.Advance(time.Second)
	k.requireCode(change(o.password, o.code(0), next), "sign_in_failed") // used by the last sign-in
	k.clock.Advance(2 * time.Second)
	k.requireCode(change(o.password, "", next), "sign_in_failed")
	k.nextCode()
	require.NoError(t, change(o.password, o.code(0), next))
	for _, s := range []Session{here, there} {
		_, err := k.access.Authenticate(k.ctx(), s.Token)
		require.ErrorIs(t, err, ErrNoSession, "all sessions end")
	}
	k.nextCode()
	_, err := o.try(o.password, o.code(0))
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(time.Second)
	o.password = next
	o.signIn()
	require.Contains(t, k.actions(), "staff.password_change")
	require.Contains(t, k.actions(), "staff.password_change_failed")
}

func TestNothingUsableIsStored(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	token, err := k.access.CreateSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	dump := k.dump()
	for _, secret := range []string{token, e.Handle, e.Secret} {
		require.NotContains(t, dump, secret)
	}
	o := k.complete(k.one, "chen", token)
	s := o.signIn()
	_, err = o.try("a wrong password", "123456")
	k.requireCode(err, "sign_in_failed")
	dump = k.dump()
	require.Contains(t, dump, "chen")
	for _, secret := range append([]string{token, o.secret, s.Token, o.password, "a wrong password", "123456"}, o.recovery...) {
		require.NotContains(t, dump, secret)
		require.NotContains(t, dump, strings.ReplaceAll(secret, "-", ""))
	}
}

func TestRoles(t *testing.T) {
	t.Parallel()
	for _, role := range Roles() {
		p := Principal{Role: role, Permissions: role.Permissions()}
		require.True(t, p.Has(perm.SessionSelf), role)
		for _, held := range p.Permissions {
			require.Contains(t, Owner.Permissions(), held, "the owner may do what %s may", role)
		}
		require.False(t, p.Has(perm.Anyone), role)
		require.Equal(t, role == Owner || role == Support, p.Has(perm.ContactReveal), role)
		require.Equal(t, role == Owner, p.Has(perm.OrdersRefund), role)
	}
	require.Nil(t, Role("root").Permissions())
	require.False(t, Principal{}.Has(perm.SessionSelf))
}
