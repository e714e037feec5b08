package notify

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"panshi/internal/clock"
	"panshi/internal/db"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
)

// Service sends what is to be told, and keeps the list of alerts. It is safe
// for concurrent use.
type Service struct {
	db       db.DB
	cfg      Config
	channels []namedChannel
	writer   writer
	clock    clock.Clock
	log      *slog.Logger
	standing atomic.Pointer[Standing] // as the sweep last saw it
}

// namedChannel is a channel with its name and language.
type namedChannel struct {
	name string
	lang i18n.Lang
	Channel
}

// New returns a Service. The configuration is valid.
func New(d db.DB, cfg Config, ways Ways, texts *i18n.Catalogue, names Names, c clock.Clock, log *slog.Logger) *Service {
	s := &Service{
		db: d, cfg: cfg, clock: c, log: log,
		writer: writer{texts: texts, names: names, zone: time.FixedZone("UTC+8", 8*60*60)},
	}
	for _, ch := range cfg.Channels {
		s.channels = append(s.channels, namedChannel{ch.Name, ch.lang(), newChannel(ch, ways, c)})
	}
	s.standing.Store(&Standing{Channels: len(s.channels)})
	return s
}

// Alert raises an alert in a transaction of its own. When the database does
// not take it, the channels are told at once, without a row.
func (s *Service) Alert(ctx context.Context, a Alert) error {
	return s.write(ctx, a, func(tx *db.Tx) error { return AlertTx(tx, a) })
}

// Ongoing is Alert for a state that is looked at again and again (OngoingTx).
func (s *Service) Ongoing(ctx context.Context, a Alert) error {
	return s.write(ctx, a, func(tx *db.Tx) error { return OngoingTx(tx, a) })
}

func (s *Service) write(ctx context.Context, a Alert, do func(tx *db.Tx) error) error {
	err := s.db.Update(ctx, do)
	if err == nil || ctx.Err() != nil || errs.KindOf(err) != errs.Unavailable {
		return err
	}
	s.log.Error("notify: the database takes no alert; the channels are told directly", "alert", a.Code, "code", errs.CodeOf(err), "error", err)
	return s.Direct(ctx, a)
}

// Resolve ends an alert in a transaction of its own.
func (s *Service) Resolve(ctx context.Context, merchantID id.ID, code, subject string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error { return ResolveTx(tx, merchantID, code, subject) })
}

// Keep makes the open alerts of a code those that stand now: it raises what is
// missing and ends what is gone. Those that look again and again call it; when
// nothing changed it writes nothing.
func (s *Service) Keep(ctx context.Context, code string, now []Alert) error {
	return s.KeepUnder(ctx, code, "", now)
}

// KeepUnder is Keep for one of several who look for alerts of a code: it leaves
// those alone whose subjects do not begin with subjects.
func (s *Service) KeepUnder(ctx context.Context, code, subjects string, now []Alert) error {
	const most = 200
	var open []Stored
	if err := s.db.View(ctx, func(tx *db.Tx) (err error) {
		open, err = OpenOfTx(tx, code, most)
		return err
	}); err != nil {
		return err
	}
	var failures []error
	for _, a := range open {
		mine := strings.HasPrefix(a.Subject, subjects)
		if mine && !slices.ContainsFunc(now, func(n Alert) bool { return n.key() == a.key() }) {
			failures = append(failures, s.Resolve(ctx, a.MerchantID, a.Code, a.Subject))
		}
	}
	for _, a := range now[:min(most, len(now))] {
		if !slices.ContainsFunc(open, func(o Stored) bool { return o.key() == a.key() }) {
			failures = append(failures, s.Ongoing(ctx, a))
		}
	}
	return errors.Join(failures...)
}

// List lists the alerts that sc sees, the newest first (ListTx).
func (s *Service) List(ctx context.Context, sc Scope, before id.ID, limit int) (list []Stored, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list, err = ListTx(tx, sc, before, limit)
		return err
	})
	return list, err
}

// Open lists what is not resolved, of all merchants, the newest first.
func (s *Service) Open(ctx context.Context, limit int) (list []Stored, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		list, err = OpenTx(tx, limit)
		return err
	})
	return list, err
}

// Acknowledge notes who is at an alert (AcknowledgeTx).
func (s *Service) Acknowledge(ctx context.Context, sc Scope, alertID id.ID, by string) error {
	return s.db.Update(ctx, func(tx *db.Tx) error { return AcknowledgeTx(tx, sc, alertID, by) })
}

// Standing reads how alerting fares.
func (s *Service) Standing(ctx context.Context) (st Standing, err error) {
	err = s.db.View(ctx, func(tx *db.Tx) error {
		st, err = standingTx(tx)
		return err
	})
	st.Channels = len(s.channels)
	return st, err
}

// LastStanding is what the sweep of this process last read.
func (s *Service) LastStanding() Standing { return *s.standing.Load() }

// Title is what an alert is called in a language.
func (s *Service) Title(lang i18n.Lang, a Stored) string {
	return clean(s.writer.texts.Text(lang, "alert."+a.Code+".title", a.Args), 200)
}

// TestResult is what came of a test message.
type TestResult struct {
	Channel string        `json:"channel"`
	OK      bool          `json:"ok"`
	Code    string        `json:"code,omitempty"`  // of the error
	Error   string        `json:"error,omitempty"` // what the other side said, or what failed on the way
	Took    time.Duration `json:"took_ns"`
}

// ErrChannelUnknown says that no channel has the name.
var ErrChannelUnknown = errs.New(errs.NotFound, "channel_unknown", "no channel of notify.channels has this name")

// Test sends a message that says it is a test, through one channel or, for "",
// through each.
func (s *Service) Test(ctx context.Context, channel string) ([]TestResult, error) {
	results := []TestResult{}
	for _, ch := range s.channels {
		if channel != "" && ch.name != channel {
			continue
		}
		results = append(results, s.test(ctx, ch))
	}
	if channel != "" && len(results) == 0 {
		return nil, ErrChannelUnknown
	}
	return results, ctx.Err()
}

func (s *Service) test(ctx context.Context, ch namedChannel) TestResult {
	began := s.clock.Now()
	a := Stored{
		Alert: Alert{Code: "test", Severity: Info, Args: map[string]string{"channel": ch.name}},
		Count: 1, OpenedAt: began, LastAt: began,
	}
	err := s.send(ctx, ch, s.writer.message(ch.lang, id.New(), a, "test"))
	r := TestResult{Channel: ch.name, OK: err == nil, Took: s.clock.Now().Sub(began)}
	if err != nil {
		r.Code, r.Error = errs.CodeOf(err), clean(err.Error(), 500)
	}
	return r
}

// send makes one attempt.
func (s *Service) send(ctx context.Context, ch namedChannel, m Message) error {
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	return ch.Send(ctx, m)
}
