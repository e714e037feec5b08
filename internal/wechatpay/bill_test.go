package wechatpay_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/money"
	"panshi/internal/payment"
)

// tradeBill is a day as the platform lays it out: a backtick before each cell,
// a footer with names of its own.
const tradeBill = "\ufeff交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注\r\n" +
	"`2026-05-03 10:00:09,`wx1,`1900000109,`0,`,`4200000001,`P1,`o1,`NATIVE,`SUCCESS,`OTHERS,`CNY,`88.88,`0.00,`0,`0,`0.00,`0.00,`,`,`点卡,`,`0.53000,`0.60%,`88.88,`0.00,`\r\n" +
	"`2026-05-03 23:59:59,`wx1,`1900000109,`0,`,`4200000002,`P2,`o1,`JSAPI,`SUCCESS,`OTHERS,`CNY,`1.00,`0.00,`0,`0,`0.00,`0.00,`,`,`点卡,`,`0.00600,`0.60%,`1.00,`0.00,`\r\n" +
	"`2026-05-03 12:00:00,`wx1,`1900000109,`0,`,`4200000001,`P1,`o1,`NATIVE,`REFUND,`OTHERS,`CNY,`0.00,`0.00,`5030000001,`R1,`8.88,`0.00,`ORIGINAL,`SUCCESS,`点卡,`,`-0.05000,`0.60%,`0.00,`8.88,`\r\n" +
	"总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额\r\n" +
	"`3,`89.88,`8.88,`0.00,`0.48600,`89.88,`8.88\r\n"

var day = time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)

// billAt has a platform whose bill is file, announced with the digest of told.
func billAt(t *testing.T, file, told string) *platform { return billSent(t, packed(t, file), told) }

// billSent is billAt for a file that is packed already.
func billSent(t *testing.T, sent, told string) *platform {
	sum := sha1.Sum([]byte(told))
	var p *platform
	p = newPlatform(t, func(r *http.Request, _ map[string]any) reply {
		if r.URL.Path == "/v3/billdownload/file" {
			return reply{200, sent}
		}
		require.Equal(t, "/v3/bill/tradebill?bill_type=ALL&tar_type=GZIP&bill_date=2026-05-03", r.RequestURI)
		return reply{200, fmt.Sprintf(`{"hash_type":"SHA1","hash_value":%q,"download_url":%q}`,
			hex.EncodeToString(sum[:]), p.URL+"/v3/billdownload/file?token=x")}
	})
	return p
}

// packed is a file as the platform sends it: its digest is of what is in it.
func packed(t *testing.T, file string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, err := z.Write([]byte(file))
	require.NoError(t, errors.Join(err, z.Close()))
	return b.String()
}

func cny(fen int64) money.Amount { return money.Of(fen, money.CNY) }

// linesOf reads a bill twice: it gives the same each time.
func linesOf(t *testing.T, bill payment.Bill) (lines []payment.BillLine) {
	t.Helper()
	for range 2 {
		lines = nil
		for l, err := range bill.Lines {
			require.NoError(t, err)
			lines = append(lines, l)
		}
		require.Len(t, lines, int(bill.Count))
	}
	for _, err := range bill.Lines {
		require.NoError(t, err)
		break // who has enough is given no more
	}
	return lines
}

func TestBill(t *testing.T) {
	p := billAt(t, tradeBill, tradeBill)
	p.mangle = func(h http.Header) { // the file itself comes unsigned
		if p.calls.Load() > 1 {
			h.Del("Wechatpay-Signature")
		}
	}
	bill, err := p.account().Bill(t.Context(), day)
	require.NoError(t, err)
	require.Equal(t, []payment.BillLine{
		{
			Kind: payment.BillPayment, PaymentNo: "P1", TransactionID: "4200000001", Amount: cny(8888), Fee: cny(53), State: "SUCCESS",
			At: time.Date(2026, 5, 3, 2, 0, 9, 0, time.UTC),
		},
		{
			Kind: payment.BillPayment, PaymentNo: "P2", TransactionID: "4200000002", Amount: cny(100), Fee: cny(1), State: "SUCCESS",
			At: time.Date(2026, 5, 3, 15, 59, 59, 0, time.UTC),
		},
		{
			Kind: payment.BillRefund, PaymentNo: "P1", TransactionID: "4200000001", RefundNo: "R1", RefundID: "5030000001",
			Amount: cny(888), Fee: cny(-5), State: "SUCCESS", At: time.Date(2026, 5, 3, 4, 0, 0, 0, time.UTC),
		},
	}, linesOf(t, bill))
	require.Equal(t, []money.Amount{cny(8988), cny(888), cny(49)}, []money.Amount{bill.Paid, bill.GivenUp, bill.Fees})
	require.Equal(t, int32(2), p.calls.Load())
}

// A bill that is not whole is no bill.
func TestBillsRefused(t *testing.T) {
	swap := func(from, to string) string {
		require.Contains(t, tradeBill, from)
		return strings.Replace(tradeBill, from, to, 1)
	}
	lines := strings.SplitAfter(tradeBill, "\r\n")
	for name, file := range map[string]string{
		"empty": "", "no footer": strings.Join(lines[:4], ""), "line lost": strings.Join(append(lines[:2:2], lines[3:]...), ""),
		"amount":  swap("`88.88,`0.00,`\r", "`88.89,`0.00,`\r"),
		"refund":  swap("`8.88,`\r", "`8.87,`\r"),
		"fee":     swap("`0.53000", "`0.54000"),
		"count":   swap("`3,`89.88", "`4,`89.88"),
		"foreign": swap("`CNY,`88.88", "`USD,`88.88"),
		"no time": swap("`2026-05-03 10:00:09", "`yesterday"),
		"theirs":  swap("`wx1,`1900000109", "`wx1,`1900000110"),
		"more":    tradeBill + "`1\r\n",
		"odd no":  swap("`R1,", "`R\x00,"),
	} {
		_, err := billAt(t, file, file).account().Bill(t.Context(), day)
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
	}
	_, err := billAt(t, swap("点卡", "点券"), tradeBill).account().Bill(t.Context(), day)
	require.ErrorContains(t, err, "digest")
}

func TestBillNotThereYet(t *testing.T) {
	for _, code := range []string{"NO_STATEMENT_EXIST", "STATEMENT_CREATING"} {
		_, err := newPlatform(t, failing(400, code)).account().Bill(t.Context(), day)
		require.ErrorIs(t, err, payment.ErrBillNotReady, code)
	}
}

// The address of a bill is the platform's own word, and still is not followed
// to another host: it would be sent a signature of the merchant's.
func TestBillsAreFetchedFromThePlatformOnly(t *testing.T) {
	p := newPlatform(t, always(200, `{"hash_type":"SHA1","hash_value":"00","download_url":"http://192.0.2.1/bill"}`))
	_, err := p.account().Bill(t.Context(), day)
	require.ErrorContains(t, err, "not at the platform")
}
