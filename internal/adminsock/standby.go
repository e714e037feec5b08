package adminsock

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"panshi/internal/backup/standby"
	"panshi/internal/check"
	"panshi/internal/errs"
)

// Standby is what commands do to a standby that follows.
type Standby interface {
	StandbyStatus(ctx context.Context) (standby.Status, error)
	// Promote makes a shop of it. progress hears each step.
	Promote(ctx context.Context, r PromoteRequest, progress func(step string)) (Promoted, error)
}

// PromoteRequest says how a standby may take over.
type PromoteRequest struct {
	// Depose takes the lease from a shop that lives.
	Depose bool `json:"depose"`
	// OldOneIsOff takes no lease: somebody has made sure that the old shop is off.
	OldOneIsOff bool `json:"old_one_is_off"`
}

// Promoted is what a promotion came to.
type Promoted struct {
	Epoch       uint64        `json:"epoch"`
	Leased      bool          `json:"leased"`      // false: nothing stops the old one
	CaughtUp    bool          `json:"caught_up"`   // it has all that reached the destination
	Generation  string        `json:"generation"`  // that it followed
	Transaction uint64        `json:"transaction"` // the last one that it has
	Time        time.Time     `json:"time"`        // of that
	Check       check.Report  `json:"check"`
	Took        time.Duration `json:"took_ns"`
	Fenced      []string      `json:"fenced,omitempty"` // what a former writer left, not applied
}

// ErrStandby refuses what only a shop can do.
var ErrStandby = errs.New(errs.Unavailable, "standby_read_only",
	"this machine is a standby and sells nothing until it is promoted (panshi promote)")

// ServeStandby is Serve for a standby.
func ServeStandby(ctx context.Context, dir string, s Standby, log *slog.Logger) error {
	ln, err := listen(ctx, dir)
	if err != nil {
		return err
	}
	err = (&server{standby: s, log: log, peer: peerUID}).serve(ctx, ln)
	if rmErr := os.Remove(filepath.Join(dir, socketName)); rmErr != nil && !errors.Is(rmErr, os.ErrNotExist) {
		err = errors.Join(err, rmErr)
	}
	return err
}

func (s *server) standbyHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /v1/standby", s.answer(func(ctx context.Context, _ call) (any, error) { return s.standby.StandbyStatus(ctx) }))
	mux.Handle("POST /v1/promote", s.answer(s.promote))
	mux.Handle("/", s.answer(func(context.Context, call) (any, error) { return nil, ErrStandby }))
	return mux
}

func (s *server) promote(ctx context.Context, c call) (any, error) {
	var r PromoteRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	// Who hangs up does not stop a promotion half-way.
	return s.standby.Promote(context.WithoutCancel(ctx), r, func(step string) { c.tell(demoProgress{step}) })
}

// StandbyStatus tells how far the standby is.
func (c *Client) StandbyStatus(ctx context.Context) (status standby.Status, err error) {
	err = c.do(ctx, ask{method: http.MethodGet, path: "/v1/standby"}, &status)
	return status, err
}

// Promote makes a shop of the standby.
func (c *Client) Promote(ctx context.Context, r PromoteRequest, progress func(step string)) (done Promoted, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/promote", request: r, heard: func(raw json.RawMessage) error {
		var p demoProgress
		if err := json.Unmarshal(raw, &p); err != nil {
			return err
		}
		progress(p.Text)
		return nil
	}}, &done)
	return done, err
}
