//go:build plantedsync

package sqlite

import "os"

// synchronous is a planted defect: the power-loss tests build a shop with this
// tag to show that they would see an engine that syncs too little. The
// environment names the level; without one the engine does not open.
func synchronous(Config) setting {
	level := os.Getenv("PLANTED_SYNC")
	return setting{"synchronous", level, map[string]string{"OFF": "0", "NORMAL": "1", "FULL": "2"}[level]}
}
