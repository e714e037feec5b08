package mirror

import (
	"time"

	"panshi/internal/backup"
)

// Gone gives the segments that retention would give up if it were now: for who
// wants to know it beforehand. Code backup_retention_unsafe.
func (r Retention) Gone(now time.Time, all []backup.Segment) ([]backup.Segment, error) {
	return r.plan(now, all)
}
