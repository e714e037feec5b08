package proof

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/backup/manifest"
	"panshi/internal/i18n"
)

// now is the clock of these tests.
func now() time.Time { return time.Date(2026, 5, 3, 12, 0, 0, 0, time.UTC) }

// best is evidence by which everything is green.
func best() Evidence {
	at := now().Add(-time.Hour)
	good := func() *Record { return &Record{At: at, Invariants: 30} }
	return Evidence{
		Copies: []Copy{
			{Label: "disk", Region: "here", Apart: true, Full: at, To: at, Proof: good()},
			{Label: "oss", Region: "hangzhou", Cloud: "oss", Full: at, To: at, Proof: good()},
			{Label: "cos", Region: "shanghai", Cloud: "cos", Full: at, To: at, Proof: good()},
		},
		Standby: &Standby{Seen: now().Add(-time.Second), Behind: time.Second},
		Offline: &Offline{Disk: "d", Label: "blue", Apart: true, At: at, Time: at.Add(-time.Minute)},
		Cards:   &CardsRecord{At: at, Digest: "d1"}, CardsNow: "d1",
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
	whole := map[string]State{Replica: Green, SecondDisk: Green, TwoRegions: Green, OfflineSet: Green, Restored: Green, CardKeys: Green}
	require.Equal(t, whole, states(best(), now()))
	require.Len(t, Judge(best(), now()), 6)
	require.True(t, AllGreen(Judge(best(), now())))
	ago := func(d time.Duration) time.Time { return now().Add(-d) }
	cases := map[string]struct {
		plant func(*Evidence)
		item  string
		state State
	}{
		"same disk":            {func(e *Evidence) { e.Copies[0].Apart = false }, SecondDisk, Red},
		"old whole copy":       {func(e *Evidence) { e.Copies[0].Full = ago(27 * time.Hour) }, SecondDisk, Stale},
		"no standby":           {func(e *Evidence) { e.Standby = nil }, Replica, Red},
		"standby is behind":    {func(e *Evidence) { e.Standby.Behind = 2 * time.Minute }, Replica, Red},
		"standby is silent":    {func(e *Evidence) { e.Standby.Seen = ago(6 * time.Minute) }, Replica, Stale},
		"standby of tomorrow":  {func(e *Evidence) { e.Standby.Seen = ago(-24 * time.Hour) }, Replica, Red},
		"no offline disk":      {func(e *Evidence) { e.Offline = nil }, OfflineSet, Red},
		"offline, same device": {func(e *Evidence) { e.Offline.Apart = false }, OfflineSet, Red},
		"offline of a month":   {func(e *Evidence) { e.Offline.At = ago(10 * 24 * time.Hour) }, OfflineSet, Stale},
		"offline, old state":   {func(e *Evidence) { e.Offline.Time = ago(10 * 24 * time.Hour) }, OfflineSet, Stale},
		"offline, idle shop": {func(e *Evidence) {
			e.Offline.Time, e.Offline.Complete = ago(10*24*time.Hour), ago(time.Hour)
		}, OfflineSet, Green},
		"offline of tomorrow": {func(e *Evidence) { e.Offline.At, e.Offline.Time = ago(-24*time.Hour), ago(-24*time.Hour) }, OfflineSet, Red},
		"bundle on the disk":  {func(e *Evidence) { e.Offline.CardsThere = true }, CardKeys, Red},
		"one region":          {func(e *Evidence) { e.Copies[1].Region = "shanghai" }, TwoRegions, Red},
		"one cloud":           {func(e *Evidence) { e.Copies[1].Cloud = "cos" }, TwoRegions, Red},
		"no cloud":            {func(e *Evidence) { e.Copies[1].Cloud = "" }, TwoRegions, Red},
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
		"proofs of tomorrow": {func(e *Evidence) {
			for i := range e.Copies {
				e.Copies[i].Proof.At = ago(-24 * time.Hour)
			}
		}, Restored, Red},
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
		2 * 24 * time.Hour:   {Replica: Stale, SecondDisk: Stale, TwoRegions: Stale, OfflineSet: Green, Restored: Green, CardKeys: Green},
		32 * 24 * time.Hour:  {Replica: Stale, SecondDisk: Stale, TwoRegions: Stale, OfflineSet: Stale, Restored: Stale, CardKeys: Green},
		400 * 24 * time.Hour: {Replica: Stale, SecondDisk: Stale, TwoRegions: Stale, OfflineSet: Stale, Restored: Stale, CardKeys: Stale},
	} {
		require.Equal(t, want, states(best(), now().Add(after)), "%v", after)
	}
}

// Whatever an item can say has words in both languages, with nothing left open.
func TestEvidenceHasWords(t *testing.T) {
	t.Parallel()
	texts, err := i18n.Load()
	require.NoError(t, err)
	all := slices.Concat(Judge(Evidence{}, now()), Judge(best(), now()), Judge(best(), now().Add(1000*24*time.Hour)), Judge(best(), now().Add(-24*time.Hour)))
	for _, lang := range i18n.Languages() {
		for _, i := range all {
			for _, text := range []string{i.Text(texts, lang), i.Title(texts, lang)} {
				require.NotContains(t, text, "backup.", i.Code)
				require.NotContains(t, text, "{", i.Code)
			}
			require.Equal(t, i.State == Green, i.Remedy(texts, lang) == "", i.Name)
			require.NotContains(t, i.Remedy(texts, lang), "backup.remedy", i.Name)
		}
	}
}

func TestNothingIsRed(t *testing.T) {
	t.Parallel()
	for _, i := range Judge(Evidence{}, now()) {
		require.Equal(t, Red, i.State, i.Name)
		require.NotEmpty(t, i.Code, i.Name)
	}
}
