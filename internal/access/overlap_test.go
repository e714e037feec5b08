package access

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/db/dbtest"
	"panshi/internal/errs"
)

// onNodes is the service as two nodes have it whose transactions overlap.
func (k *kit) onNodes() *Service {
	return NewService(dbtest.Overlapping(k.db, 2), k.access.vault, k.clock)
}

// TestAttemptsAtOnceAreExaminedOneByOne: whoever guesses on two nodes at once
// has one guess, not two, and the other waits.
func TestAttemptsAtOnceAreExaminedOneByOne(t *testing.T) {
	t.Parallel()
	for _, login := range []string{"chen", "nobody"} {
		k := newKit(t)
		k.owner(k.one, "chen")
		nodes := k.onNodes()
		codes := map[string]int{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				_, err := nodes.SignIn(k.ctx(), SignInRequest{Login: login, Password: "wrong " + goodPassword, Code: "123456"})
				mu.Lock()
				defer mu.Unlock()
				codes[errs.CodeOf(err)]++
			})
		}
		wg.Wait()
		require.Equal(t, map[string]int{"sign_in_failed": 1, "sign_in_delayed": 1}, codes, login)
	}
}

// TestForgivingKeepsWhatCameSince: a right password takes back its own charge
// only, however late it is examined.
func TestForgivingKeepsWhatCameSince(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	at, _, err := k.access.examine(k.ctx(), "staff.sign_in", o.password, "", func(tx *db.Tx) (account, error) {
		return byLoginTx(tx, "chen", tx.ForUpdate())
	})
	require.NoError(t, err)
	k.clock.Advance(time.Second)
	_, err = o.try("wrong "+o.password, "")
	k.requireCode(err, "sign_in_failed")
	require.ErrorIs(t, k.access.forgive(k.ctx(), at), ErrSecondFactor)
	require.Equal(t, 2, k.count(`SELECT failures FROM staff`))
	require.Equal(t, 1, k.count(`SELECT COUNT(*) FROM staff WHERE retry_at IS NOT NULL`))
}

// TestLinksMadeAtOnce: two who reissue a link at once both get one, and one of
// the two works.
func TestLinksMadeAtOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	nodes := k.onNodes()
	tokens := make([]string, 2)
	failures := make([]error, 2)
	var wg sync.WaitGroup
	for i := range tokens {
		wg.Go(func() { tokens[i], failures[i] = nodes.ReissueSetupLink(k.ctx(), k.one) })
	}
	wg.Wait()
	works := 0
	for i, token := range tokens {
		require.NoError(t, failures[i])
		if _, err := k.access.BeginSetup(k.ctx(), token); err == nil {
			works++
		}
	}
	require.Equal(t, 1, works)
}

// TestClosuresRunTwice: a transaction that collides runs again from its start,
// wherever it broke off, and gives what one run would have given.
func TestClosuresRunTwice(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.access = NewService(dbtest.Rerunning(k.db, 7), k.access.vault, k.clock)
	for _, login := range []string{"chen", "wang", "zhao", "zhou"} {
		token, err := k.access.ReissueSetupLink(k.ctx(), k.one)
		require.NoError(t, err)
		o := k.complete(k.one, login, token)
		s := o.signIn()
		require.Len(t, s.Token, 43)
		p, err := k.access.Authenticate(k.ctx(), s.Token)
		require.NoError(t, err)
		require.Equal(t, s.Principal, p)
		k.nextCode()
		require.NoError(t, k.access.ChangePassword(k.ctx(), p, o.password, o.code(0), "another "+goodPassword))
		_, err = k.access.Authenticate(k.ctx(), s.Token)
		require.ErrorIs(t, err, ErrNoSession)
	}
	k.requireInvariants()
}
