package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/db/postgres"
)

// ear is a second process's pool and what it hears; "" is "look at everything".
func ear(t *testing.T, url string) <-chan string {
	t.Helper()
	d, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: schema(tables)})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.Close()) })
	heard := make(chan string, 1000)
	t.Cleanup(d.Subscribe("topic", func(text string) { heard <- text }))
	require.Empty(t, <-heard, "once it listens, it has everybody look")
	return heard
}

func TestMessagesReachOtherProcesses(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	far := ear(t, url)
	d, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: schema(tables)})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	here := make(chan string, 1000)
	defer d.Subscribe("topic", func(text string) { here <- text })()

	require.Empty(t, <-here)
	require.NoError(t, update(d, func(tx *db.Tx) error {
		tx.TellHere("topic", "near")
		tx.Tell("topic", "a text with spaces")
		return put(tx, 7)
	}))
	require.Equal(t, "a text with spaces", <-far, "and nothing of what was for here")
	require.Equal(t, []string{"near", "a text with spaces"}, []string{<-here, <-here})
	for range 300 {
		require.NoError(t, update(d, func(tx *db.Tx) error { tx.Tell("topic", "often"); return add(tx, 1) }))
	}
	require.Equal(t, "often", <-far)
	require.NoError(t, update(d, func(tx *db.Tx) error { tx.Tell("topic", "last"); return nil }))
	rounds := 1
	for text := ""; text != "last"; rounds++ {
		select {
		case text = <-far:
		case <-time.After(30 * time.Second):
			t.Fatal("the last message did not come")
		}
	}
	require.Less(t, rounds, 200, "what comes in one round shares a message")
}

func TestABrokenListenerComesBackAndHasAllLook(t *testing.T) {
	url := dbtest.EmptyPostgres(t)
	far := ear(t, url)
	d, err := postgres.Open(t.Context(), postgres.Config{URL: url, Migrations: schema(tables)})
	require.NoError(t, err)
	defer func() { require.NoError(t, d.Close()) }()
	require.Equal(t, int64(1), number(t, d, `SELECT COUNT(pg_terminate_backend(pid)) FROM pg_stat_activity
		WHERE application_name = 'panshi listener' AND datname = current_database()`))
	select {
	case text := <-far:
		require.Empty(t, text)
	case <-time.After(30 * time.Second):
		t.Fatal("it did not come back")
	}
	require.NoError(t, d.Update(context.Background(), func(tx *db.Tx) error { tx.Tell("topic", "heard again"); return nil }))
	require.Equal(t, "heard again", <-far)
}
