package wechatpay_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bill of 100,000 lines is never held unpacked: reading it takes a few
// megabytes, however long it is.
func TestLargeBill(t *testing.T) {
	const n = 100_000
	p := largeBill(t, n)
	var most uint64
	before := heap()
	bill, err := p.account().Bill(t.Context(), day)
	require.NoError(t, err)
	require.Equal(t, []int64{n, n * 8888}, []int64{bill.Count, bill.Paid.Minor})
	lines := 0
	for _, err := range bill.Lines {
		require.NoError(t, err)
		if lines++; lines%10_000 == 0 {
			most = max(most, heap())
		}
	}
	require.Equal(t, n, lines)
	require.Less(t, most, before+16<<20, "the table alone has 30 MB")
}

// heap is what is in use after a collection.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// largeBill is a platform whose bill has n lines.
func largeBill(t *testing.T, n int) *platform {
	t.Helper()
	lines := strings.SplitAfter(tradeBill, "\r\n")
	var b strings.Builder
	b.WriteString(lines[0])
	for i := range n {
		b.WriteString(strings.Replace(lines[1], "4200000001,`P1,", fmt.Sprintf("42%08d,`P%d,", i, i), 1))
	}
	b.WriteString(lines[4])
	yuan := fmt.Sprintf("%d.%02d", n*8888/100, n*8888%100)
	fmt.Fprintf(&b, "`%d,`%s,`0.00,`0.00,`%d.00000,`%s,`0.00\r\n", n, yuan, n*53/100, yuan)
	return billSent(t, packed(t, b.String()), b.String())
}
