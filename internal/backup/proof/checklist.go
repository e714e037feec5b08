package proof

import (
	"cmp"
	"slices"
	"strconv"
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
// daily copy takes, and a week two days, for the weekend.
const (
	freshStandby = 5 * time.Minute
	freshCopy    = 26 * time.Hour
	freshOffline = 9 * 24 * time.Hour
	freshProof   = 31 * 24 * time.Hour
	freshCards   = 366 * 24 * time.Hour
	// behindMost is how far behind a standby may be.
	behindMost = time.Minute
	// skew is how far ahead of us a time may be.
	skew = 5 * time.Minute
)

// Evidence is what the checklist is judged by.
type Evidence struct {
	Copies  []Copy
	Standby *Standby     // nil if none was ever seen
	Offline *Offline     // the newest; nil if no offline disk was ever completed
	Cards   *CardsRecord // nil if no bundle was ever written
	// CardsNow is the digest of the keysets of card keys as they are, "" if they
	// are not here.
	CardsNow string
}

// Copy is what is known of one destination.
type Copy struct {
	Label, Region string
	Apart         bool // a directory on another device than the data
	// Cloud names who runs the place, if that is not this machine; "" for a
	// directory. Two labels of one vendor or one server have the same.
	Cloud string
	Full  time.Time // of the newest whole copy that a signed manifest lists; zero if there is none
	To    time.Time // the newest state that follows it without a gap
	Fault string    // why nothing is known of it, "" if it was read
	Proof *Record   // the newest, good or not; nil if there is none
}

// Item is one line of the checklist.
type Item struct {
	Name  string            `json:"name"`
	State State             `json:"state"`
	Code  string            `json:"code"` // of the evidence; Text has words for it
	Args  map[string]string `json:"args,omitempty"`
	At    time.Time         `json:"at,omitzero"` // of the evidence
	Age   time.Duration     `json:"age_ns,omitempty"`
}

// The names of the items, in their order.
const (
	Replica    = "replica"
	SecondDisk = "second_disk"
	TwoRegions = "two_regions"
	OfflineSet = "offline"
	Restored   = "restored"
	CardKeys   = "card_keys"
)

// The codes of evidence.
const (
	evNoStandby    = "no_standby"
	evBehind       = "standby_behind"
	evFollows      = "standby_follows"
	evNoDisk       = "no_second_disk"
	evUnreadable   = "unreadable"
	evNoFull       = "no_full"
	evFull         = "full"
	evClouds       = "clouds"
	evTwoClouds    = "two_clouds"
	evNoOffline    = "no_offline"
	evSameDevice   = "offline_same_device"
	evOffline      = "offline_set"
	evNoCopy       = "no_destination"
	evUnproved     = "never_proved"
	evFailed       = "proof_failed"
	evRestored     = "restored"
	evCardsShut    = "cards_shut"
	evNoBundle     = "no_bundle"
	evOtherKeys    = "bundle_of_other_keys"
	evCardsBesides = "bundle_beside_copies"
	evBundle       = "bundle_written"
	evClock        = "not_yet"
)

// Judge gives the six items as they stand at a moment.
func Judge(e Evidence, now time.Time) []Item {
	return []Item{
		replica(e.Standby, now),
		secondDisk(e.Copies, now),
		twoRegions(e.Copies, now),
		offline(e.Offline, now),
		restored(e.Copies, now),
		cardKeys(e, now),
	}
}

// AllGreen tells whether nothing is left to do.
func AllGreen(items []Item) bool {
	return !slices.ContainsFunc(items, func(i Item) bool { return i.State != Green })
}

type args = map[string]string

// red is an item without evidence, or with bad one.
func red(name, code string, a args) Item { return Item{Name: name, State: Red, Code: code, Args: a} }

// dated is an item that rests on evidence from at: green while that is fresh.
func dated(name string, at, now time.Time, fresh time.Duration, code string, a args) Item {
	i := Item{Name: name, State: Green, Code: code, Args: a, At: at, Age: now.Sub(at)}
	switch {
	case i.Age > fresh:
		i.State = Stale
	case i.Age < -skew:
		i.State, i.Code = Red, evClock
	}
	return i
}

// replica: another machine follows, and is hardly behind.
func replica(s *Standby, now time.Time) Item {
	if s == nil {
		return red(Replica, evNoStandby, nil)
	}
	a := args{"behind": s.Behind.Round(time.Second).String()}
	i := dated(Replica, s.Seen, now, freshStandby, evFollows, a)
	if i.State == Green && s.Behind > behindMost {
		i.State, i.Code = Red, evBehind
	}
	return i
}

// secondDisk: a whole copy of a day on a disk of its own.
func secondDisk(copies []Copy, now time.Time) Item {
	var best *Copy
	why := red(SecondDisk, evNoDisk, nil)
	for _, c := range copies {
		switch {
		case !c.Apart:
		case c.Fault != "":
			why = red(SecondDisk, evUnreadable, args{"label": c.Label, "why": c.Fault})
		case c.Full.IsZero():
			why = red(SecondDisk, evNoFull, args{"label": c.Label})
		case best == nil || c.Full.After(best.Full):
			best = &c
		}
	}
	if best == nil {
		return why
	}
	return dated(SecondDisk, best.Full, now, freshCopy, evFull, args{"label": best.Label})
}

// twoRegions: copies that can be restored, with two vendors in two places. Of all
// such pairs the freshest counts, and of that the older copy dates the item.
func twoRegions(copies []Copy, now time.Time) Item {
	var best []Copy // the two, the older one last
	for i, a := range copies {
		for _, b := range copies[i+1:] {
			if !a.inACloud() || !b.inACloud() || a.Region == b.Region || a.Cloud == b.Cloud {
				continue
			}
			if a.To.Before(b.To) {
				a, b = b, a
			}
			if best == nil || b.To.After(best[1].To) {
				best = []Copy{a, b}
			}
		}
	}
	if best == nil {
		n := len(slices.DeleteFunc(slices.Clone(copies), func(c Copy) bool { return !c.inACloud() }))
		return red(TwoRegions, evClouds, args{"count": strconv.Itoa(n), "unreadable": faults(copies)})
	}
	return dated(TwoRegions, best[1].To, now, freshCopy, evTwoClouds, args{
		"first": best[0].Label, "first_region": best[0].Region, "second": best[1].Label, "second_region": best[1].Region,
	})
}

// inACloud tells whether a copy can be restored that is on somebody else's
// machine, in a place that has a name.
func (c Copy) inACloud() bool {
	return c.Cloud != "" && c.Region != "" && c.Fault == "" && !c.Full.IsZero()
}

// faults lists what could not be looked at; "-" if nothing was.
func faults(copies []Copy) string {
	var out []string
	for _, c := range copies {
		if c.Fault != "" {
			out = append(out, c.Label+" ("+c.Fault+")")
		}
	}
	return cmp.Or(strings.Join(out, ", "), "-")
}

// offline: a whole copy on a disk that was taken away. It is dated by when it
// was read back and by what it holds, whichever is older: a new run that copied
// an old state proves nothing new.
func offline(o *Offline, now time.Time) Item {
	if o == nil {
		return red(OfflineSet, evNoOffline, nil)
	}
	if !o.Apart {
		return red(OfflineSet, evSameDevice, args{"label": o.Label})
	}
	point := o.Time
	if o.Complete.After(point) {
		point = o.Complete
	}
	at := o.At
	if at.Sub(point) > freshCopy {
		at = point
	}
	return dated(OfflineSet, at, now, freshOffline, evOffline, args{"label": o.Label})
}

// restored: every destination brought a sound shop back, the last time that it
// was tried.
func restored(copies []Copy, now time.Time) Item {
	if len(copies) == 0 {
		return red(Restored, evNoCopy, nil)
	}
	var oldest time.Time
	var good []string
	for _, c := range copies {
		if c.Proof == nil {
			return red(Restored, evUnproved, args{"label": c.Label})
		}
		if !c.Proof.Good() {
			i := red(Restored, evFailed, args{"label": c.Label, "why": c.Proof.Why()})
			i.At, i.Age = c.Proof.At, now.Sub(c.Proof.At)
			return i
		}
		if good = append(good, c.Label); oldest.IsZero() || c.Proof.At.Before(oldest) {
			oldest = c.Proof.At
		}
	}
	return dated(Restored, oldest, now, freshProof, evRestored, args{"labels": strings.Join(good, ", ")})
}

// cardKeys: the keysets of card keys, as they are now, were written into their
// own bundle, and that does not lie where the copies are.
func cardKeys(e Evidence, now time.Time) Item {
	switch {
	case e.CardsNow == "":
		return red(CardKeys, evCardsShut, nil)
	case e.Cards == nil:
		return red(CardKeys, evNoBundle, nil)
	case e.Cards.Digest != e.CardsNow:
		i := red(CardKeys, evOtherKeys, nil)
		i.At, i.Age = e.Cards.At, now.Sub(e.Cards.At)
		return i
	case e.Offline != nil && e.Offline.CardsThere:
		return red(CardKeys, evCardsBesides, args{"label": e.Offline.Label})
	}
	return dated(CardKeys, e.Cards.At, now, freshCards, evBundle, nil)
}
