package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/backup"
	"panshi/internal/backup/proof"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// Backups tells how well the installation is kept. It answers the staff of the
// merchant that runs the installation, and others with code forbidden. It asks no
// destination while somebody waits.
type Backups interface {
	Checklist(ctx context.Context, merchantID id.ID) (BackupChecklist, error)
	Status(ctx context.Context, merchantID id.ID) (BackupStatus, error)
	Proofs(ctx context.Context, merchantID id.ID) (BackupProofs, error)
}

// BackupChecklist is the six items as they stand now, by what was seen of the
// destinations at SeenAt; zero, and no items, until they were looked at once.
type BackupChecklist struct {
	SeenAt time.Time
	Age    time.Duration // of what was seen
	Items  []proof.Item
}

// BackupStatus is how far copies are.
type BackupStatus struct {
	Shipping   bool
	ShippedAt  time.Time // when the spool was last known to have everything
	Lag        time.Duration
	Failure    string // code of what stopped the last shipment
	SpoolBytes int64
	Copies     []backup.Copy
	Schedule   []backup.Planned
}

// BackupProofs are signed records, each list with the newest first.
type BackupProofs struct {
	Restores []proof.Record
	Disks    []proof.Offline
}

type backupItemView struct {
	Name       string     `json:"name" enum:"replica,second_disk,two_regions,offline,restored,card_keys" doc:"Which of the six."`
	State      string     `json:"state" enum:"green,stale,red" doc:"stale: was proved, too long ago. red: never, or it failed."`
	Title      string     `json:"title" doc:"What it is, in Chinese."`
	TitleEN    string     `json:"title_en" doc:"The same in English."`
	Code       string     `json:"code" doc:"The evidence, for programs."`
	Evidence   string     `json:"evidence" doc:"The evidence, in Chinese."`
	EvidenceEN string     `json:"evidence_en" doc:"The same in English."`
	Remedy     string     `json:"remedy" doc:"What makes it green, in Chinese; nothing if it is."`
	RemedyEN   string     `json:"remedy_en" doc:"The same in English."`
	At         *time.Time `json:"at" doc:"Of the evidence, if it has a time."`
	AgeSeconds int64      `json:"age_seconds" doc:"How old the evidence is."`
}

type backupChecklistOut struct {
	Body struct {
		SeenAt     *time.Time       `json:"seen_at" doc:"When the destinations were looked at; nothing until that ended once, and no items either."`
		AgeSeconds int64            `json:"age_seconds" doc:"How long ago that was. Asking has them looked at again, in the background."`
		Green      bool             `json:"green" doc:"Whether all six are."`
		Items      []backupItemView `json:"items" doc:"Six, in a fixed order."`
	}
}

type backupCopyView struct {
	Label        string     `json:"label" doc:"The destination."`
	Region       string     `json:"region" doc:"Where it stands."`
	State        string     `json:"state" enum:"good,waiting,ailing" doc:"waiting: for a whole copy to begin with. ailing: see alarms and failure."`
	Restorable   bool       `json:"restorable" doc:"Whether a restore from it finds a whole copy."`
	RestorableTo *time.Time `json:"restorable_to" doc:"The newest state that it has."`
	Objects      int        `json:"objects" doc:"That it has."`
	Bytes        int64      `json:"bytes" doc:"That they have."`
	Waiting      int        `json:"waiting" doc:"Files that it lacks."`
	WaitingBytes int64      `json:"waiting_bytes" doc:"That they have."`
	LagSeconds   float64    `json:"lag_seconds" doc:"Age of the oldest of these."`
	Failure      string     `json:"failure" doc:"Code of what stopped the last round, or nothing."`
	Alarms       []string   `json:"alarms" doc:"Codes of alarms that are on."`
	ProvedAt     *time.Time `json:"proved_at" doc:"When a restore from it was last found sound, if the last one was."`
	ProofFailed  string     `json:"proof_failed" doc:"Why the last one was not, or nothing."`
}

type backupStatusOut struct {
	Body struct {
		Shipping     bool             `json:"shipping" doc:"Whether this process ships the database."`
		LagSeconds   float64          `json:"lag_seconds" doc:"Age of the oldest commit that is on the shop's disk only."`
		ShippedAt    *time.Time       `json:"shipped_at" doc:"When everything was last known to be in the spool."`
		Failure      string           `json:"failure" doc:"Code of what stopped the last shipment, or nothing."`
		SpoolBytes   int64            `json:"spool_bytes" doc:"In the spool."`
		Destinations []backupCopyView `json:"destinations" doc:"Copies elsewhere."`
		Schedule     []plannedView    `json:"schedule" doc:"What backups do by themselves or wait for."`
	}
}

type plannedView struct {
	What        string     `json:"what" enum:"ship,full,attest,proof,offline" doc:"full: a whole copy. attest: a destination's signed word on how far it is. offline: a disk that somebody plugs in."`
	Destination string     `json:"destination" doc:"At which one, or nothing."`
	LastGoodAt  *time.Time `json:"last_good_at" doc:"When it last succeeded, if ever."`
	NextAt      *time.Time `json:"next_at" doc:"When it is due, if that is known."`
	Note        string     `json:"note" doc:"running, overdue, off, never or the like, or the code of what failed; or nothing."`
}

