package notify

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/check"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/id"
)

func raise(t *testing.T, d db.DB, a Alert) {
	t.Helper()
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error { return AlertTx(tx, a) }))
}

func list(t *testing.T, d db.DB, s Scope) (all []Stored) {
	t.Helper()
	require.NoError(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
		all, err = ListTx(tx, s, id.ID{}, 100)
		return err
	}))
	return all
}

func sound(t *testing.T, d db.DB) {
	t.Helper()
	report, err := check.Run(t.Context(), d, Invariants(), func(string, int, int) {})
	require.NoError(t, err)
	require.Zero(t, report.Violations, "%+v", report.Results)
}

// TestAnAlertExistsIfAndOnlyIfItsCauseDoes: a transaction that is undone leaves
// none.
func TestAnAlertExistsIfAndOnlyIfItsCauseDoes(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	undone := errors.New("undone")
	a := Alert{Code: "test", Severity: Critical, MerchantID: id.New(), Args: map[string]string{"channel": "a\r\nBcc: x"}}
	require.ErrorIs(t, d.Update(t.Context(), func(tx *db.Tx) error { return errors.Join(AlertTx(tx, a), undone) }), undone)
	require.Empty(t, list(t, d, Scope{All: true}))
	raise(t, d, a)
	stored := list(t, d, Scope{All: true})
	require.Len(t, stored, 1)
	require.Equal(t, "a  Bcc: x", stored[0].Args["channel"], "one line")
	sound(t, d)
}

// TestTheSameIsCounted: one open alert for each merchant, code and subject.
func TestTheSameIsCounted(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	one, two := id.New(), id.New()
	for _, a := range []Alert{
		{Code: "test", MerchantID: one},
		{Code: "test", MerchantID: one},
		{Code: "test", MerchantID: one, Subject: "x"},
		{Code: "test", MerchantID: two},
		{Code: "test"},
		{Code: "test"},
		{Code: "test"},
	} {
		a.Severity = Warning
		raise(t, d, a)
	}
	counts := func(all []Stored) (n []int64) {
		for _, a := range all {
			n = append(n, a.Count)
		}
		return n
	}
	require.Equal(t, []int64{3, 1, 1, 2}, counts(list(t, d, Scope{All: true})))
	require.Equal(t, []int64{1, 2}, counts(list(t, d, Scope{MerchantID: one})), "nobody else's")
	require.Equal(t, []int64{3, 1, 2}, counts(list(t, d, Scope{MerchantID: one, Platform: true})))
	require.Empty(t, list(t, d, Scope{MerchantID: id.New()}))
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		return errors.Join(ResolveTx(tx, one, "test", ""), ResolveTx(tx, one, "other", ""), OngoingTx(tx, Alert{Code: "test", Severity: Warning}))
	}))
	raise(t, d, Alert{Code: "test", MerchantID: one, Severity: Warning})
	require.Equal(t, []int64{1, 1, 2}, counts(list(t, d, Scope{MerchantID: one})), "after its end it is another one")
	require.Equal(t, []int64{3}, counts(list(t, d, Scope{Platform: true})), "what lasts is not counted again")
	sound(t, d)
}

// TestPages: every alert is listed once, whatever the page.
func TestPages(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	merchant := id.New()
	for i := range 9 {
		a := Alert{Code: "test", Severity: Info, Subject: string(rune('a' + i))}
		if i%2 == 0 {
			a.MerchantID = merchant
		}
		raise(t, d, a)
	}
	for _, s := range []Scope{{All: true}, {MerchantID: merchant, Platform: true}} {
		var subjects string
		before := id.ID{}
		for range 5 {
			require.NoError(t, d.View(t.Context(), func(tx *db.Tx) error {
				page, err := ListTx(tx, s, before, 2)
				for _, a := range page {
					subjects, before = subjects+a.Subject, a.ID
				}
				return err
			}))
		}
		require.Equal(t, "ihgfedcba", subjects)
	}
}

// TestAcknowledge: only one's own, only what is open, and only once.
func TestAcknowledge(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	one, two := id.New(), id.New()
	raise(t, d, Alert{Code: "test", MerchantID: one, Severity: Warning})
	raise(t, d, Alert{Code: "test", Severity: Warning})
	all := list(t, d, Scope{All: true})
	acknowledge := func(s Scope, alertID id.ID, by string) error {
		return d.Update(t.Context(), func(tx *db.Tx) error { return AcknowledgeTx(tx, s, alertID, by) })
	}
	require.ErrorIs(t, acknowledge(Scope{MerchantID: two, Platform: true}, all[1].ID, "x"), ErrUnknown)
	require.ErrorIs(t, acknowledge(Scope{MerchantID: one}, all[0].ID, "x"), ErrUnknown, "the installation's")
	require.ErrorIs(t, acknowledge(Scope{All: true}, id.New(), "x"), ErrUnknown)
	require.NoError(t, acknowledge(Scope{MerchantID: one}, all[1].ID, "chen"))
	require.NoError(t, acknowledge(Scope{All: true}, all[1].ID, "wu"))
	got := list(t, d, Scope{MerchantID: one})[0]
	require.Equal(t, Acknowledged, got.State)
	require.Equal(t, "chen", got.AcknowledgedBy, "the first")
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error { return ResolveTx(tx, one, "test", "") }))
	require.ErrorIs(t, acknowledge(Scope{MerchantID: one}, all[1].ID, "x"), ErrUnknown)
}

// TestAnAlertEndsUnlessItsCauseIsThere: what is asked last, under the lock,
// decides.
func TestAnAlertEndsUnlessItsCauseIsThere(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	a := Alert{Code: "test", MerchantID: id.New(), Severity: Warning}
	raise(t, d, a)
	state := func(there bool) State {
		require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
			return ResolveUnlessTx(tx, a, func() (bool, error) { return there, nil })
		}))
		return list(t, d, Scope{All: true})[0].State
	}
	require.Equal(t, Open, state(true))
	require.Equal(t, Resolved, state(false))
	require.NoError(t, d.Update(t.Context(), func(tx *db.Tx) error {
		return ResolveUnlessTx(tx, a, func() (bool, error) { return false, errors.New("not asked: nothing is open") })
	}))
}

// TestInvalidAlertsAreRefused: a typing error of a caller shows in its test.
func TestInvalidAlertsAreRefused(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	for _, a := range []Alert{
		{Severity: Info}, {Code: "Test", Severity: Info}, {Code: "test"}, {Code: "test", Severity: "bad"}, {Code: "test", Severity: Info, Subject: "a\nb"},
	} {
		require.ErrorIs(t, d.Update(t.Context(), func(tx *db.Tx) error { return AlertTx(tx, a) }), errAlert)
	}
}
