package notify

import (
	"context"
	"sync"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/fault"
	"panshi/internal/jobs"
)

const (
	claimFor  = sendTime + 2*time.Second // longer than an attempt
	maxPause  = 5 * time.Minute
	batch     = 32 // messages sent side by side
	lookBatch = 100
)

// Sweeps are sending, and deleting what ended long ago.
func (s *Service) Sweeps() []jobs.Sweep {
	return []jobs.Sweep{
		{Name: "notify.send", Every: time.Second, Run: s.sweep},
		{Name: "notify.purge", Every: time.Hour, Run: s.purge},
	}
}

// sweep queues the messages that are due and sends those that wait.
func (s *Service) sweep(ctx context.Context) (more bool, err error) {
	look, waiting, err := s.due(ctx)
	if err != nil {
		return false, err
	}
	if len(look) > 0 {
		if err := s.db.Update(ctx, s.queueDueTx); err != nil {
			return false, err
		}
	}
	var wg sync.WaitGroup
	failures := make([]error, len(waiting))
	for i, d := range waiting {
		wg.Go(func() { failures[i] = s.deliver(ctx, d) })
	}
	wg.Wait()
	for _, err := range failures {
		if err != nil {
			return false, err
		}
	}
	return len(look) > 0 || len(waiting) == batch, nil
}

// due reads what is to be done, and how alerting fares.
func (s *Service) due(ctx context.Context) (look []Stored, waiting []delivery, err error) {
	var standing Standing
	err = s.db.View(ctx, func(tx *db.Tx) (err error) {
		if look, err = lookTx(tx, 1); err != nil {
			return err
		}
		waiting = nil
		if len(s.channels) > 0 {
			if waiting, err = waitingTx(tx, batch); err != nil {
				return err
			}
		}
		standing, err = standingTx(tx)
		return err
	})
	if err == nil {
		standing.Channels = len(s.channels)
		s.standing.Store(&standing)
	}
	return look, waiting, err
}

// queueDueTx queues the next message of each alert whose time has come.
func (s *Service) queueDueTx(tx *db.Tx) error {
	alerts, err := lookTx(tx, lookBatch)
	if err != nil {
		return err
	}
	for _, a := range alerts {
		e, look := s.cfg.next(a, len(s.channels), tx.Now())
		if e != "" {
			if err := queueTx(tx, a, e); err != nil {
				return err
			}
		}
		if err := lookedTx(tx, a, e, look); err != nil {
			return err
		}
	}
	if len(s.channels) == 0 {
		_, err = dropTx(tx, lookBatch)
	}
	return err
}

// next tells what message about an alert is due now ("" for none), and when to
// look again; zero: when something happens to it or a message was sent.
func (c Config) next(a Stored, channels int, now time.Time) (e event, look time.Time) {
	if a.State == Resolved {
		return eventResolved, time.Time{}
	}
	if a.toldAt.IsZero() {
		return "", time.Time{} // its first message still waits
	}
	consider := func(what event, at time.Time) {
		if look.IsZero() || at.Before(look) {
			e, look = what, at
		}
	}
	if a.Count > a.toldCount {
		consider(eventAgain, a.toldAt.Add(c.Window))
	}
	if a.State == Open {
		consider(eventReminder, a.toldAt.Add(c.Remind))
		if a.Severity == Critical && channels > 1 && a.escalatedAt.IsZero() {
			consider(eventEscalated, a.OpenedAt.Add(c.EscalateAfter))
		}
	}
	if look.After(now) {
		return "", look
	}
	return e, time.Time{}
}

// deliver makes one attempt at one message.
func (s *Service) deliver(ctx context.Context, d delivery) error {
	var mine bool
	var a Stored
	err := s.db.Update(ctx, func(tx *db.Tx) (err error) {
		if mine, err = claimTx(tx, d); err != nil || !mine {
			return err
		}
		a, err = byIDTx(tx, d.alertID)
		return err
	})
	if err != nil || !mine {
		return err
	}
	ch := s.channels[int(d.step)%len(s.channels)]
	err = s.send(ctx, ch, s.writer.message(ch.lang, d.id, a, d.event))
	fault.Point("notify.sent.before-mark")
	if err == nil { // noted even by a process that stops: what is not would be sent again
		return s.db.Update(context.WithoutCancel(ctx), func(tx *db.Tx) error { return sentTx(tx, d, a, ch.name) })
	}
	if ctx.Err() != nil {
		return ctx.Err() // the claim ends by itself
	}
	return s.notTaken(ctx, d, a, ch, err)
}

// notTaken notes what a channel made of a message that it did not take.
func (s *Service) notTaken(ctx context.Context, d delivery, a Stored, ch namedChannel, err error) error {
	s.log.Warn("notify: a channel did not take a message", "channel", ch.name, "alert", a.Code, "attempt", d.attempts+1,
		"code", errs.CodeOf(err), "error", err)
	failed, pause := s.cfg.failed(d, len(s.channels), s.clock.Now())
	if failed.rounds > d.rounds {
		s.log.Error("notify: no channel takes a message; it is tried on", "alert", a.Code, "rounds", failed.rounds)
	}
	return s.db.Update(ctx, func(tx *db.Tx) error { return failedTx(tx, failed, errs.CodeOf(err), tx.Now().Add(pause)) })
}

// failed is a message after one more failure, and how long it waits: on the
// same channel a pause that doubles, none before another channel, and after
// all of them have failed a pause that doubles with each round.
func (c Config) failed(d delivery, channels int, now time.Time) (delivery, time.Duration) {
	d.stepAttempts++
	if d.stepAttempts < int64(c.Attempts) && now.Sub(d.stepSince) < c.SwitchAfter {
		return d, doubled(c.Retry, d.stepAttempts-1)
	}
	d.step, d.stepAttempts, d.stepSince = d.step+1, 0, now
	if d.step < int64(channels) {
		return d, 0
	}
	d.step, d.rounds = 0, d.rounds+1
	pause := doubled(c.Retry, int64(c.Attempts)+d.rounds-1)
	d.stepSince = now.Add(pause)
	return d, pause
}

// doubled is pause after so many doublings, at most maxPause.
func doubled(pause time.Duration, times int64) time.Duration {
	for range min(times, 40) {
		if pause *= 2; pause >= maxPause {
			return maxPause
		}
	}
	return min(pause, maxPause)
}

// purge deletes alerts that ended before what is kept.
func (s *Service) purge(ctx context.Context) (more bool, err error) {
	const most = 20 // alerts: each may have many messages
	var n int64
	err = s.db.Update(ctx, func(tx *db.Tx) (err error) {
		n, err = purgeTx(tx, tx.Now().Add(-s.cfg.Keep), most)
		return err
	})
	return n == most, err
}
