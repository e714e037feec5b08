package dbtest

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"panshi/internal/db"
)

// step is one write of a random closure.
type step struct {
	Verb string // put, add, del
	Key  int64
	N    int64
}

// plan is a random closure: its writes and how it ends.
type plan struct {
	Steps []step
	End   string // ok, fail, panic
}

func plans() *rapid.Generator[[]plan] {
	one := rapid.Custom(func(t *rapid.T) step {
		return step{
			Verb: rapid.SampledFrom([]string{"put", "put", "add", "del"}).Draw(t, "verb"),
			Key:  rapid.Int64Range(0, 7).Draw(t, "key"),
			N:    rapid.Int64Range(-9, 9).Draw(t, "n"),
		}
	})
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) plan {
		return plan{
			Steps: rapid.SliceOfN(one, 1, 5).Draw(t, "steps"),
			End:   rapid.SampledFrom([]string{"ok", "ok", "ok", "fail", "panic"}).Draw(t, "end"),
		}
	}), 1, 8)
}

// apply does the writes on rows from base on. A put that meets an existing
// item goes on, as a closure may.
func (p plan) apply(tx *db.Tx, base int64) error {
	for _, s := range p.Steps {
		var err error
		switch s.Verb {
		case "put":
			if err = put(tx, base+s.Key, s.N); errors.Is(err, db.ErrUnique) {
				err = nil
			}
		case "add":
			_, err = tx.Exec(`UPDATE item SET v = v + $1 WHERE k = $2`, s.N, base+s.Key)
		case "del":
			_, err = tx.Exec(`DELETE FROM item WHERE k = $1`, base+s.Key)
		}
		if err != nil {
			return err
		}
	}
	switch p.End {
	case "fail":
		return errPlanned
	case "panic":
		panic("planned")
	}
	return nil
}

// model is what apply must come to.
func (p plan) model(state map[int64]int64, base int64) {
	if p.End != "ok" {
		return
	}
	for _, s := range p.Steps {
		k := base + s.Key
		_, exists := state[k]
		switch {
		case s.Verb == "put" && !exists:
			state[k] = s.N
		case s.Verb == "add" && exists:
			state[k] += s.N
		case s.Verb == "del":
			delete(state, k)
		}
	}
}

// attempt runs the closure and reports whether its end was as planned.
func (p plan) attempt(s *suite, base int64) (err error) {
	defer func() {
		if v := recover(); v != nil && (p.End != "panic" || v != "planned") {
			err = fmt.Errorf("panicked with %v", v)
		}
	}()
	err = s.update(func(tx *db.Tx) error { return p.apply(tx, base) })
	if p.End == "fail" && errors.Is(err, errPlanned) {
		return nil
	}
	if p.End != "ok" && err == nil {
		return errors.New("a failure was acknowledged")
	}
	return err
}

// randomClosures lets six callers at a time run random closures on rows of
// their own and compares the whole table with the model: what one's failure
// undid of another's would show.
func randomClosures(t *testing.T, s *suite) {
	state := make(map[int64]int64)
	base := int64(0)
	total := 0
	check := func(rt *rapid.T) {
		var all sync.WaitGroup
		for w := range 6 {
			base += 10
			mine, work := base, plans().Draw(rt, fmt.Sprint("caller ", w))
			total += len(work)
			for _, p := range work {
				p.model(state, mine)
			}
			all.Go(func() {
				for _, p := range work {
					if err := p.attempt(s, mine); err != nil {
						t.Errorf("%+v: %v", p, err)
					}
				}
			})
		}
		all.Wait()
		if got := items(t, s.DB); !maps.Equal(got, state) {
			rt.Fatalf("the table is %v, the model %v", got, state)
		}
	}
	for total < 1000 {
		rapid.Check(t, check)
	}
	require.NoError(t, s.Close())
	require.Equal(t, state, items(t, s.Reopen()))
}
