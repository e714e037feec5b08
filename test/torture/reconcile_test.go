//go:build faultpoints

package torture

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"panshi/test/kit"
)

// reconcileDay: a day is reconciled through a shop that dies of it, and again,
// twice. The bills have so many lines that the shop knows nothing of: each is
// one case and stays one; without any, every day closes, once.
func reconcileDay(lines int) scenario {
	return scenario{
		name: "reconcile", faults: fmt.Sprintf(`{"bills":{"extra":%d}}`, lines),
		run: func(ctx context.Context, w *world) error {
			date := time.Now().In(time.FixedZone("CST", 8*60*60)).AddDate(0, 0, -2).Format(time.DateOnly)
			args := []string{"reconcile", "--json", "--date", date}
			if r := w.shop.Run(args...); r.Code != 1 {
				return fmt.Errorf("through a shop that dies: exit code %d instead of 1: %s%s", r.Code, r.Out, r.Err)
			}
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-w.restarted:
			}
			for range 2 {
				if err := reconciled(w.shop.Run(args...), lines); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// reconciled looks at what a run found.
func reconciled(r kit.Result, lines int) error {
	var report struct {
		Days []struct {
			State     string `json:"state"`
			Problem   string `json:"problem"`
			BillCount int    `json:"bill_count"`
			Open      int    `json:"open"`
		} `json:"days"`
	}
	code, state := 1, "differs"
	if lines == 0 {
		code, state = 0, "closed"
	}
	if r.Code != code {
		return fmt.Errorf("exit code %d instead of %d: %s%s", r.Code, code, r.Out, r.Err)
	}
	if err := json.Unmarshal([]byte(r.Out), &report); err != nil {
		return err
	}
	if len(report.Days) < 2 {
		return fmt.Errorf("%d days: %s", len(report.Days), r.Out)
	}
	for _, d := range report.Days {
		if d.State != state || d.Problem != "" || d.BillCount != lines || d.Open != lines {
			return fmt.Errorf("%+v instead of %d lines and as many cases", d, lines)
		}
	}
	return nil
}
