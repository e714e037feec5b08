package proof

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/lease"
	"panshi/internal/backup/manifest"
)

// now is the clock of these tests.
func now() time.Time { return time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC) }

// best is evidence by which everything is green that can be.
func best() Evidence {
	at := now().Add(-time.Hour)
	good := func() *Record { return &Record{At: at, Invariants: 30} }
	return Evidence{
		Copies: []Copy{
			{Label: "disk", Region: "here", Apart: true, Full: at, To: at, Proof: good()},
			{Label: "oss", Region: "hangzhou", Full: at, To: at, Proof: good()},
		},
		Cards: &CardsRecord{At: at, Digest: "d1"}, CardsNow: "d1",
		Standbys: []lease.Follower{{Node: "n", Time: now().Add(-time.Minute).UnixMilli(), Transaction: 7, Generation: "g"}},
	}
}

func states(e Evidence, at time.Time) map[string]State {
	out := map[string]State{}
	for _, i := range Judge(e, at) {
		out[i.Name] = i.State
	}
	return out
}

// Each piece of evidence that is planted false turns its own item, and no other.
func TestEachItemFallsWithItsEvidence(t *testing.T) {
	t.Parallel()
	whole := map[string]State{Replica: Green, SecondDisk: Green, TwoRegions: Green, Offline: Red, Restored: Green, CardKeys: Green}
	require.Equal(t, whole, states(best(), now()))
	require.Len(t, Judge(best(), now()), 6)
	require.False(t, AllGreen(Judge(best(), now())), "nothing is offline")
	ago := func(d time.Duration) time.Time { return now().Add(-d) }
	cases := map[string]struct {
		plant func(*Evidence)
		item  string
		state State
	}{
		"no standby":          {func(e *Evidence) { e.Standbys = nil }, Replica, Red},
		"standby silent":      {func(e *Evidence) { e.Standbys[0].Time = ago(time.Hour).UnixMilli() }, Replica, Stale},
		"standby fails":       {func(e *Evidence) { e.Standbys[0].Failure = "restore_gap" }, Replica, Red},
		"standby far behind":  {func(e *Evidence) { e.Standbys[0].BehindMS = time.Hour.Milliseconds() }, Replica, Red},
		"standby empty":       {func(e *Evidence) { e.Standbys[0].Transaction = 0 }, Replica, Red},
		"standby of tomorrow": {func(e *Evidence) { e.Standbys[0].Time = ago(-time.Hour).UnixMilli() }, Replica, Red},
		"same disk":           {func(e *Evidence) { e.Copies[0].Apart = false }, SecondDisk, Red},
		"old whole copy":      {func(e *Evidence) { e.Copies[0].Full = ago(27 * time.Hour) }, SecondDisk, Stale},
		"one region":          {func(e *Evidence) { e.Copies[1].Region = "here" }, TwoRegions, Red},
		"no region":           {func(e *Evidence) { e.Copies[1].Region = "" }, TwoRegions, Red},
		"cloud unreadable":    {func(e *Evidence) { e.Copies[1].Fault = "backup_unavailable" }, TwoRegions, Red},
		"cloud empty":         {func(e *Evidence) { e.Copies[1].Full, e.Copies[1].To = time.Time{}, time.Time{} }, TwoRegions, Red},
		"cloud behind":        {func(e *Evidence) { e.Copies[1].To = ago(27 * time.Hour) }, TwoRegions, Stale},
		"one never proved":    {func(e *Evidence) { e.Copies[1].Proof = nil }, Restored, Red},
		"violations":          {func(e *Evidence) { e.Copies[0].Proof.Violations = 1 }, Restored, Red},
		"nothing checked":     {func(e *Evidence) { e.Copies[0].Proof.Invariants = 0 }, Restored, Red},
		"findings":            {func(e *Evidence) { e.Copies[0].Proof.Findings = make([]manifest.Finding, 1) }, Restored, Red},
		"restore failed":      {func(e *Evidence) { e.Copies[0].Proof.Failure = "restore_gap" }, Restored, Red},
		"proof too old":       {func(e *Evidence) { e.Copies[1].Proof.At = ago(32 * 24 * time.Hour) }, Restored, Stale},
		"proof of tomorrow":   {func(e *Evidence) { e.Copies[1].Proof.At = ago(-24 * time.Hour) }, Restored, Green}, // the older one dates it
		"proofs of tomorrow":  {func(e *Evidence) { e.Copies[0].Proof.At, e.Copies[1].Proof.At = ago(-24*time.Hour), ago(-24*time.Hour) }, Restored, Red},
		"no bundle":           {func(e *Evidence) { e.Cards = nil }, CardKeys, Red},
		"bundle of other key": {func(e *Evidence) { e.CardsNow = "d2" }, CardKeys, Red},
		"cards shut":          {func(e *Evidence) { e.CardsNow = "" }, CardKeys, Red},
		"bundle too old":      {func(e *Evidence) { e.Cards.At = ago(400 * 24 * time.Hour) }, CardKeys, Stale},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := best()
			c.plant(&e)
			want := map[string]State{}
			for k, v := range whole {
				want[k] = v
			}
			want[c.item] = c.state
			require.Equal(t, want, states(e, now()))
		})
	}
}

// By the clock alone everything that was green goes stale.
func TestEvidenceGoesStale(t *testing.T) {
	t.Parallel()
	for after, want := range map[time.Duration]map[string]State{
		2 * 24 * time.Hour:   {Replica: Stale, SecondDisk: Stale, TwoRegions: Stale, Offline: Red, Restored: Green, CardKeys: Green},
		32 * 24 * time.Hour:  {Replica: Stale, SecondDisk: Stale, TwoRegions: Stale, Offline: Red, Restored: Stale, CardKeys: Green},
		400 * 24 * time.Hour: {Replica: Stale, SecondDisk: Stale, TwoRegions: Stale, Offline: Red, Restored: Stale, CardKeys: Stale},
	} {
		require.Equal(t, want, states(best(), now().Add(after)), "%v", after)
	}
}

func TestNothingIsRed(t *testing.T) {
	t.Parallel()
	for _, i := range Judge(Evidence{}, now()) {
		require.Equal(t, Red, i.State, i.Name)
		require.NotEmpty(t, i.Evidence, i.Name)
	}
}
