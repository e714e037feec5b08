//go:build !plantedsync

package sqlite

// synchronous is the setting that durability rests on.
func synchronous(cfg Config) setting {
	return setting{"synchronous", cfg.Synchronous, map[string]string{"FULL": "2", "EXTRA": "3"}[cfg.Synchronous]}
}

// commit ends a transaction: without an error it is on the disk.
func commit(c *conn) error { return c.run("COMMIT") }
