package app

import (
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
)

// planned tells what shipping did last and does next, every kind of work once
// or once a destination.
func planned(s dated, interval time.Duration, copies []backup.Copy, proofs *proving) []backup.Planned {
	at, failed := s.Last()
	sent := backup.Planned{What: backup.PlannedShip, LastGood: at, Next: at.Add(interval)}
	if at.IsZero() {
		sent.Next = time.Time{}
	}
	if failed != "" {
		sent.Note = failed
	}
	last, next := s.Fulls()
	all := []backup.Planned{sent, {What: backup.PlannedFull, LastGood: last, Next: next}}
	if len(copies) == 0 {
		return all
	}
	for _, c := range copies {
		all = append(all, attested(c))
	}
	all = append(all, proofs.planned(copies, next)...)
	return append(all, proofs.offline())
}

// attested is how long ago a destination last had everything, signed, and when
// it will say so again if nothing happens.
func attested(c backup.Copy) backup.Planned {
	p := backup.Planned{What: backup.PlannedAttest, Label: c.Label, LastGood: c.Complete}
	if !c.Complete.IsZero() {
		p.Next = c.Complete.Add(mirror.AttestEvery)
	}
	return p
}
