package drill

import (
	"time"
)

// Report tells what a drill came to.
type Report struct {
	Drill   Name      `json:"drill"`
	At      time.Time `json:"at"`      // when it ended
	Took    int64     `json:"took_ns"` // all of it, preparations too
	Version string    `json:"version"` // of the program
	Seed    uint64    `json:"seed"`    // repeats what was chosen by chance

	Steps []Step   `json:"steps"`
	From  []string `json:"from"` // labels of destinations that brought the shop back

	// LossKnown says that Loss was measured: how much of what had been
	// acknowledged did not come back.
	LossKnown    bool  `json:"loss_known"`
	Loss         int64 `json:"loss_ns"`
	LossGoal     int64 `json:"loss_goal_ns"`
	Recovery     int64 `json:"recovery_ns"` // from the disaster to a shop that sells
	RecoveryGoal int64 `json:"recovery_goal_ns"`

	Invariants int `json:"invariants"` // that were checked on the shop that came back
	Violations int `json:"violations"`

	Tables []Table `json:"tables,omitempty"` // that lost rows
	Orders []Order `json:"orders,omitempty"` // of the lost minutes, for make-up by hand
	More   int     `json:"orders_not_listed,omitempty"`

	// Failure is the code of why it did not pass, "" if it did; Detail goes with
	// it.
	Failure string            `json:"failure,omitempty"`
	Detail  map[string]string `json:"detail,omitempty"`
}

// Step is one thing that was done. Its text is drill.step.<Name> in the
// catalogues, filled from Args.
type Step struct {
	Name string            `json:"name"`
	Args map[string]string `json:"args,omitempty"`
	Took int64             `json:"took_ns"`
	// Failure is the code of what went wrong. A step may fail without the drill:
	// of two copies one is enough.
	Failure string `json:"failure,omitempty"`
}

// Table tells of a table that rows were lost from and found again.
type Table struct {
	Name string `json:"name"`
	Rows int64  `json:"rows"` // that it has in the backup
	Lost int64  `json:"lost"` // that were deleted, and were found
	// Keys are the lost rows' primary keys, the first of them.
	Keys []string `json:"keys,omitempty"`
}

// Order is one that a restore to just before an intrusion has not: somebody
// compares it with the platforms' bills and makes it up. It tells nothing of the
// buyer.
type Order struct {
	No       string    `json:"order_no"`
	Status   string    `json:"status"`
	Total    int64     `json:"total"` // minor units
	Currency string    `json:"currency"`
	At       time.Time `json:"at"`
}

// Passed tells whether the shop would have survived.
func (r Report) Passed() bool { return r.Failure == "" }
