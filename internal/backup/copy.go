package backup

import "time"

// Copy is how one destination stands, as far as it is proved.
type Copy struct {
	Label        string        `json:"label"`
	Region       string        `json:"region"`
	Following    bool          `json:"following"`  // false: it waits for a whole copy
	Restorable   bool          `json:"restorable"` // it has a whole copy and what follows it
	To           time.Time     `json:"to,omitzero"`
	Complete     time.Time     `json:"complete,omitzero"` // everything until then is there, signed
	Objects      int           `json:"objects"`
	Bytes        int64         `json:"bytes"`
	Pending      int           `json:"pending"` // files that it lacks
	PendingBytes int64         `json:"pending_bytes"`
	Lag          time.Duration `json:"lag_ns"`            // age of the oldest of these
	Failure      string        `json:"failure,omitempty"` // code of what stopped the last round
	Alarms       []string      `json:"alarms,omitempty"`  // codes

	// The newest manifest there: its chain ("" if there is none), number and digest.
	Chain          string `json:"chain,omitempty"`
	Manifest       uint64 `json:"manifest,omitempty"`
	ManifestSHA256 Digest `json:"manifest_sha256"`

	// Full is the time of the newest whole copy there.
	Full time.Time `json:"full,omitzero"`

	// Proved is when a restore from here was last found sound, ProvedFull the time
	// of the whole copy that it began with. ProofTried is when one was last tried;
	// ProofFailed says why that one was not sound. If none is set, none was tried.
	Proved      time.Time `json:"proved,omitzero"`
	ProvedFull  time.Time `json:"proved_full,omitzero"`
	ProofTried  time.Time `json:"proof_tried,omitzero"`
	ProofFailed string    `json:"proof_failed,omitempty"`
}

// Point is the time of the newest state that a restore gets: that of the last
// commit there, or later when nothing happened since; zero if there is none.
func (c Copy) Point() time.Time {
	switch {
	case !c.Restorable:
		return time.Time{}
	case c.Complete.After(c.To):
		return c.Complete
	}
	return c.To
}

// Ails tells whether somebody should look at it.
func (c Copy) Ails() bool { return c.Failure != "" || len(c.Alarms) > 0 }
