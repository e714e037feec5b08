package app

import (
	"context"
	"log/slog"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/feed"
	"panshi/internal/backup/manifest"
	"panshi/internal/backup/proof"
	"panshi/internal/errs"
)

// RecoveryPoints are the states that a destination can bring back, by what its
// signed manifests list.
type RecoveryPoints struct {
	Label   string          `json:"label"`
	Region  string          `json:"region,omitempty"`
	Oldest  time.Time       `json:"oldest,omitzero"` // of all, those that are not listed here included
	Newest  time.Time       `json:"newest,omitzero"`
	Bytes   int64           `json:"bytes"` // of everything there
	Fulls   int             `json:"fulls"` // whole copies
	Points  []RecoveryPoint `json:"points"`
	Next    time.Time       `json:"next,omitzero"` // where the next page begins, if there is one
	Failure string          `json:"failure,omitempty"`
}

// RecoveryPoint is a whole copy and the log that follows it without a gap: a
// restore gets to any time from Full to To.
type RecoveryPoint struct {
	Generation  string    `json:"generation"`
	Full        time.Time `json:"full"`
	To          time.Time `json:"to"`
	Transaction uint64    `json:"transaction"`     // of the whole copy
	Last        uint64    `json:"last"`            // that the log gets to
	Bytes       int64     `json:"bytes"`           // of the whole copy, as it is stored
	Proved      time.Time `json:"proved,omitzero"` // when a restore that began with it was last found sound
}

// RecoveryPoints lists what a destination can bring back, the newest whole copy
// first, limit of them and those whose time is before a time (zero: all). What
// cannot be read is a Failure; an error is the end of ctx.
func (p *Prover) RecoveryPoints(ctx context.Context, label string, before time.Time, limit int) (RecoveryPoints, error) {
	points := RecoveryPoints{Label: label, Region: p.cfg.Backup.named(label).Region, Points: []RecoveryPoint{}}
	err := p.recoveryPoints(ctx, &points, before, limit)
	if ctx.Err() != nil {
		return points, ctx.Err()
	}
	if err != nil {
		p.log.Warn("backup: a destination cannot be read", slog.String("destination", label), slog.Any("error", err))
		points.Failure = errs.CodeOf(err)
	}
	return points, nil
}

func (p *Prover) recoveryPoints(ctx context.Context, points *RecoveryPoints, before time.Time, limit int) error {
	from, err := p.cfg.stored(points.Label)
	if err != nil {
		return err
	}
	log, err := manifest.Read(ctx, from, p.keys.Signer())
	if err != nil {
		return err
	}
	if err := (manifest.Report{Log: log}).Err(); err != nil {
		return err
	}
	good, err := p.cfg.proofs(p.keys).Good(points.Label)
	if err != nil {
		return err
	}
	points.fill(log, good, before, limit)
	return nil
}

// fill takes a page of whole copies out of what manifests list.
func (r *RecoveryPoints) fill(log manifest.Log, good []proof.Record, before time.Time, limit int) {
	var names []string
	for name, e := range log.Live {
		names = append(names, name)
		r.Bytes += e.Size
	}
	segments := backup.Segments(names)
	fulls := slices.DeleteFunc(slices.Clone(segments), func(s backup.Segment) bool { return !s.Full() })
	slices.SortFunc(fulls, func(a, b backup.Segment) int { return b.Time.Compare(a.Time) })
	fulls = slices.CompactFunc(fulls, func(a, b backup.Segment) bool { return a.Name() == b.Name() }) // spare copies
	if r.Fulls = len(fulls); r.Fulls == 0 {
		return
	}
	r.Oldest, r.Newest = fulls[len(fulls)-1].Time, newestOf(segments, log)
	fulls = slices.DeleteFunc(fulls, func(s backup.Segment) bool { return !before.IsZero() && !s.Time.Before(before) })
	for _, full := range fulls[:min(limit, len(fulls))] {
		r.Points = append(r.Points, pointOf(full, segments, log, good))
	}
	if len(fulls) > limit {
		r.Next = fulls[limit-1].Time
	}
}

func newestOf(segments []backup.Segment, log manifest.Log) time.Time {
	reach, _ := backup.Furthest(segments)
	if at := log.Complete(); at.After(reach.Time) {
		return at
	}
	return reach.Time
}

func pointOf(full backup.Segment, segments []backup.Segment, log manifest.Log, good []proof.Record) RecoveryPoint {
	reach := backup.From(full, segments)
	p := RecoveryPoint{Full: full.Time, To: reach.Time, Transaction: full.Max, Last: reach.End, Bytes: log.Live[full.Name()].Size}
	if f, ok := feed.File(full.Name(), 0); ok {
		p.Generation = f.Generation
	}
	for _, r := range good {
		if r.Generation == p.Generation && r.Full.Equal(full.Time) {
			p.Proved = r.At
		}
	}
	return p
}
