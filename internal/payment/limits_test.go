package payment

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/money"
)

func TestHours(t *testing.T) {
	// 2026-11-23 is a Monday; times are UTC+8.
	at := func(day int, clock string) time.Time {
		c, err := time.Parse("15:04", clock)
		require.NoError(t, err)
		return time.Date(2026, 11, 22+day, c.Hour(), c.Minute(), 0, 0, zone()).UTC()
	}
	const hours = "mon-fri 09:00-18:00, sat 22:00-02:00,sun 23:00-00:30"
	for _, c := range []struct {
		day   int
		clock string
		open  bool
	}{
		{1, "08:59", false},
		{1, "09:00", true},
		{5, "17:59", true},
		{5, "18:00", false},
		{6, "12:00", false},
		{6, "23:00", true},
		{7, "01:59", true},
		{7, "02:00", false},
		{7, "23:30", true},
		{1, "00:29", true},
		{1, "00:30", false},
	} {
		require.Equal(t, c.open, openAt(hours, at(c.day, c.clock)), "%d %s", c.day, c.clock)
	}
	require.True(t, openAt("sun 00:00-24:00", at(7, "23:59")))
	for _, wrong := range []string{"mon", "mon 9-18", "fri-mon 09:00-18:00", "xxx 09:00-18:00", "mon 24:00-25:00", "mon 09:00-18:00,", "mon 09:00"} {
		require.Error(t, Limits{Hours: wrong}.Validate(), wrong)
		require.False(t, openAt(wrong, at(1, "10:00")), wrong)
	}
}

func TestLimits(t *testing.T) {
	l := Limits{MinAmount: 100, MaxAmount: 500, DayAmount: 1000, DayCount: 3, Currency: money.CNY, Clients: "web,api"}
	require.NoError(t, l.Validate())
	now := time.Unix(0, 0)
	for _, c := range []struct {
		w    Want
		fits bool
	}{
		{Want{}, true},
		{Want{Amount: money.Of(99, money.CNY)}, false},
		{Want{Amount: money.Of(100, money.CNY)}, true},
		{Want{Amount: money.Of(501, money.CNY)}, false},
		{Want{Amount: money.Of(200, "USD")}, false},
		{Want{Client: "miniprogram"}, false},
		{Want{Client: "web"}, true},
	} {
		require.Equal(t, c.fits, l.fit(c.w, now), "%v", c.w)
	}
	w := Want{Amount: money.Of(200, money.CNY)}
	require.True(t, l.leaves(w, 2, 800))
	require.False(t, l.leaves(w, 3, 0))
	require.False(t, l.leaves(w, 0, 801))
	for _, wrong := range []Limits{{MinAmount: -1}, {MinAmount: 5, MaxAmount: 4}, {Weight: 101}, {Currency: "cny"}, {Clients: "fax"}} {
		require.Error(t, wrong.Validate())
	}
}
