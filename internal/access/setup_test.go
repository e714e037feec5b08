package access

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/perm"
)

func TestOwnerIsSetUpAndSignsIn(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "Chen.Owner")
	require.Len(t, o.recovery, 10)
	s := o.signIn()
	require.Len(t, s.Token, 43)
	p, err := k.access.Authenticate(k.ctx(), s.Token)
	require.NoError(t, err)
	require.Equal(t, s.Principal, p)
	require.Equal(t, k.one, p.MerchantID)
	require.Equal(t, "chen.owner", p.Login)
	require.True(t, p.Has(perm.OrdersRefund))
	require.Equal(t, []string{"staff.setup_link_created", "staff.set_up", "staff.sign_in"}, k.actions())
	k.requireInvariants()
}

func TestOTPAuthURL(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	token, err := k.access.CreateSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	u, err := url.Parse(e.URL)
	require.NoError(t, err)
	require.Equal(t, "otpauth", u.Scheme)
	require.Equal(t, e.Secret, u.Query().Get("secret"))
	require.GreaterOrEqual(t, len(e.Secret), 32, "160 bits")
	again, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	require.NotEqual(t, e.Secret, again.Secret)

	o := &owner{k: k, secret: e.Secret}
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "chen", Password: goodPassword, Code: o.code(0)})
	k.requireCode(err, "totp_wrong") // the earlier secret ended
	o.secret = again.Secret
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "chen", Password: goodPassword, Code: o.code(0)})
	k.requireCode(err, "setup_link_invalid") // the earlier handle too
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: again.Handle, Login: "chen", Password: goodPassword, Code: o.code(0)})
	require.NoError(t, err)
}

func TestLinkIsOneTimeAndExpires(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	first, err := k.access.CreateSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	second, err := k.access.CreateSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	_, err = k.access.BeginSetup(k.ctx(), first)
	k.requireCode(err, "setup_link_invalid") // replaced by the second

	o := k.complete(k.one, "chen", second)
	_, err = k.access.BeginSetup(k.ctx(), second)
	k.requireCode(err, "setup_link_invalid")
	_, err = k.access.CreateSetupLink(k.ctx(), k.one)
	require.ErrorIs(t, err, ErrOwnerExists)
	o.signIn()

	late, err := k.access.CreateSetupLink(k.ctx(), k.two)
	require.NoError(t, err)
	k.clock.Advance(24*time.Hour - time.Millisecond)
	e, err := k.access.BeginSetup(k.ctx(), late)
	require.NoError(t, err)
	k.clock.Advance(time.Millisecond)
	_, err = k.access.BeginSetup(k.ctx(), late)
	k.requireCode(err, "setup_link_invalid")
	code := (&owner{k: k, secret: e.Secret}).code(0)
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: late, Handle: e.Handle, Login: "late", Password: goodPassword, Code: code})
	k.requireCode(err, "setup_link_invalid")

	for _, token := range []string{"", "x", strings.Repeat("A", 43), "\x00", "' OR 1=1 --"} {
		_, err = k.access.BeginSetup(k.ctx(), token)
		k.requireCode(err, "setup_link_invalid")
	}
	_, err = k.access.CreateSetupLink(k.ctx(), id.New())
	k.requireCode(err, "merchant_not_found")
}

func TestNothingWorksBeforeTheFirstCode(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	token, err := k.access.CreateSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: "", Login: "chen", Password: goodPassword, Code: "000000"})
	k.requireCode(err, "setup_link_invalid") // nothing enrolled
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	o := &owner{k: k, login: "chen", secret: e.Secret}
	for _, code := range []string{"", "000000", o.code(3), o.code(-3), strings.Repeat("1", 99)} {
		_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "chen", Password: goodPassword, Code: code})
		k.requireCode(err, "totp_wrong")
	}
	_, err = o.try(goodPassword, o.code(0))
	k.requireCode(err, "sign_in_failed")
	require.Zero(t, k.count(`SELECT COUNT(*) FROM staff`))
}

func TestFiftyCompletionsHaveOneWinner(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	token, err := k.access.CreateSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	code := (&owner{k: k, secret: e.Secret}).code(0)
	var wg sync.WaitGroup
	results := make([]error, 50)
	for i := range results {
		wg.Go(func() {
			login := "owner-" + string(rune('a'+i%26)) + string(rune('a'+i/26))
			_, results[i] = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: login, Password: goodPassword, Code: code})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
			continue
		}
		k.requireCode(err, "setup_link_invalid")
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, k.count(`SELECT COUNT(*) FROM staff`))
	require.Equal(t, 10, k.count(`SELECT COUNT(*) FROM staff_recovery_codes`))
	require.Equal(t, 1, k.count(`SELECT COUNT(*) FROM audit_records WHERE action = 'staff.set_up'`))
	k.requireInvariants()
}

