package notify

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/db/dbtest"
)

// Two who look for alerts of one code leave each other's alone.
func TestEachKeepsItsOwnAlerts(t *testing.T) {
	t.Parallel()
	d := dbtest.Open(t, dbtest.Options{})
	s := New(d, Defaults(), Ways{}, testTexts(t), noNames, clock.System{}, quiet())
	alerts := func(subjects ...string) (all []Alert) {
		for _, subject := range subjects {
			all = append(all, Alert{Code: "test", Subject: subject, Severity: Warning})
		}
		return all
	}
	open := func() (subjects []string) {
		var stored []Stored
		require.NoError(t, d.View(t.Context(), func(tx *db.Tx) (err error) {
			stored, err = OpenTx(tx, 100)
			return err
		}))
		for _, a := range stored {
			subjects = append(subjects, a.Subject)
		}
		slices.Sort(subjects)
		return subjects
	}
	require.NoError(t, s.KeepUnder(t.Context(), "test", "a/", alerts("a/1", "a/2")))
	require.NoError(t, s.KeepUnder(t.Context(), "test", "b/", alerts("b/1")))
	require.Equal(t, []string{"a/1", "a/2", "b/1"}, open())
	require.NoError(t, s.KeepUnder(t.Context(), "test", "a/", alerts("a/2", "a/3")))
	require.Equal(t, []string{"a/2", "a/3", "b/1"}, open())
	require.NoError(t, s.Keep(t.Context(), "test", alerts("b/1")))
	require.Equal(t, []string{"b/1"}, open())
	sound(t, d)
}
