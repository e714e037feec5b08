package db

import "context"

// CheckpointMode says how hard a checkpoint tries, as SQLite names it.
type CheckpointMode string

// The modes. Passive copies what no reader holds up; Restart
// also waits briefly for readers so that the log starts over; Truncate cuts
// the log file to nothing as well.
const (
	CheckpointPassive  CheckpointMode = "PASSIVE"
	CheckpointRestart  CheckpointMode = "RESTART"
	CheckpointTruncate CheckpointMode = "TRUNCATE"
)

// LogState tells how long the write-ahead log is.
type LogState struct {
	Pages  int  // in the log
	Copied int  // of these, already in the database file
	Busy   bool // a reader or another checkpoint kept this one from finishing
}

// Log is the engine's write-ahead log in the hands of a Checkpointer. It is
// valid only during the call that received it.
type Log interface {
	State(ctx context.Context) (LogState, error)
	Checkpoint(ctx context.Context, mode CheckpointMode) (LogState, error)
}

// Checkpointer decides when pages move from the log into the database file.
// The engine calls it in the writer's own goroutine and outside of any
// transaction, so that no commit happens while it works and every write waits
// for it. Whoever ships the log elsewhere implements it to see each page
// before the log starts over. An error is logged and changes nothing else.
type Checkpointer interface {
	// AfterBatch runs after every commit.
	AfterBatch(ctx context.Context, log Log) error
	// AtClose runs once, after the last commit and after the last reader has
	// left. An owner that must keep the log leaves it alone, and keeps a
	// connection of its own open until the engine has closed its last one,
	// because the last connection to leave empties the log.
	AtClose(ctx context.Context, log Log) error
}
