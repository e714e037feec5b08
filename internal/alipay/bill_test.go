package alipay_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/simplifiedchinese"

	"panshi/internal/payment"
)

// table is a bill as the platform lays it out: comments around, tabs in cells.
const table = `#支付宝业务明细查询
#账号：[20880000000000010156]
#起始日期：[2026年05月03日 00:00:00]   终止日期：[2026年05月04日 00:00:00]
#-----------------------------------------业务明细列表----------------------------------------
支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,集分宝（元）,支付宝优惠（元）,商家优惠（元）,券核销金额（元）,券名称,商家红包消费金额（元）,卡消费金额（元）,退款批次号/请求号,服务费（元）,分润（元）,备注
T1	,P1	,交易	,"磐石, 订单	",2026-05-03 10:00:00	,2026-05-03 10:00:09	,	,	,	,	,*明(a***@x)	,88.88	,88.88	,0.00	,0.00	,0.00	,0.00	,0.00	,	,0.00	,0.00	,	,-0.53	,0.00	,	
T2	,P2	,交易	,x	,2026-05-03 10:00:00	,2026-05-03 23:59:59	,	,	,	,	,*	,1	,1	,0.00	,0.00	,0.00	,0.00	,0.00	,	,0.00	,0.00	,	,0.00	,0.00	,	
T1	,P1	,退款	,x	,2026-05-03 10:00:00	,2026-05-03 12:00:00	,	,	,	,	,*	,-8.88	,-8.88	,0.00	,0.00	,0.00	,0.00	,0.00	,	,0.00	,0.00	,R1	,0.05	,0.00	,	
#-----------------------------------------业务明细列表结束------------------------------------
#交易合计：2笔，商家实收共89.88元，商家优惠共0.00元
#退款合计：1笔，商家实收退款共-8.88元，商家优惠退款共0.00元
#导出时间：[2026年05月04日 10:00:00]
`

func archive(t *testing.T, files map[string]string) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, text := range files {
		encoded, err := simplifiedchinese.GB18030.NewEncoder().String(text)
		require.NoError(t, err)
		gbk, err := simplifiedchinese.GBK.NewEncoder().String(name)
		require.NoError(t, err)
		w, err := z.CreateHeader(&zip.FileHeader{Name: gbk, NonUTF8: true, Method: zip.Deflate})
		require.NoError(t, err)
		_, err = io.WriteString(w, encoded)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// billAt has a platform whose bill is file.
func billAt(t *testing.T, file []byte) *platform {
	p := newPlatform(t)
	p.raw = func(w http.ResponseWriter) bool {
		forms := p.asked()
		if len(forms[len(forms)-1]) > 0 {
			return false
		}
		_, _ = w.Write(file)
		return true
	}
	p.answer = func(form url.Values, content map[string]any) string {
		require.Equal(t, map[string]any{"bill_type": "trade", "bill_date": "2026-05-03"}, content)
		return `{"code":"10000","bill_download_url":"` + p.server.URL + `/bill?x=1"}`
	}
	return p
}

var day = time.Date(2026, 5, 3, 0, 0, 0, 0, time.UTC)

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
	p := billAt(t, archive(t, map[string]string{"2088_20260503_业务明细.csv": table, "2088_20260503_业务明细(汇总).csv": "#x"}))
	bill, err := p.account(config()).Bill(t.Context(), day)
	require.NoError(t, err)
	require.Equal(t, []payment.BillLine{
		{
			Kind: payment.BillPayment, PaymentNo: "P1", TransactionID: "T1", Amount: yuan(8888), Fee: yuan(53), State: "交易",
			At: time.Date(2026, 5, 3, 2, 0, 9, 0, time.UTC),
		},
		{
			Kind: payment.BillPayment, PaymentNo: "P2", TransactionID: "T2", Amount: yuan(100), Fee: yuan(0), State: "交易",
			At: time.Date(2026, 5, 3, 15, 59, 59, 0, time.UTC),
		},
		{
			Kind: payment.BillRefund, PaymentNo: "P1", TransactionID: "T1", RefundNo: "R1", RefundID: "T1-R1", Amount: yuan(888),
			Fee: yuan(-5), State: "退款", At: time.Date(2026, 5, 3, 4, 0, 0, 0, time.UTC),
		},
	}, linesOf(t, bill))
	require.Equal(t, []int64{8988, 888, 48}, []int64{bill.Paid.Minor, bill.GivenUp.Minor, bill.Fees.Minor})
	require.Len(t, bill.Digest, 64)
}

// A bill that is not whole is no bill.
func TestBillsRefused(t *testing.T) {
	lines := strings.Split(table, "\n")
	for name, file := range map[string][]byte{
		"no zip":      []byte(table),
		"cut":         archive(t, map[string]string{"a.csv": table})[:200],
		"no table":    archive(t, map[string]string{"业务明细(汇总).csv": table}),
		"two tables":  archive(t, map[string]string{"a.csv": table, "b.csv": table}),
		"line lost":   archive(t, map[string]string{"a.csv": strings.Join(append(lines[:5:5], lines[6:]...), "\n")}),
		"no totals":   archive(t, map[string]string{"a.csv": strings.Join(lines[:8], "\n")}),
		"other kind":  archive(t, map[string]string{"a.csv": strings.Replace(table, ",交易\t,x", ",转账\t,x", 1)}),
		"odd amount":  archive(t, map[string]string{"a.csv": strings.Replace(table, "88.88\t,88.88", "1e3\t,88.88", 1)}),
		"theirs":      archive(t, map[string]string{"a.csv": strings.Replace(table, "[2088000000000001", "[2088000000000002", 1)}),
		"odd count":   archive(t, map[string]string{"a.csv": strings.Replace(table, "2笔", "二笔", 1)}),
		"odd no":      archive(t, map[string]string{"a.csv": strings.Replace(table, ",R1\t", ",R\x00\t", 1)}),
		"column gone": archive(t, map[string]string{"a.csv": strings.Replace(table, "服务费（元）", "手续费", 1)}),
	} {
		_, err := billAt(t, file).account(config()).Bill(t.Context(), day)
		require.ErrorIs(t, err, payment.ErrProviderBusy, name)
	}
}

func TestBillNotThereYet(t *testing.T) {
	p := newPlatform(t)
	p.answer = always(`{"code":"40004","sub_code":"isp.bill_not_exist"}`)
	_, err := p.account(config()).Bill(t.Context(), day)
	require.ErrorIs(t, err, payment.ErrBillNotReady)
}

func TestBillsAreFetchedFromThePlatformOnly(t *testing.T) {
	p := newPlatform(t)
	p.answer = always(`{"code":"10000","bill_download_url":"http://192.0.2.1/bill"}`)
	_, err := p.account(config()).Bill(t.Context(), day)
	require.ErrorContains(t, err, "not at the platform")
}