func TestLoginsAreUniqueInTheInstallation(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.owner(k.one, "chen")
	token, err := k.access.CreateSetupLink(k.ctx(), k.two)
	require.NoError(t, err)
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	code := (&owner{k: k, secret: e.Secret}).code(0)
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "CHEN", Password: goodPassword, Code: code})
	k.requireCode(err, "login_taken")
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "li", Password: goodPassword, Code: code})
	k.requireCode(err, "invalid_login")
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "lin", Password: goodPassword, Code: code})
	require.NoError(t, err, "what was refused leaves the link usable")
}

func TestReissuedLinkReplacesProofs(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	lost := k.owner(k.one, "chen")
	session := lost.signIn()
	k.nextCode()
	token, err := k.access.ReissueSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	found := k.complete(k.one, "chen", token)
	_, err = k.access.Authenticate(k.ctx(), session.Token)
	require.ErrorIs(t, err, ErrNoSession)
	_, err = lost.try(lost.password, lost.code(0))
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(time.Second)
	_, err = lost.try(lost.password, lost.recovery[0])
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(time.Minute)
	require.Equal(t, session.Principal.StaffID, found.signIn().Principal.StaffID)
	require.Equal(t, 10, k.count(`SELECT COUNT(*) FROM staff_recovery_codes`))

	token, err = k.access.ReissueSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	other := k.complete(k.one, "lin", token)
	require.NotEqual(t, session.Principal.StaffID, other.signIn().Principal.StaffID, "a new login is one more owner")

	k.owner(k.two, "wu-two")
	token, err = k.access.ReissueSetupLink(k.ctx(), k.one)
	require.NoError(t, err)
	e, err := k.access.BeginSetup(k.ctx(), token)
	require.NoError(t, err)
	code := (&owner{k: k, secret: e.Secret}).code(0)
	_, err = k.access.CompleteSetup(k.ctx(), SetupRequest{Token: token, Handle: e.Handle, Login: "wu-two", Password: goodPassword, Code: code})
	k.requireCode(err, "login_taken") // another merchant's owner is out of reach
	k.requireInvariants()
}

func (k *kit) requireInvariants() {
	k.t.Helper()
	for _, inv := range Invariants() {
		require.NoError(k.t, k.db.View(k.ctx(), func(tx *db.Tx) error {
			rows, err := tx.Query(inv.Query)
			require.NoError(k.t, err, inv.Name)
			require.False(k.t, rows.Next(), inv.Name)
			return rows.Close()
		}))
	}
}

func TestInvariantsSeeViolations(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	a := k.request(o.principal(), "x")
	wu := k.person("wu-two", Owner)
	require.NoError(t, k.db.Update(t.Context(), func(tx *db.Tx) error {
		return k.approvals(told).approveTx(tx, wu.principal(), a.ID, a.Digest, "")
	}))
	s := o.signIn()
	plants := map[string]string{
		"access.session_of_same_merchant":       `UPDATE staff_sessions SET merchant_id = (SELECT id FROM merchants WHERE slug = 'two')`,
		"access.session_of_active_staff":        `UPDATE staff SET status = 'disabled'`,
		"access.recovery_code_of_same_merchant": `UPDATE staff_recovery_codes SET merchant_id = (SELECT id FROM merchants WHERE slug = 'two')`,
		"access.used_link_holds_no_secret":      `UPDATE staff_setup_links SET handle_hash = token_hash, totp_sealed = token_hash`,
		"access.approval_of_same_merchant":      `UPDATE approvals SET merchant_id = (SELECT id FROM merchants WHERE slug = 'two')`,
		"access.approval_leaves_a_record":       `DELETE FROM audit_records WHERE action = 'approval.approved'`,
	}
	require.Len(t, plants, len(Invariants()))
	for _, inv := range Invariants() {
		err := k.db.Update(k.ctx(), func(tx *db.Tx) error {
			_, err := tx.Exec(plants[inv.Name])
			require.NoError(t, err, inv.Name)
			rows, err := tx.Query(inv.Query)
			require.NoError(t, err)
			require.True(t, rows.Next(), inv.Name)
			require.NoError(t, rows.Close())
			return errs.New(errs.Internal, "undo", "undo")
		})
		k.requireCode(err, "undo")
	}
	_, err := k.access.Authenticate(k.ctx(), s.Token)
	require.NoError(t, err)
}

func TestColumnsAreDeclared(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	stored := dbtest.Columns(t, k.db)
	for _, table := range Columns() {
		require.Len(t, table.Columns, len(stored[table.Name]), table.Name)
		for _, name := range stored[table.Name] {
			require.Contains(t, table.Columns, name, table.Name)
		}
	}
}