type backupProofView struct {
	Kind          string     `json:"kind" enum:"restore,offline" doc:"restore: brought back from a destination and checked. offline: a disk that was read back."`
	Label         string     `json:"label" doc:"The destination or disk."`
	At            time.Time  `json:"at" doc:"When it ended."`
	TookSeconds   float64    `json:"took_seconds" doc:"How long it took."`
	Good          bool       `json:"good" doc:"Whether it proved the copy."`
	Why           string     `json:"why" doc:"Why not, or nothing."`
	RecoveryPoint *time.Time `json:"recovery_point" doc:"The state that was brought back, or is on the disk."`
	Transaction   uint64     `json:"transaction" doc:"Its last transaction."`
	Objects       int        `json:"objects" doc:"That were read."`
	Bytes         int64      `json:"bytes" doc:"That they have."`
	Invariants    int        `json:"invariants" doc:"Checked on the restored shop."`
	Violations    int        `json:"violations" doc:"Found."`
}

type backupProofsOut struct {
	Body struct {
		Items []backupProofView `json:"items" doc:"Signed records, the newest of each destination and disk first, at most a hundred of each destination."`
	}
}

func (a *api) addBackup() {
	for _, op := range []struct {
		path, id, summary string
		add               func(web.Operation)
	}{
		{"checklist", "backup_checklist", "Tell the six things that keep the shop from being lost, each with its evidence", func(o web.Operation) { register(a, o, a.backupChecklist) }},
		{"status", "backup_status", "Tell how far copies are", func(o web.Operation) { register(a, o, a.backupStatus) }},
		{"proofs", "backup_proofs", "List what was restored and checked", func(o web.Operation) { register(a, o, a.backupProofs) }},
	} {
		op.add(web.Operation{
			Method: http.MethodGet, Path: "/console/api/v1/backup/" + op.path, ID: op.id, Tag: tagBackup, Summary: op.summary,
			Permission: perm.BackupRead, Priority: perm.Normal, Limit: web.LimitStaff,
			Errors: map[errs.Kind][]string{errs.Unavailable: {"backup_proof_unreadable"}},
		})
	}
}

func (a *api) backupChecklist(ctx context.Context, p access.Principal, _ *struct{}) (*backupChecklistOut, error) {
	list, err := a.deps.Backups.Checklist(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &backupChecklistOut{}
	out.Body.SeenAt, out.Body.Items = timeOrNone(list.SeenAt), make([]backupItemView, len(list.Items))
	out.Body.AgeSeconds = int64(list.Age / time.Second)
	out.Body.Green = len(list.Items) > 0 && proof.AllGreen(list.Items)
	for i, item := range list.Items {
		texts := a.deps.Texts
		out.Body.Items[i] = backupItemView{
			Name: item.Name, State: string(item.State), Title: item.Title(texts, i18n.Chinese), TitleEN: item.Title(texts, i18n.English),
			Code: item.Code, Evidence: item.Text(texts, i18n.Chinese), EvidenceEN: item.Text(texts, i18n.English),
			Remedy: item.Remedy(texts, i18n.Chinese), RemedyEN: item.Remedy(texts, i18n.English),
			At: timeOrNone(item.At), AgeSeconds: int64(item.Age / time.Second),
		}
	}
	return out, nil
}

func timeOrNone(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	at = at.UTC()
	return &at
}

func (a *api) backupStatus(ctx context.Context, p access.Principal, _ *struct{}) (*backupStatusOut, error) {
	s, err := a.deps.Backups.Status(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &backupStatusOut{}
	b := &out.Body
	b.Shipping, b.LagSeconds, b.ShippedAt, b.Failure = s.Shipping, s.Lag.Seconds(), timeOrNone(s.ShippedAt), s.Failure
	b.SpoolBytes = s.SpoolBytes
	b.Destinations = make([]backupCopyView, len(s.Copies))
	for i, c := range s.Copies {
		b.Destinations[i] = viewOfCopy(c)
	}
	b.Schedule = make([]plannedView, len(s.Schedule))
	for i, p := range s.Schedule {
		b.Schedule[i] = plannedView{What: p.What, Destination: p.Label, LastGoodAt: timeOrNone(p.LastGood), NextAt: timeOrNone(p.Next), Note: p.Note}
	}
	return out, nil
}

func viewOfCopy(c backup.Copy) backupCopyView {
	state := "good"
	switch {
	case c.Ails():
		state = "ailing"
	case !c.Following:
		state = "waiting"
	}
	return backupCopyView{
		Label: c.Label, Region: c.Region, State: state, Restorable: c.Restorable, RestorableTo: timeOrNone(c.Point()), Objects: c.Objects,
		Bytes: c.Bytes, Waiting: c.Pending, WaitingBytes: c.PendingBytes, LagSeconds: c.Lag.Seconds(), Failure: c.Failure,
		Alarms: append([]string{}, c.Alarms...), ProvedAt: timeOrNone(c.Proved), ProofFailed: c.ProofFailed,
	}
}

func (a *api) backupProofs(ctx context.Context, p access.Principal, _ *struct{}) (*backupProofsOut, error) {
	all, err := a.deps.Backups.Proofs(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &backupProofsOut{}
	out.Body.Items = []backupProofView{}
	for _, r := range all.Restores { // without what was counted: that is business
		out.Body.Items = append(out.Body.Items, backupProofView{
			Kind: "restore", Label: r.Destination, At: r.At, TookSeconds: time.Duration(r.Took).Seconds(), Good: r.Good(), Why: r.Why(),
			RecoveryPoint: timeOrNone(r.Time), Transaction: r.Transaction, Objects: r.Objects, Bytes: r.Bytes,
			Invariants: r.Invariants, Violations: r.Violations,
		})
	}
	for _, d := range all.Disks {
		out.Body.Items = append(out.Body.Items, backupProofView{
			Kind: "offline", Label: d.Label, At: d.At, TookSeconds: time.Duration(d.Took).Seconds(), Good: d.Apart,
			RecoveryPoint: timeOrNone(d.Time), Transaction: d.Transaction, Objects: d.Objects, Bytes: d.Bytes,
		})
	}
	return out, nil
}
