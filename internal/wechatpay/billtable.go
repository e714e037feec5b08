package wechatpay

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// Columns of the bill, by their names in its first line.
const (
	colTime     = "交易时间"
	colMerchant = "商户号"
	colTxn      = "微信订单号"
	colOrder    = "商户订单号"
	colState    = "交易状态"
	colCurrency = "货币种类"
	colTotal    = "订单金额"
	colRefundID = "微信退款单号"
	colRefundNo = "商户退款单号"
	colRefund   = "申请退款金额"
	colRefState = "退款状态"
	colFee      = "手续费"

	footCount  = "总交易单数"
	footFee    = "手续费总金额"
	footTotal  = "订单总金额"
	footRefund = "申请退款总金额"
)

var (
	errBill    = errors.New("the bill is not a table as the platform describes it")
	errFoot    = errors.New("the bill's totals are not the sums of its lines")
	errForeign = errors.New("the bill is another merchant's")
)

// billTable reads a merchant's bill: a line of names, lines, then a footer with
// names of its own and one line. Every cell begins with a backtick, which keeps
// spreadsheets from making numbers of it.
type billTable struct {
	file  billFile
	mchID string
}

// check adds up all lines and compares them with the footer.
func (t billTable) check(date time.Time) (payment.Bill, error) {
	y, m, d := date.Date()
	zero := money.Of(0, money.CNY)
	bill := payment.Bill{Date: time.Date(y, m, d, 0, 0, 0, 0, wire.Beijing()), Paid: zero, GivenUp: zero, Fees: zero, Lines: t.lines}
	fees := int64(0)
	foot, err := t.read(func(l payment.BillLine, fee int64) bool {
		bill.Add(l)
		fees += fee
		return true
	})
	if err != nil {
		return payment.Bill{}, err
	}
	bill.Fees.Minor = roundFee(fees)
	return bill, foot.fits(bill, fees)
}

// lines is payment.Bill.Lines.
func (t billTable) lines(yield func(payment.BillLine, error) bool) {
	if _, err := t.read(func(l payment.BillLine, _ int64) bool { return yield(l, nil) }); err != nil {
		yield(payment.BillLine{}, err)
	}
}

// read gives line by line, with its fee in 1/1000 fen, to take until that has
// enough; then the footer.
func (t billTable) read(take func(l payment.BillLine, fee int64) bool) (foot billRow, err error) {
	file, err := t.file.open()
	if err != nil {
		return foot, err
	}
	r := csv.NewReader(file)
	r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = -1, true, true
	names, err := r.Read()
	if err != nil || strings.TrimPrefix(names[0], "\ufeff") != colTime {
		return foot, errBill
	}
	head := append([]string{colTime}, names[1:]...)
	for {
		cells, err := r.Read()
		if err != nil {
			return foot, errBill
		}
		if cells[0] == footCount {
			return footer(r, slices.Clone(cells))
		}
		line, fee, err := t.line(billRow{head, cells})
		if err != nil {
			return foot, err
		}
		if !take(line, fee) {
			return foot, nil
		}
	}
}

// footer reads the line behind the footer's names, which must be the last.
func footer(r *csv.Reader, names []string) (billRow, error) {
	cells, err := r.Read()
	if err != nil || len(cells) != len(names) {
		return billRow{}, errBill
	}
	foot := billRow{names, slices.Clone(cells)}
	if _, err := r.Read(); !errors.Is(err, io.EOF) {
		return billRow{}, errBill
	}
	return foot, nil
}

// billRow is a row with the names of its columns.
type billRow struct{ names, cells []string }

// get is the cell under a name, "" if there is no such column.
func (r billRow) get(name string) string {
	at := slices.Index(r.names, name)
	if at < 0 {
		return ""
	}
	return strings.TrimPrefix(r.cells[at], "`")
}

func (t billTable) line(r billRow) (line payment.BillLine, fee int64, err error) {
	if len(r.cells) != len(r.names) {
		return line, 0, errBill
	}
	if r.get(colMerchant) != t.mchID {
		return line, 0, errForeign
	}
	at, err := time.ParseInLocation(time.DateTime, r.get(colTime), wire.Beijing())
	txn, no, state := r.get(colTxn), r.get(colOrder), r.get(colState)
	if err != nil || r.get(colCurrency) != string(money.CNY) || !wire.Printable(txn, 64) || !wire.Printable(no, 64) {
		return line, 0, errBill
	}
	line = payment.BillLine{Kind: payment.BillPayment, PaymentNo: no, TransactionID: txn, State: state, At: at.UTC()}
	column := colTotal
	if state == "REFUND" || state == "REVOKED" {
		line.Kind, line.RefundNo, line.RefundID, line.State = payment.BillRefund, r.get(colRefundNo), r.get(colRefundID), r.get(colRefState)
		column = colRefund
	}
	for _, word := range []string{line.RefundNo, line.RefundID, line.State} {
		if word != "" && !wire.Printable(word, 64) {
			return line, 0, errBill
		}
	}
	if fee, err = r.fee(colFee); err != nil {
		return line, 0, err
	}
	line.Fee = money.Of(roundFee(fee), money.CNY)
	line.Amount, err = wire.ParseYuan(r.get(column))
	return line, fee, err
}

// feePlaces is how many decimals of a yuan the platform tells of fees.
const feePlaces = 5

func (r billRow) fee(column string) (int64, error) {
	return wire.ParseScaled(r.get(column), feePlaces)
}

// roundFee makes fen of a fee, halves away from zero, as the platform settles.
func roundFee(fee int64) int64 {
	if fee < 0 {
		return -roundFee(-fee)
	}
	return (fee + 500) / 1000
}

// fits compares the footer's totals with the sums of the lines.
func (r billRow) fits(bill payment.Bill, fees int64) error {
	if r.get(footCount) != strconv.FormatInt(bill.Count, 10) {
		return errFoot
	}
	for column, sum := range map[string]money.Amount{footTotal: bill.Paid, footRefund: bill.GivenUp} {
		told, err := wire.ParseYuan(r.get(column))
		if err != nil || told != sum {
			return errFoot
		}
	}
	if told, err := r.fee(footFee); err != nil || told != fees {
		return errFoot
	}
	return nil
}
