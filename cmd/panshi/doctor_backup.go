package main

import (
	"fmt"
	"strings"
	"time"

	"panshi/internal/adminsock"
	"panshi/internal/money"
	"panshi/internal/order"
)

// Bounds of what the doctor calls a fresh recovery point. A quiet shop's is
// renewed every ten minutes.
const (
	pointWarn = time.Minute
	pointBad  = 15 * time.Minute
)

// doctorRecovery tells what would be lost with this machine.
func doctorRecovery(u *adminsock.Unshipped, now time.Time) []finding {
	switch {
	case u == nil:
		return nil
	case u.Point.IsZero():
		return []finding{bad("recovery", "no destination can bring anything back yet; on this machine only: %s", ordersSince(u))}
	}
	age := now.Sub(u.Point)
	text := fmt.Sprintf("%s brings back the state of %v ago; on this machine only: %s", oneLine(u.Label), age.Round(100*time.Millisecond), ordersSince(u))
	switch {
	case age > pointBad:
		return []finding{bad("recovery", "%s", text)}
	case age > pointWarn && len(u.Orders) > 0:
		return []finding{warn("recovery", "%s", text)}
	}
	return []finding{ok("recovery", "%s", text)}
}

// ordersSince says how many orders are unshipped, and what of it is money that
// came.
func ordersSince(u *adminsock.Unshipped) string {
	if len(u.Orders) == 0 {
		return "no order"
	}
	placed, paid, sums := int64(0), int64(0), []string(nil)
	for _, s := range u.Orders {
		placed, paid = placed+s.Placed, paid+s.Paid
		sums = append(sums, paidSum(s))
	}
	most := ""
	if u.More {
		most = "at least "
	}
	return fmt.Sprintf("%s%s placed, %s paid (%s)", most, plural(placed, "order"), plural(paid, "order"), strings.Join(sums, ", "))
}

func paidSum(s order.Since) string {
	return s.Currency + " " + money.Of(s.Minor, money.Currency(s.Currency)).Decimal()
}
