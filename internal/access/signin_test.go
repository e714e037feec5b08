package access

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db"
	"panshi/internal/errs"
)

func TestCodesWorkOnceAndWithOneStepOfSkew(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	k.clock.Advance(10 * time.Minute)
	for _, far := range []int{-3, -2, 2, 3} {
		_, err := o.try(o.password, o.code(far))
		k.requireCode(err, "sign_in_failed")
		k.clock.Advance(16 * time.Minute)
	}
	_, err := o.try(o.password, o.code(-1))
	require.NoError(t, err)
	_, err = o.try(o.password, o.code(-1))
	k.requireCode(err, "sign_in_failed") // reused
	k.clock.Advance(time.Second)
	used := o.code(1)
	_, err = o.try(o.password, used)
	require.NoError(t, err, "ahead by one step")
	_, err = o.try(o.password, o.code(0))
	k.requireCode(err, "sign_in_failed") // an earlier step than the last one used
	k.nextCode()
	_, err = o.try(o.password, used)
	k.requireCode(err, "sign_in_failed") // in time, but used
	require.Equal(t, 7, strings.Count(strings.Join(k.actions(), "\n"), "staff.sign_in_failed"))
}

func TestOneCodeInParallelOpensOneSession(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	code := o.code(0)
	var wg sync.WaitGroup
	results := make([]error, 30)
	for i := range results {
		wg.Go(func() { _, results[i] = o.try(o.password, code) })
	}
	wg.Wait()
	won := 0
	for _, err := range results {
		switch {
		case err == nil:
			won++
		case errs.CodeOf(err) != "sign_in_failed" && errs.CodeOf(err) != "sign_in_delayed":
			t.Fatal(err)
		}
	}
	require.Equal(t, 1, won)
	require.Equal(t, 1, k.count(`SELECT COUNT(*) FROM staff_sessions`))
}

func TestTwoSteps(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	for range 5 { // asking for the second step costs nothing
		_, err := o.try(o.password, "")
		require.ErrorIs(t, err, ErrSecondFactor)
	}
	_, err := o.try("wrong "+o.password, "")
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(time.Second)
	_, err = o.try(o.password, "")
	require.ErrorIs(t, err, ErrSecondFactor)
	require.Equal(t, 1, k.count(`SELECT failures FROM staff`), "earlier failures stay counted")
	require.Zero(t, k.count(`SELECT COUNT(*) FROM staff_sessions`))
	o.signIn()
	require.Zero(t, k.count(`SELECT failures FROM staff`))
}

func TestRecoveryCodesWorkOnce(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	_, err := o.try(o.password, strings.ToUpper(strings.ReplaceAll(o.recovery[3], "-", " ")))
	require.NoError(t, err)
	_, err = o.try(o.password, o.recovery[3])
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(time.Second)
	_, err = o.try(o.password, o.recovery[4])
	require.NoError(t, err)
	require.Equal(t, 8, k.count(`SELECT COUNT(*) FROM staff_recovery_codes WHERE used_at IS NULL`))
	require.Contains(t, k.actions(), "staff.sign_in_by_recovery_code")
	o.signIn() // the app goes on working
}

func TestDelaysGrowAndTheOwnerGetsIn(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	wait := time.Second
	for n := 1; n <= 14; n++ {
		_, err := o.try("a wrong password", o.code(0))
		k.requireCode(err, "sign_in_failed")
		_, err = o.try(o.password, o.code(0)) // even the right one waits
		k.requireCode(err, "sign_in_delayed")
		var e *errs.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, min(wait, 15*time.Minute).Seconds(), seconds(t, e))
		k.clock.Advance(min(wait, 15*time.Minute) - time.Millisecond)
		_, err = o.try(o.password, o.code(0))
		k.requireCode(err, "sign_in_delayed")
		k.clock.Advance(time.Millisecond)
		wait *= 2
	}
	o.signIn()
	require.Zero(t, k.count(`SELECT failures FROM staff`))
	_, err := o.try("a wrong password", o.code(0))
	k.requireCode(err, "sign_in_failed")
	require.Equal(t, 1, k.count(`SELECT failures FROM staff`), "the count begins anew")
}

// A clock that was wrong for a while must not lock anybody out until its wrong
// time comes.
func TestDelaysSurviveAClockThatJumpsBack(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	right := k.clock.Now()
	k.clock.Advance(365 * 24 * time.Hour)
	_, err := o.try("a wrong password", o.code(0))
	k.requireCode(err, "sign_in_failed")
	_, err = k.access.SignIn(k.ctx(), SignInRequest{Login: "nobody-has-it", Password: "a wrong password"})
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(right.Sub(k.clock.Now()))
	_, err = k.access.SignIn(k.ctx(), SignInRequest{Login: "nobody-has-it", Password: "a wrong password"})
	k.requireCode(err, "sign_in_failed")
	o.signIn()
}

func seconds(t *testing.T, e *errs.Error) float64 {
	d, err := time.ParseDuration(e.Params["retry_after"] + "s")
	require.NoError(t, err)
	return d.Seconds()
}

func TestParallelGuessesAreNotFree(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	var wg sync.WaitGroup
	results := make([]error, 40)
	for i := range results {
		wg.Go(func() { _, results[i] = o.try("a wrong password", "123456") })
	}
	wg.Wait()
	examined := 0
	for _, err := range results {
		if errs.CodeOf(err) == "sign_in_failed" {
			examined++
		}
	}
	require.Equal(t, 1, examined, "the others must wait")
}

