package pgship

import (
	"time"

	"panshi/internal/db/pgstream"
)

const (
	// silence is how long the server may give no sign of life before all that it
	// may have committed since counts as not shipped.
	silence = 3 * time.Second
	// markEvery is how finely lag is told, mostMarks how much of it at most.
	markEvery = 100 * time.Millisecond
	mostMarks = 1000
)

// mark says that the server had so much of the log at some time.
type mark struct {
	end pgstream.LSN
	at  time.Time
}

// resumes notes how much a server has when a session begins, with s.mu held. All
// of it may be as old as the last sign of life.
func (s *Shipper) resumes(end pgstream.LSN) {
	now := s.clock.Now()
	since := s.state.heard
	if since.IsZero() {
		since = now
	}
	if end > s.state.spooled && len(s.state.marks) == 0 {
		s.state.marks = append(s.state.marks, mark{end, since})
	}
	s.state.heard = now
}

// hears notes a sign of life, and how much the server has.
func (s *Shipper) hears(end pgstream.LSN) {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.heard = now
	last := len(s.state.marks) - 1
	switch {
	case end <= s.state.spooled || last >= 0 && end <= s.state.marks[last].end:
	case last >= 0 && (now.Sub(s.state.marks[last].at) < markEvery || last >= mostMarks):
		s.state.marks[last].end = end
	default:
		s.state.marks = append(s.state.marks, mark{end, now})
	}
}

// cut notes that the spool has the log up to a position.
func (s *Shipper) cut(last pgstream.LSN, written int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.spooled, s.state.written = last, s.state.written+written
	kept := s.state.marks[:0]
	for _, m := range s.state.marks {
		if m.end > last {
			kept = append(kept, m)
			continue
		}
		s.state.at = m.at
	}
	s.state.marks = kept
	if len(kept) == 0 && !s.state.heard.IsZero() {
		s.state.at, s.state.failed = s.state.heard, nil
	}
}

// Lag is the age of the oldest part of the log that is not in the spool, 0 if
// all is. A server that is silent counts as one that commits.
func (s *Shipper) Lag() time.Duration {
	now := s.clock.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case len(s.state.marks) > 0:
		return max(now.Sub(s.state.marks[0].at), 0)
	case !s.state.heard.IsZero() && (!s.state.live || now.Sub(s.state.heard) > silence):
		return now.Sub(s.state.heard)
	}
	return 0
}
