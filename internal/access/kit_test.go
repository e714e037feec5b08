package access

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/merchant"
	"panshi/internal/vault"
)

const goodPassword = "violet ladder 71 monsoon"

// kit is a shop with two merchants and a clock that the test moves.
type kit struct {
	t      *testing.T
	db     db.DB
	clock  *clock.Manual
	access *Service
	one    id.ID
	two    id.ID
}

func newKit(t *testing.T) *kit {
	t.Helper()
	k := &kit{t: t, clock: clock.NewManual(time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC))}
	k.db = dbtest.Open(t, dbtest.Options{Clock: k.clock})
	dir := t.TempDir()
	v, err := vault.Create(vault.Config{KeyFile: filepath.Join(dir, "key"), Dir: filepath.Join(dir, "keys")})
	require.NoError(t, err)
	k.access = NewService(k.db, v, k.clock)
	k.one, k.two = k.merchant("one"), k.merchant("two")
	return k
}

func (k *kit) merchant(slug string) id.ID {
	m, err := merchant.NewService(k.db, k.clock).Put(k.ctx(), merchant.Merchant{Slug: slug, Name: slug, Currency: "CNY", Open: true})
	require.NoError(k.t, err)
	return m.ID
}

func (k *kit) ctx() context.Context { return k.t.Context() }

// owner is somebody with a login, a password and an app.
type owner struct {
	k        *kit
	merchant id.ID
	login    string
	password string
	secret   string
	recovery []string
}

func (k *kit) owner(merchantID id.ID, login string) *owner {
	token, err := k.access.CreateSetupLink(k.ctx(), merchantID)
	require.NoError(k.t, err)
	return k.complete(merchantID, login, token)
}

func (k *kit) complete(merchantID id.ID, login, token string) *owner {
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(k.t, err)
	o := &owner{k: k, merchant: merchantID, login: login, password: goodPassword, secret: e.Secret}
	done, err := k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: login, Password: goodPassword, Code: o.code(0)})
	require.NoError(k.t, err)
	o.recovery = done.RecoveryCodes
	k.clock.Advance(totpPeriod * time.Second) // the code that confirmed is used up
	return o
}

// code is what the app shows some steps from now.
func (o *owner) code(steps int) string {
	code, err := totp.GenerateCode(o.secret, o.k.clock.Now().Add(time.Duration(steps)*totpPeriod*time.Second))
	require.NoError(o.k.t, err)
	return code
}

func (o *owner) try(password, code string) (Session, error) {
	return o.k.access.SignIn(o.k.ctx(), SignInRequest{Login: o.login, Password: password, Code: code})
}

func (o *owner) signIn() Session {
	s, err := o.try(o.password, o.code(0))
	require.NoError(o.k.t, err)
	return s
}

// wait passes the time that a TOTP step takes, so that the app shows another
// code.
func (k *kit) nextCode() { k.clock.Advance(totpPeriod * time.Second) }

func (k *kit) requireCode(err error, code string) {
	k.t.Helper()
	require.Error(k.t, err)
	require.Equal(k.t, code, errs.CodeOf(err), err.Error())
}

func (k *kit) count(query string, args ...any) (n int) {
	require.NoError(k.t, k.db.View(k.ctx(), func(tx *db.Tx) error { return tx.Get([]any{&n}, query, args...) }))
	return n
}

func (k *kit) actions() []string {
	var out []string
	require.NoError(k.t, k.db.View(k.ctx(), func(tx *db.Tx) (err error) {
		out, err = db.Collect(tx, func(rows db.Rows) (s string, err error) { return s, rows.Scan(&s) },
			`SELECT action FROM audit_records ORDER BY id`)
		return err
	}))
	return out
}

// dump is every byte of every table of this package and of the trail.
func (k *kit) dump() string {
	all := dbtest.Dump(k.t, k.db,
		"staff", "staff_recovery_codes", "staff_sessions", "staff_setup_links", "staff_unknown_logins", "audit_records")
	require.NotEmpty(k.t, all)
	return all
}