func TestUnknownLoginsCostTheSame(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	k.owner(k.one, "chen")
	nobody := &owner{k: k, login: "nobody"}
	before := k.access.hasher.dummies.Load()
	_, err := nobody.try(goodPassword, "123456")
	k.requireCode(err, "sign_in_failed")
	require.Equal(t, before+1, k.access.hasher.dummies.Load(), "a hash is computed for a login that nobody has")
	_, err = nobody.try(goodPassword, "123456")
	k.requireCode(err, "sign_in_delayed") // as for a login that exists
	k.clock.Advance(time.Second)
	_, err = nobody.try(goodPassword, "")
	k.requireCode(err, "sign_in_failed")
	k.clock.Advance(time.Second)
	_, err = nobody.try(goodPassword, "")
	k.requireCode(err, "sign_in_delayed") // two seconds now

	bad := &owner{k: k, login: "no login \x00 at all"}
	_, err = bad.try(goodPassword, "")
	k.requireCode(err, "sign_in_failed")
	require.Equal(t, before+3, k.access.hasher.dummies.Load())
	p, _, _, err := decode(k.access.hasher.dummy)
	require.NoError(t, err)
	require.Equal(t, defaultParams(), p, "the dummy takes as long as a real one")
}

func TestUnknownLoginsFillNoDisk(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	buckets := map[int64]bool{}
	for range 2000 {
		b := k.access.bucketOf(newToken())
		require.GreaterOrEqual(t, b, int64(0))
		require.Less(t, b, int64(4096))
		buckets[b] = true
	}
	require.Greater(t, len(buckets), 1000)
}

func TestHashes(t *testing.T) {
	t.Parallel()
	h := newHasher(defaultParams())
	p := defaultParams()
	require.GreaterOrEqual(t, p.memory, uint32(19*1024), "OWASP's floor")
	require.GreaterOrEqual(t, p.passes, uint32(2))
	stored := h.hash(goodPassword)
	require.Contains(t, stored, "$argon2id$v=19$m=19456,t=2,p=1$")
	require.NotEqual(t, stored, h.hash(goodPassword), "salted")
	ok, outdated := h.verify(stored, goodPassword)
	require.True(t, ok)
	require.False(t, outdated)
	ok, _ = h.verify(stored, goodPassword+" ")
	require.False(t, ok)
	for _, damaged := range []string{
		"", "x", strings.Replace(stored, "m=19456", "m=99999999", 1), strings.Replace(stored, "t=2", "t=0", 1),
		strings.Replace(stored, "p=1", "p=0", 1), stored[:len(stored)-4], strings.Replace(stored, "argon2id", "argon2i", 1),
	} {
		ok, _ = h.verify(damaged, goodPassword)
		require.False(t, ok, damaged)
	}
}

func TestOldHashesFollow(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	o := k.owner(k.one, "chen")
	weak := newHasher(params{memory: 8 * 1024, passes: 1, threads: 1})
	require.NoError(t, k.db.Update(k.ctx(), func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE staff SET password_hash = $1`, weak.hash(o.password))
		return err
	}))
	o.signIn()
	require.Contains(t, k.dump(), "m=19456,t=2,p=1")
	require.NotContains(t, k.dump(), "m=8192")
	k.nextCode()
	o.signIn()
}

func TestHashingIsBounded(t *testing.T) {
	t.Parallel()
	h := newHasher(defaultParams())
	var leaves []func()
	for range hashSlots {
		leave, err := h.enter(t.Context())
		require.NoError(t, err)
		leaves = append(leaves, leave)
	}
	var wg sync.WaitGroup
	for range hashQueue {
		wg.Go(func() {
			leave, err := h.enter(t.Context())
			if err == nil {
				leave()
			}
		})
	}
	require.Eventually(t, func() bool { return h.waiting.Load() == hashQueue }, 30*time.Second, time.Millisecond)
	_, err := h.enter(t.Context())
	require.ErrorIs(t, err, errHashBusy)
	for _, leave := range leaves {
		leave()
	}
	wg.Wait()
	leave, err := h.enter(t.Context())
	require.NoError(t, err)
	leave()
}

func TestPasswordRules(t *testing.T) {
	t.Parallel()
	for password, code := range map[string]string{
		"short":                            "password_too_short",
		"elevenchars":                      "password_too_short",
		strings.Repeat("卡密", 65):           "password_too_long",
		"password1234":                     "password_common",
		"Password123456!":                  "password_common",
		"P4$$w0rd!!!!":                     "password_common",
		"123456789012":                     "password_common",
		"210987654321":                     "password_common",
		"qwertyuiop[]":                     "password_common",
		"1q2w3e4r5t6y":                     "password_common",
		"aaaaaaaaaaaa":                     "password_common",
		"abcabcabcabc":                     "password_common",
		"woaini1314520":                    "password_common",
		"iloveyou2024!!":                   "password_common",
		"adminadmin888":                    "password_common",
		"138001380001":                     "password_common",
		"19900101123456":                   "password_common",
		"chenowner-2026":                   "password_common", // the login
		"bad \xff utf8 12":                 "invalid_utf8",
		"has a \x00 in it 12":              "invalid_utf8",
		goodPassword:                       "",
		"正确的马电池订书钉很好记":                     "",
		"correct horse battery staple":     "",
		strings.Repeat("long enough ", 10): "",
		"zR7#kq-Wm2xT":                     "",
	} {
		err := checkPassword("password", normalPassword(password), "chenowner")
		if code == "" {
			require.NoError(t, err, password)
			continue
		}
		require.Equal(t, code, errs.CodeOf(err), password)
	}
	require.Equal(t, normalPassword("ｐａｓｓ１２３"), normalPassword("pass123"), "full-width letters of a Chinese keyboard")
}
