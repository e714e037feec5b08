//go:build !plantedsync

package sqlite

// synchronous is the setting that durability rests on.
func synchronous(cfg Config) setting {
	return setting{"synchronous", cfg.Synchronous, map[string]string{"FULL": "2", "EXTRA": "3"}[cfg.Synchronous]}
}
