package backup

import "time"

// The kinds of work that backups do by themselves.
const (
	PlannedShip    = "ship"    // commits into the spool
	PlannedFull    = "full"    // a whole copy into the spool
	PlannedAttest  = "attest"  // a destination's signed word on how far it is
	PlannedProof   = "proof"   // a restore from a destination, checked
	PlannedOffline = "offline" // a copy to a disk that is plugged in for it
)

// Planned is one thing that backups do by themselves or wait for.
type Planned struct {
	What  string `json:"what"`
	Label string `json:"destination,omitempty"`
	// LastGood is when it last succeeded, Next when it is due; Next is not told
	// of what nothing does here by itself.
	LastGood time.Time `json:"last_good,omitzero"`
	Next     time.Time `json:"next,omitzero"`
	// Note says in a word what is special: "running", "overdue", "off", "strict",
	// or the code of what failed.
	Note string `json:"note,omitempty"`
}
