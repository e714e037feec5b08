package alipay

import (
	"encoding/csv"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// Columns of the table, by their names in its first line that is no comment.
const (
	colTxn      = "支付宝交易号"
	colOrder    = "商户订单号"
	colKind     = "业务类型"
	colDone     = "完成时间"
	colTotal    = "订单金额（元）"
	colRefundNo = "退款批次号/请求号"
	colFee      = "服务费（元）"
)

// parseBill reads the table and compares its lines with the totals in the
// comments that it ends with.
func parseBill(text string, date time.Time) (payment.Bill, error) {
	y, m, d := date.Date()
	zero := money.Of(0, money.CNY)
	bill := payment.Bill{Date: time.Date(y, m, d, 0, 0, 0, 0, wire.Beijing()), Paid: zero, GivenUp: zero, Fees: zero}
	rows, err := billRows(text)
	if err != nil {
		return payment.Bill{}, err
	}
	for _, row := range rows {
		line, err := row.line()
		if err != nil {
			return payment.Bill{}, err
		}
		bill.Lines = append(bill.Lines, line)
		bill.Fees.Minor += line.Fee.Minor
		if line.Kind == payment.BillRefund {
			bill.GivenUp.Minor += line.Amount.Minor
		} else {
			bill.Paid.Minor += line.Amount.Minor
		}
	}
	return bill, checkTotals(text, bill.Lines)
}

// billRow is a row by the names of its columns.
type billRow map[string]string

// billRows reads all lines that are no comments. Cells end in tabs, which keep
// spreadsheets from making numbers of them.
func billRows(text string) ([]billRow, error) {
	r := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "\ufeff")))
	r.Comment, r.FieldsPerRecord, r.LazyQuotes = '#', -1, true
	all, err := r.ReadAll()
	if err != nil || len(all) == 0 {
		return nil, errBill
	}
	names := trimmed(all[0])
	if names[0] != colTxn {
		return nil, errBill
	}
	rows := make([]billRow, 0, len(all)-1)
	for _, cells := range all[1:] {
		if len(cells) != len(names) {
			return nil, errBill
		}
		row := make(billRow, len(names))
		for i, cell := range trimmed(cells) {
			row[names[i]] = cell
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func trimmed(cells []string) []string {
	for i, cell := range cells {
		cells[i] = strings.TrimSpace(cell)
	}
	return cells
}

func (r billRow) line() (payment.BillLine, error) {
	at, err := time.ParseInLocation(time.DateTime, r[colDone], wire.Beijing())
	if err != nil || !wire.Printable(r[colTxn], 64) || !wire.Printable(r[colOrder], 64) {
		return payment.BillLine{}, errBill
	}
	line := payment.BillLine{
		Kind: payment.BillPayment, PaymentNo: r[colOrder], TransactionID: r[colTxn], State: r[colKind], At: at.UTC(),
	}
	if line.Amount, err = wire.ParseYuan(r[colTotal]); err != nil {
		return payment.BillLine{}, err
	}
	fee, err := wire.ParseYuan(r[colFee])
	if err != nil {
		return payment.BillLine{}, err
	}
	line.Fee = fee.Neg() // the table has what the merchant gets: -0.03 is a fee of 3 fen
	switch r[colKind] {
	case "交易":
	case "退款":
		line.Kind, line.RefundNo, line.RefundID = payment.BillRefund, r[colRefundNo], refundID(r[colTxn], r[colRefundNo])
		line.Amount = line.Amount.Neg()
	default:
		return payment.BillLine{}, errBill
	}
	if line.Amount.Minor < 0 {
		return payment.BillLine{}, errBill
	}
	return line, nil
}

// totals are the comments that tell how many lines of each kind there are. The
// sums beside the counts are of what the merchant got after the platform's own
// discounts, which lines do not show alone; the counts tell a cut table.
var totals = regexp.MustCompile(`(?m)^#(交易|退款)合计：(\d+)笔`)

func checkTotals(text string, lines []payment.BillLine) error {
	told := map[string]int{}
	for _, m := range totals.FindAllStringSubmatch(text, -1) {
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return errFoot
		}
		told[m[1]] = n
	}
	counted := map[string]int{"交易": 0, "退款": 0}
	for _, l := range lines {
		if l.Kind == payment.BillRefund {
			counted["退款"]++
		} else {
			counted["交易"]++
		}
	}
	if fmt.Sprint(told) != fmt.Sprint(counted) {
		return errFoot
	}
	return nil
}
