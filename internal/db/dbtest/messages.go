package dbtest

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
)

// messages: what a committed closure told is heard after its commit, by those
// who subscribed to the topic and have not stopped; what was undone is not.
func messages(t *testing.T, s *suite) {
	board, ok := s.DB.(db.Subscriber)
	require.True(t, ok, "an engine hands out messages")
	heard := make(chan string, 100)
	listen := func(topic string) (stop func()) {
		return board.Subscribe(topic, func(text string) {
			if text != "" { // "look at everything" may come at any time
				heard <- topic + ":" + text
			}
		})
	}
	stop := listen("one")
	defer listen("two")()
	undone := errors.New("undone")
	require.ErrorIs(t, s.update(func(tx *db.Tx) error { tx.Tell("one", "undone"); return undone }), undone)
	tell := func(tx *db.Tx) error {
		tx.Tell("one", "a")
		tx.TellHere("two", "b")
		tx.Tell("nobody", "c")
		return put(tx, 1, 1)
	}
	require.NoError(t, s.update(tell))
	require.Equal(t, []string{"one:a", "two:b"}, []string{next(t, heard), next(t, heard)})
	require.Equal(t, map[int64]int64{1: 1}, items(t, s.DB), "it was committed before")
	stop()
	require.NoError(t, s.update(func(tx *db.Tx) error {
		tx.Tell("one", "late")
		tx.Tell("two", "last")
		return nil
	}))
	require.Equal(t, "two:last", next(t, heard))
	require.Empty(t, heard)
}

func next(t *testing.T, heard <-chan string) string {
	t.Helper()
	select {
	case text := <-heard:
		return text
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was heard")
		return ""
	}
}
