package adminsock

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Backups is what commands have a running shop do about its backups. The
// composition root implements it on an open shop, Client on one that runs in
// another process.
type Backups interface {
	// BackupNow ships, writes a whole copy, and waits until every destination has
	// it or until r.Wait has passed. Code shop_not_running for a shop that stands
	// still.
	BackupNow(ctx context.Context, r BackupNowRequest, progress func(BackupNowProgress)) (BackupNowReport, error)
}

// BackupNowRequest says how long it is waited.
type BackupNowRequest struct {
	Wait time.Duration `json:"wait_ns"` // for destinations
}

// BackupNowProgress tells how far it is: of Total destinations Done have it.
type BackupNowProgress struct {
	Step  string `json:"step"` // "full", "copy"
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
}

// BackupNowReport tells what was made and who has it.
type BackupNowReport struct {
	Generation   string        `json:"generation"`
	Transaction  uint64        `json:"transaction"` // the newest in it
	Time         time.Time     `json:"time"`        // of the whole copy
	Bytes        int64         `json:"bytes"`       // of it, in the spool
	Took         time.Duration `json:"took_ns"`
	Destinations []CopyNow     `json:"destinations"`
}

// CopyNow is how a destination stands with it.
type CopyNow struct {
	Label   string `json:"label"`
	Has     bool   `json:"has"`               // it is there, and a signed manifest lists it
	Failure string `json:"failure,omitempty"` // code of what keeps the destination from it
}

var _ Backups = (*Client)(nil)

// BackupNow implements Backups.
func (c *Client) BackupNow(ctx context.Context, r BackupNowRequest, progress func(BackupNowProgress)) (report BackupNowReport, err error) {
	err = c.do(ctx, ask{method: http.MethodPost, path: "/v1/backup_now", request: r, heard: func(raw json.RawMessage) error {
		var p BackupNowProgress
		err := json.Unmarshal(raw, &p)
		progress(p)
		return err
	}}, &report)
	return report, err
}

func (s *server) backupNow(ctx context.Context, c call) (any, error) {
	var r BackupNowRequest
	if err := c.request(&r); err != nil {
		return nil, err
	}
	return s.backups.BackupNow(ctx, r, func(p BackupNowProgress) { c.tell(p) })
}
