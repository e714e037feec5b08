package mirror

import (
	"maps"
	"slices"

	"panshi/internal/backup"
	"panshi/internal/backup/manifest"
)

// start says from where on a destination has to have the log.
type start struct {
	// Waiting says that it needs a full first.
	Waiting    bool   `json:"waiting"`
	Generation uint64 `json:"generation"`
	After      uint64 `json:"after"` // the full's last transaction; segments beyond it count
}

// state is what a journal says about a destination. It changes by apply only, so
// that it is the same after a crash.
type state struct {
	live    map[string]manifest.Entry // by name: what the destination has
	log     map[string]backup.Segment // by name: those of live that are segments
	bytes   int64                     // of live
	reach   backup.Reach              // of log, unless stale
	hasFull bool                      // unless stale
	stale   bool                      // reach and hasFull have to be found anew
	left    map[string]bool           // given up, not yet deleted
	from    start
	adopts  []manifest.Head // told by every base, so that a chain that cannot be deleted stays silent
	head    manifest.Head
	pending *manifest.Manifest
	// What the next manifest tells.
	added   map[string]bool
	removed map[string]bool
	// bases are the numbers of the base manifests, ascending, the last two.
	bases  []uint64
	deltas int // manifests since the last base
}

func newState() *state {
	return &state{
		live: map[string]manifest.Entry{}, log: map[string]backup.Segment{}, left: map[string]bool{}, from: start{Waiting: true},
		added: map[string]bool{}, removed: map[string]bool{},
	}
}

func (s *state) apply(e event) {
	switch {
	case e.Add != nil:
		s.add(*e.Add)
		s.added[e.Add.Name] = true
		delete(s.removed, e.Add.Name)
		delete(s.left, e.Add.Name)
	case e.Drop != "":
		s.remove(e.Drop)
		s.left[e.Drop] = true
	case e.Lost != "":
		s.remove(e.Lost)
	case e.Gone != "":
		delete(s.left, e.Gone)
	case e.From != nil:
		s.from = *e.From
	case e.Adopt != nil:
		s.adopts = append(s.adopts, *e.Adopt)
	case e.Pending != nil:
		s.pending = e.Pending
	case e.Declared != nil:
		s.declared(*e.Declared)
	}
}

func (s *state) add(e manifest.Entry) {
	s.bytes += e.Size - s.live[e.Name].Size
	s.live[e.Name] = e
	seg, ok := backup.ParseSegment(e.Name)
	if !ok {
		return
	}
	s.log[e.Name] = seg
	if next := s.hasFull && !s.stale && !seg.Full() && seg.Generation == s.reach.Full.Generation && s.reach.Gap == 0; next && seg.Max > s.reach.End && seg.Min <= s.reach.End+1 {
		s.reach.End, s.reach.Time = seg.Max, seg.Time // the usual case, without looking at all others
		return
	} else if next && seg.Max <= s.reach.End {
		return
	}
	s.stale = true
}

func (s *state) remove(name string) {
	s.bytes -= s.live[name].Size
	delete(s.live, name)
	delete(s.log, name)
	s.stale = true
	delete(s.added, name)
	s.removed[name] = true
}

// declared moves on to the manifest that was pending. What changed since it was
// decided is told by the next one.
func (s *state) declared(h manifest.Head) {
	s.head = h
	m := s.pending
	if m == nil {
		return
	}
	s.pending = nil
	for _, e := range m.Added {
		if s.live[e.Name] == e {
			delete(s.added, e.Name)
		}
	}
	for _, name := range m.Removed {
		delete(s.removed, name)
	}
	s.deltas++
	if m.Base {
		s.bases = append(s.bases, m.Number)
		s.bases = s.bases[max(0, len(s.bases)-2):]
		s.deltas = 0
	}
}

// events gives the shortest journal that makes this state, but for a manifest
// that is pending: rewrite only when there is none. The first manifest after it
// is a base.
func (s *state) events() []event {
	out := []event{{From: &s.from}}
	for _, name := range slices.Sorted(maps.Keys(s.live)) {
		e := s.live[name]
		out = append(out, event{Add: &e})
	}
	for _, name := range slices.Sorted(maps.Keys(s.left)) {
		out = append(out, event{Drop: name})
	}
	for i := range s.adopts {
		out = append(out, event{Adopt: &s.adopts[i]})
	}
	if s.head.Chain != "" {
		out = append(out, event{Declared: &s.head})
	}
	return out
}

// segments lists the segments that are there.
func (s *state) segments() []backup.Segment { return slices.Collect(maps.Values(s.log)) }

// furthest is backup.Furthest of what is there.
func (s *state) furthest() (backup.Reach, bool) {
	if s.stale {
		s.reach, s.hasFull = backup.Furthest(s.segments())
		s.stale = false
	}
	return s.reach, s.hasFull
}

// has tells whether the destination has an object of that name, spare copies
// included.
func (s *state) has(name string) bool {
	for spare := range 10 {
		if _, ok := s.live[backup.Numbered(name, spare)]; ok {
			return true
		}
	}
	return false
}
