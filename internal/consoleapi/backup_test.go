package consoleapi

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/access"
	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/proof"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// staffBackups shows backups to merchant one, which runs the installation.
type staffBackups struct{ k *kit }

func (b staffBackups) allowed(merchantID id.ID) error {
	if merchantID != b.k.one {
		return errs.New(errs.Forbidden, "forbidden", "not yours")
	}
	return nil
}

func (b staffBackups) evidence() proof.Evidence {
	at := b.k.clock.Now().Add(-time.Hour)
	return proof.Evidence{
		Copies:  []proof.Copy{{Label: "oss", Region: "hangzhou", Cloud: "oss", Full: at, To: at, Proof: &proof.Record{At: at, Invariants: 3}}},
		Offline: &proof.Offline{Label: "blue", Apart: true, At: at, Time: at},
	}
}

func (b staffBackups) Checklist(_ context.Context, merchantID id.ID) (BackupChecklist, error) {
	now := b.k.clock.Now()
	return BackupChecklist{SeenAt: now.Add(-time.Minute), Age: time.Minute, Items: proof.Judge(b.evidence(), now)}, b.allowed(merchantID)
}

func (b staffBackups) Status(_ context.Context, merchantID id.ID) (BackupStatus, error) {
	at := b.k.clock.Now().Add(-time.Hour)
	return BackupStatus{Shipping: true, ShippedAt: at, Schedule: []backup.Planned{
		{What: backup.PlannedOffline, LastGood: at, Next: at.Add(7 * 24 * time.Hour)}, {What: backup.PlannedProof, Label: "oss", Note: "running"},
	}, Copies: []backup.Copy{
		{Label: "oss", Region: "hangzhou", Following: true, Restorable: true, To: at, Proved: at, Chain: "00c0ffee00c0ffee"},
		{Label: "nas", Following: true, Alarms: []string{"backup_lag"}},
		{Label: "new"},
	}}, b.allowed(merchantID)
}

func (b staffBackups) Proofs(_ context.Context, merchantID id.ID) (BackupProofs, error) {
	at := b.k.clock.Now().Add(-time.Hour)
	sums := &manifest.Sums{Orders: map[string]manifest.Total{"20000 paid CNY": {Count: 7, Amount: 987654321}}}
	return BackupProofs{
		Restores: []proof.Record{{Destination: "oss", At: at, Invariants: 3, Sums: sums}, {Destination: "oss", At: at.Add(-time.Hour), Failure: "restore_gap"}},
		Disks:    []proof.Offline{{Disk: "d", Label: "blue", Apart: true, At: at}},
	}, b.allowed(merchantID)
}

// The six items come with words in both languages and what to do; who may not run
// the installation does not see them.
func TestBackupsAreShownToThoseWhoRunIt(t *testing.T) {
	t.Parallel()
	k := newKit(t)
	chen := k.owner(k.one, "chen")
	list := chen.want(200, "GET", "/console/api/v1/backup/checklist", nil)
	require.Equal(t, false, list["green"])
	require.InDelta(t, 60, list["age_seconds"], 0)
	items := list["items"].([]any)
	require.Len(t, items, 6)
	offline := items[3].(map[string]any)
	require.Equal(t, "offline", offline["name"])
	require.Equal(t, "green", offline["state"])
	require.Equal(t, "blue 有全量备份，且已全部读回核对", offline["evidence"])
	require.Empty(t, offline["remedy"])
	require.InDelta(t, 3600, offline["age_seconds"], 0)
	cards := items[5].(map[string]any)
	require.Equal(t, "red", cards["state"])
	require.NotEmpty(t, cards["remedy"])
	require.NotEmpty(t, cards["remedy_en"])

	status := chen.want(200, "GET", "/console/api/v1/backup/status", nil)
	var states []any
	for _, d := range status["destinations"].([]any) {
		states = append(states, d.(map[string]any)["state"])
	}
	require.Equal(t, []any{"good", "ailing", "waiting"}, states)
	due := status["schedule"].([]any)[0].(map[string]any)
	require.Equal(t, "offline", due["what"])
	require.NotEmpty(t, due["next_at"])
	proofs := chen.want(200, "GET", "/console/api/v1/backup/proofs", nil)
	require.Len(t, proofs["items"], 3)
	require.Equal(t, "restore_gap", proofs["items"].([]any)[1].(map[string]any)["why"])
	require.NotContains(t, jsonOf(proofs), "987654321", "turnover is no proof")
	require.NotContains(t, jsonOf(status), "c0ffee", "nothing that names objects")

	for role, may := range map[access.Role]bool{
		access.Owner: true, access.Engineer: true, access.Support: false, access.Operator: false, access.Auditor: false, access.Custodian: false,
	} {
		chen.setRole(role)
		for _, path := range []string{"checklist", "status", "proofs"} {
			w := k.do(ask{path: "/console/api/v1/backup/" + path, bearer: chen.token})
			require.Equal(t, may, w.Code == 200, "%s as %s: %s", path, role, w.Body)
		}
	}
	wu := k.owner(k.two, "wu-two")
	for _, path := range []string{"checklist", "status", "proofs"} {
		wu.want(403, "GET", "/console/api/v1/backup/"+path, nil)
	}
}
