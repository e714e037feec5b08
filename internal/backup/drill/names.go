package drill

import (
	"context"
	"time"

	"panshi/internal/errs"
)

// Name names a disaster.
type Name string

// The disasters.
const (
	DiskLost        Name = "disk-lost"
	MachineLost     Name = "machine-lost"
	TableDropped    Name = "table-dropped"
	RowsDeleted     Name = "rows-deleted"
	Ransomware      Name = "ransomware"
	RegionGone      Name = "region-gone"
	CorruptObject   Name = "corrupt-object"
	KeyLost         Name = "key-lost"
	WrongClock      Name = "wrong-clock"
	StandbyFailover Name = "standby-failover"
	Runbook         Name = "runbook"
)

// The goals of drills.
const (
	// lossGoal is what a lost machine may cost: shipping and copying take two
	// seconds, and a destination over a bad line gets some more.
	lossGoal = time.Minute
	// protectedGoal: an offline disk is a week old when it is needed most.
	protectedGoal = 8 * 24 * time.Hour
	// drawerFresh is how old the last reading of a disk in a drawer may be.
	drawerFresh  = 31 * 24 * time.Hour
	recoveryGoal = 30 * time.Minute
	sellGoal     = 5 * time.Minute
)

// Drill is one disaster and what its rehearsal must keep to.
type Drill struct {
	Name     Name          `json:"name"`
	Loss     time.Duration `json:"loss_goal_ns"` // of commits; 0: none is measured
	Recovery time.Duration `json:"recovery_goal_ns"`
	run      func(context.Context, *exercise) error
}

// All lists the drills in the order in which `drill all` runs them.
func All() []Drill {
	return []Drill{
		{DiskLost, lossGoal, recoveryGoal, diskLost},
		{MachineLost, lossGoal, recoveryGoal, machineLost},
		{TableDropped, 0, recoveryGoal, tableDropped},
		{RowsDeleted, 0, recoveryGoal, rowsDeleted},
		{Ransomware, protectedGoal, recoveryGoal, ransomware},
		{RegionGone, lossGoal, recoveryGoal, regionGone},
		{CorruptObject, lossGoal, recoveryGoal, corruptObject},
		{KeyLost, 0, recoveryGoal, keyLost},
		{WrongClock, lossGoal, recoveryGoal, wrongClock},
		{StandbyFailover, lossGoal, sellGoal, standbyFailover},
		{Runbook, 0, recoveryGoal, runbook},
	}
}

// Named finds a drill. Code drill_unknown.
func Named(name string) (Drill, error) {
	for _, d := range All() {
		if string(d.Name) == name {
			return d, nil
		}
	}
	return Drill{}, errs.Field("name", "drill_unknown", "there is no drill of this name; panshi drill list tells them")
}
