package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/adminsock"
	"panshi/internal/order"
)

func TestDoctorTellsWhatWouldBeLost(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC)
	sold := []order.Since{{Currency: "CNY", Placed: 3, Paid: 2, Minor: 9900}, {Currency: "USD", Placed: 1}}
	for name, c := range map[string]struct {
		u           *adminsock.Unshipped
		level, text string
	}{
		"fresh": {&adminsock.Unshipped{Point: now.Add(-time.Second), Label: "nas"}, levelOK, "nas brings back the state of 1s ago; on this machine only: no order"},
		"quiet": {&adminsock.Unshipped{Point: now.Add(-9 * time.Minute), Label: "nas"}, levelOK, "no order"},
		"behind": {
			&adminsock.Unshipped{Point: now.Add(-2 * time.Minute), Label: "nas", Orders: sold}, levelWarn,
			"on this machine only: 4 orders placed, 2 orders paid (CNY 99.00, USD 0.00)",
		},
		"stopped":  {&adminsock.Unshipped{Point: now.Add(-time.Hour), Label: "nas", Orders: sold, More: true}, levelBad, "at least 4 orders"},
		"no state": {&adminsock.Unshipped{Orders: sold}, levelBad, "no destination can bring anything back yet; on this machine only: 4 orders"},
	} {
		found := doctorRecovery(c.u, now)
		require.Len(t, found, 1, name)
		require.Equal(t, c.level, found[0].Level, name)
		require.Contains(t, found[0].Text, c.text, name)
	}
	require.Empty(t, doctorRecovery(nil, now))
}
