package standby

import (
	"context"
	"log/slog"
	"time"

	"panshi/internal/backup/lease"
	"panshi/internal/errs"
)

// ask looks at the lease, now and then, and tells whether it promises what a
// listing by name cannot find.
func (s *Standby) ask(ctx context.Context, now time.Time) (ahead bool) {
	if s.cfg.Place == nil || now.Sub(s.asked) < askEvery {
		return false
	}
	s.asked = now
	l, err := lease.Look(ctx, s.cfg.Place, s.cfg.Signer)
	if err != nil || l.Epoch == 0 {
		return false // the look itself says what fails
	}
	s.note(func(st *Status) {
		if moved := st.PrimaryBeat != l.Beat || st.Primary != l.Node || st.Epoch != l.Epoch; moved {
			st.PrimarySeen = now
		}
		st.Primary, st.Epoch, st.PrimaryBeat, st.Known = l.Node, l.Epoch, l.Beat, 0
		if l.Generation == st.Generation {
			st.Known = l.Transaction
		}
	})
	state := s.files.state
	older := now.Sub(s.full) > 15*time.Second // listings lag, and a full look is not cheap
	return older && (l.Generation > state.Generation || l.Generation == state.Generation && l.Transaction > state.Transaction+60)
}

// tell says at the destination how far this standby is.
func (s *Standby) tell(ctx context.Context, failed error) {
	now := s.cfg.Clock.Now()
	if s.cfg.Place == nil || s.cfg.Signer == nil || now.Sub(s.told) < tellEvery {
		return
	}
	s.told = now
	st := s.Status()
	f := lease.Follower{
		Node: st.Node, Time: now.UnixMilli(), Generation: st.Generation, Transaction: st.Transaction, State: st.Time,
		Behind: st.Behind, BehindMS: st.BehindFor(now).Milliseconds(),
	}
	if failed != nil {
		f.Failure = errs.CodeOf(failed)
	}
	call, cancel := context.WithTimeout(ctx, lease.CallFor)
	defer cancel()
	err := lease.Tell(call, s.cfg.Place, s.cfg.Signer, f)
	code := ""
	if err != nil {
		code = errs.CodeOf(err)
	}
	if err != nil && code != s.unseen && ctx.Err() == nil {
		s.cfg.Log.Warn("standby: the shop cannot see it", slog.Any("error", err))
	}
	s.unseen = code
}
