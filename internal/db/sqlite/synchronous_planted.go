//go:build plantedsync

package sqlite

import "os"

// This file is planted defects: the power-loss tests build a shop with this tag
// to show that they would see an engine that is not durable.

// synchronous takes the level from the environment; without one the engine does
// not open.
func synchronous(Config) setting {
	level := os.Getenv("PLANTED_SYNC")
	return setting{"synchronous", level, map[string]string{"OFF": "0", "NORMAL": "1", "FULL": "2"}[level]}
}

// commit acknowledges although the disk failed, if the environment says so.
func commit(c *conn) error {
	err := c.run("COMMIT")
	if err != nil && os.Getenv("PLANTED_COMMIT") == "acknowledge" {
		_ = c.run("ROLLBACK") // fails where the failure has rolled back already
		return nil
	}
	return err
}
