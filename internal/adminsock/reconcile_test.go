package adminsock

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/reconcile"
)

func TestReconcileOverTheSocket(t *testing.T) {
	want := reconcile.Report{Date: "2026-05-03", Days: []reconcile.DayReport{{
		Day: reconcile.Day{State: reconcile.Differs, BillPaid: 5}, Name: "微信支付", Open: 1, Cases: []reconcile.Case{{Kind: reconcile.Fee}},
	}}}
	asked := ReconcileRequest{Date: "2026-05-03", Merchant: "shop", Account: "1900000001"}
	s := serve(t, t.TempDir(), &fake{reconcile: func(_ context.Context, r ReconcileRequest, p func(ReconcileProgress)) (reconcile.Report, error) {
		require.Equal(t, asked, r)
		p(ReconcileProgress{"match", 1, 2})
		return want, reconcile.ErrDayNotOver
	}})
	var told []ReconcileProgress
	got, err := s.dial(t).Reconcile(t.Context(), asked, func(p ReconcileProgress) { told = append(told, p) })
	require.ErrorContains(t, err, reconcile.ErrDayNotOver.Code)
	require.Equal(t, want, got)
	require.Equal(t, []ReconcileProgress{{"match", 1, 2}}, told)
}
