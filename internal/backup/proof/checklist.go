package proof

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// State is how an item of the checklist stands.
type State string

// The states. Only Green is good.
const (
	Green State = "green"
	Stale State = "stale" // was proved, too long ago
	Red   State = "red"   // was never proved, or failed
)

// How old evidence may be. A day has two hours of grace, for the time that the
// daily copy takes.
const (
	freshCopy  = 26 * time.Hour
	freshProof = 31 * 24 * time.Hour
	freshCards = 366 * 24 * time.Hour
	// skew is how far ahead of us a time may be.
	skew = 5 * time.Minute
)

// Evidence is what the checklist is judged by.
type Evidence struct {
	Copies []Copy
	Cards  *CardsRecord // nil if no bundle was ever written
	// CardsNow is the digest of the keysets of card keys as they are, "" if they
	// are not here.
	CardsNow string
}

// Copy is what is known of one destination.
type Copy struct {
	Label, Region string
	Apart         bool      // a directory on another device than the data
	Full          time.Time // of the newest whole copy that a signed manifest lists; zero if there is none
	To            time.Time // the newest state that follows it without a gap
	Fault         string    // why nothing is known of it, "" if it was read
	Proof         *Record   // the newest, good or not; nil if there is none
}

// Item is one line of the checklist.
type Item struct {
	Name     string        `json:"name"`
	State    State         `json:"state"`
	Evidence string        `json:"evidence"`
	At       time.Time     `json:"at,omitzero"` // of the evidence
	Age      time.Duration `json:"age_ns,omitempty"`
}

// The names of the items, in their order.
const (
	Replica    = "replica"
	SecondDisk = "second_disk"
	TwoRegions = "two_regions"
	Offline    = "offline"
	Restored   = "restored"
	CardKeys   = "card_keys"
)

// Judge gives the six items as they stand at a moment.
func Judge(e Evidence, now time.Time) []Item {
	return []Item{
		{Name: Replica, State: Red, Evidence: "no standby follows this shop"},
		secondDisk(e.Copies, now),
		twoRegions(e.Copies, now),
		{Name: Offline, State: Red, Evidence: "no whole copy was written to an offline disk"},
		restored(e.Copies, now),
		cardKeys(e, now),
	}
}

// AllGreen tells whether nothing is left to do.
func AllGreen(items []Item) bool {
	return !slices.ContainsFunc(items, func(i Item) bool { return i.State != Green })
}

// dated is an item that rests on evidence from at: green while that is fresh.
func dated(name string, at, now time.Time, fresh time.Duration, evidence string) Item {
	i := Item{Name: name, State: Green, Evidence: evidence, At: at, Age: now.Sub(at)}
	switch {
	case i.Age > fresh:
		i.State, i.Evidence = Stale, evidence+", too long ago"
	case i.Age < -skew:
		i.State, i.Evidence = Red, evidence+", at a time that is not yet: is the clock right?"
	}
	return i
}

// secondDisk: a whole copy of a day on a disk of its own.
func secondDisk(copies []Copy, now time.Time) Item {
	var best *Copy
	why := "no destination is a directory on another disk than the data"
	for _, c := range copies {
		switch {
		case !c.Apart:
		case c.Fault != "":
			why = c.Label + " cannot be read: " + c.Fault
		case c.Full.IsZero():
			why = c.Label + " has no whole copy"
		case best == nil || c.Full.After(best.Full):
			best = &c
		}
	}
	if best == nil {
		return Item{Name: SecondDisk, State: Red, Evidence: why}
	}
	return dated(SecondDisk, best.Full, now, freshCopy, best.Label+" has a whole copy")
}

// twoRegions: copies that can be restored in two places. Of more than two
// regions the freshest two count, and of these the older one dates the item.
func twoRegions(copies []Copy, now time.Time) Item {
	newest := map[string]Copy{}
	var faults []string
	for _, c := range copies {
		switch {
		case c.Fault != "":
			faults = append(faults, c.Label+" cannot be read: "+c.Fault)
		case c.Full.IsZero():
			faults = append(faults, c.Label+" has no whole copy")
		case c.Region == "":
			faults = append(faults, c.Label+" has no region")
		case c.To.After(newest[c.Region].To):
			newest[c.Region] = c
		}
	}
	var best []Copy
	for _, c := range newest {
		best = append(best, c)
	}
	slices.SortFunc(best, func(a, b Copy) int { return cmp.Or(b.To.Compare(a.To), strings.Compare(a.Label, b.Label)) })
	if len(best) < 2 {
		text := fmt.Sprintf("encrypted copies in %d of 2 regions", len(best))
		return Item{Name: TwoRegions, State: Red, Evidence: strings.Join(append([]string{text}, faults...), "; ")}
	}
	return dated(TwoRegions, best[1].To, now, freshCopy,
		fmt.Sprintf("encrypted copies at %s (%s) and %s (%s)", best[0].Label, best[0].Region, best[1].Label, best[1].Region))
}

// restored: every destination brought a sound shop back, the last time that it
// was tried.
func restored(copies []Copy, now time.Time) Item {
	if len(copies) == 0 {
		return Item{Name: Restored, State: Red, Evidence: "there is no destination to restore from"}
	}
	var oldest time.Time
	var good []string
	for _, c := range copies {
		if c.Proof == nil {
			return Item{Name: Restored, State: Red, Evidence: c.Label + " was never proved"}
		}
		if !c.Proof.Good() {
			return Item{Name: Restored, State: Red, Evidence: c.Label + " failed: " + c.Proof.Why(), At: c.Proof.At, Age: now.Sub(c.Proof.At)}
		}
		if good = append(good, c.Label); oldest.IsZero() || c.Proof.At.Before(oldest) {
			oldest = c.Proof.At
		}
	}
	return dated(Restored, oldest, now, freshProof, "restored and checked from "+strings.Join(good, ", "))
}

// Why tells in a few words why a record is not good; "" if it is.
func (r Record) Why() string {
	switch {
	case len(r.Findings) > 0:
		f := r.Findings[0]
		return fmt.Sprintf("findings: %d, the first: %s %s", len(r.Findings), f.Kind, f.Name)
	case len(r.Differences) > 0:
		return fmt.Sprintf("differences from the shop's sums: %d, the first: %s", len(r.Differences), r.Differences[0])
	case r.Failure != "":
		return r.Failure
	case r.Violations > 0:
		return fmt.Sprintf("violations of invariants: %d", r.Violations)
	case r.Invariants == 0:
		return "nothing was checked"
	}
	return ""
}

// cardKeys: the keysets of card keys, as they are now, were written into their
// own bundle.
func cardKeys(e Evidence, now time.Time) Item {
	switch {
	case e.CardsNow == "":
		return Item{Name: CardKeys, State: Red, Evidence: "card keys are shut on this machine"}
	case e.Cards == nil:
		return Item{Name: CardKeys, State: Red, Evidence: "no bundle was written (panshi key cards FILE)"}
	case e.Cards.Digest != e.CardsNow:
		return Item{Name: CardKeys, State: Red, Evidence: "the bundle was written with other keys than those of now", At: e.Cards.At, Age: now.Sub(e.Cards.At)}
	}
	return dated(CardKeys, e.Cards.At, now, freshCards, "their bundle was written")
}
