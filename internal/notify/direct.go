package notify

import (
	"context"
	"strconv"
	"time"

	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/id"
)

// Direct tells the channels without a row, in their order until one takes it:
// for when the database is what failed. It logs whatever comes of it.
func (s *Service) Direct(ctx context.Context, a Alert) error { return s.direct(ctx, a, eventOpened) }

func (s *Service) direct(ctx context.Context, a Alert, e event) error {
	now := s.clock.Now()
	stored := Stored{Alert: a, Count: 1, OpenedAt: now, LastAt: now}
	messageID := id.New()
	err := errNoChannel
	for _, ch := range s.channels {
		if err = s.sendAgain(ctx, ch, s.writer.message(ch.lang, messageID, stored, e)); err == nil {
			s.log.Warn("notify: told directly", "alert", a.Code, "event", string(e), "channel", ch.name)
			return nil
		}
	}
	s.log.Error("notify: nobody could be told", "alert", a.Code, "event", string(e), "severity", string(a.Severity), "subject", a.Subject, "error", err)
	return err
}

// errNoChannel says that there is nobody to tell.
var errNoChannel error = errs.New(errs.Unavailable, "channel_none", "no channel is configured: set notify.channels")

// sendAgain makes two attempts: there is no row that remembers a failed one.
func (s *Service) sendAgain(ctx context.Context, ch namedChannel, m Message) error {
	err := s.send(ctx, ch, m)
	if err == nil || ctx.Err() != nil {
		return err
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(s.cfg.Retry):
	}
	return s.send(ctx, ch, m)
}

// How the database is watched.
const (
	askEvery  = 10 * time.Second
	downAfter = 30 * time.Second
	askTime   = 5 * time.Second
)

// WatchDatabase asks the database again and again whether it takes a
// transaction, until ctx ends. When it has not for half a minute the channels
// are told directly, again after each time of a reminder, and when it is over.
func (s *Service) WatchDatabase(ctx context.Context) {
	var since, told time.Time // of the trouble; zero: none
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(askEvery):
		}
		err := s.askDatabase(ctx)
		now := s.clock.Now()
		switch {
		case ctx.Err() != nil:
			return
		case err == nil && !told.IsZero():
			_ = s.direct(ctx, databaseDown(now.Sub(since), "-"), eventResolved) // it logs by itself
			since, told = time.Time{}, time.Time{}
		case err == nil:
			since = time.Time{}
		case since.IsZero():
			since = now
		case now.Sub(since) >= downAfter && (told.IsZero() || now.Sub(told) >= s.cfg.Remind):
			if s.Direct(ctx, databaseDown(now.Sub(since), errs.CodeOf(err))) == nil {
				told = now
			}
		}
	}
}

// askDatabase runs a transaction through the writer that changes nothing.
func (s *Service) askDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return s.db.Update(ctx, func(tx *db.Tx) error {
		_, err := tx.Exec(`UPDATE leases SET fence = fence WHERE name = 'notify.watch'`)
		return err
	})
}

func databaseDown(lasts time.Duration, code string) Alert {
	return Alert{Code: "database_down", Severity: Critical, Args: map[string]string{
		"seconds": strconv.Itoa(int(lasts.Seconds())), "code": code,
	}}
}
