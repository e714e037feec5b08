package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/payment"
	"panshi/internal/reconcile"
)

// The table is for a merchant, in the merchant's language; the exit code is for
// a script.
func TestReconcileTells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	day := reconcile.Day{Date: "2026-05-03", Currency: "CNY", State: reconcile.Closed, BillCount: 2, BillPaid: 8988, OurPaid: 8988, LedgerNet: 8988, Fees: 54}
	f := &fake{reconciled: reconcile.Report{Date: day.Date, Days: []reconcile.DayReport{{Day: day, Name: "微信支付", NameEN: "WeChat Pay", Number: "1900000001"}}}}
	data := fakeShop(t, f)
	got := panshi(t, dir, "reconcile", "--data", data, "--date", day.Date)
	require.Equal(t, exitDone, got.code, got.errOut)
	for _, text := range []string{"微信支付 1900000001", "89.88", "0.54", "已关账"} {
		require.Contains(t, got.out, text)
	}
	d := &f.reconciled.Days[0]
	d.State, d.OurPaid, d.Open = reconcile.Differs, 0, 1
	d.Cases = []reconcile.Case{{
		Kind: reconcile.TheirsOnly, LineKind: payment.BillPayment, Number: "P1", TransactionID: "4200", BillAmount: 8988,
		Currency: "CNY", Remedy: reconcile.SeeHoldDesk,
	}}
	got = panshi(t, dir, "reconcile", "--data", data, "--date", day.Date, "--lang", "en")
	require.Equal(t, exitFailure, got.code)
	for _, text := range []string{"WeChat Pay", "differs", "only in the bill payment P1 (4200)", "decide on the hold desk"} {
		require.Contains(t, got.out, text)
	}
	got = panshi(t, dir, "reconcile", "--data", data, "--date", "yesterday")
	require.Equal(t, exitUsage, got.code)
	requireOneLine(t, got)
}
