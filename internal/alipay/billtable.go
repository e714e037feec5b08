package alipay

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/transform"

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

	linePayment = "交易" // the kinds of lines
	lineRefund  = "退款"
)

// billTable reads a seller's table of single trades: comments around it, and at
// the end of each cell a tab, which keeps spreadsheets from making numbers of it.
type billTable struct {
	file   *zip.File // its archive stays in memory, packed
	seller string
}

// check adds up all lines and compares them with what the comments say.
func (t billTable) check(date time.Time) (payment.Bill, error) {
	y, m, d := date.Date()
	zero := money.Of(0, money.CNY)
	bill := payment.Bill{Date: time.Date(y, m, d, 0, 0, 0, 0, wire.Beijing()), Paid: zero, GivenUp: zero, Fees: zero, Lines: t.lines}
	counted := map[string]int64{linePayment: 0, lineRefund: 0}
	sum := sha256.New()
	told, err := t.read(sum, func(l payment.BillLine) bool {
		bill.Add(l)
		bill.Fees.Minor += l.Fee.Minor
		counted[l.State]++
		return true
	})
	switch {
	case err != nil:
		return payment.Bill{}, err
	case told.account != "" && !strings.HasPrefix(told.account, t.seller):
		return payment.Bill{}, errForeign
	case told.odd || !maps.Equal(told.counts, counted):
		return payment.Bill{}, errFoot
	}
	bill.Digest = hex.EncodeToString(sum.Sum(nil))
	return bill, nil
}

// lines is payment.Bill.Lines.
func (t billTable) lines(yield func(payment.BillLine, error) bool) {
	if _, err := t.read(io.Discard, func(l payment.BillLine) bool { return yield(l, nil) }); err != nil {
		yield(payment.BillLine{}, err)
	}
}

// read gives line by line to take until that has enough, and what the comments
// said until then. The bytes of the table go to sum.
func (t billTable) read(sum io.Writer, take func(payment.BillLine) bool) (remarks, error) {
	told := remarks{counts: map[string]int64{}}
	f, err := t.file.Open()
	if err != nil {
		return told, errBill
	}
	defer func() { _ = f.Close() }()
	plain := transform.NewReader(io.TeeReader(io.LimitReader(f, maxBill), sum), simplifiedchinese.GB18030.NewDecoder())
	r := csv.NewReader(io.TeeReader(plain, &told))
	r.Comment, r.FieldsPerRecord, r.LazyQuotes, r.ReuseRecord = '#', -1, true, true
	var names []string
	for {
		cells, err := r.Read()
		switch {
		case errors.Is(err, io.EOF) && names != nil:
			told.note() // of a last line that nothing ends
			return told, nil
		case err != nil:
			return told, errBill
		}
		trim(cells)
		if names == nil {
			names = slices.Clone(cells)
			names[0] = strings.TrimPrefix(names[0], "\ufeff")
			if names[0] != colTxn {
				return told, errBill
			}
			continue
		}
		line, err := billRow{names, cells}.line()
		if err != nil || !take(line) {
			return told, err
		}
	}
}

func trim(cells []string) {
	for i, cell := range cells {
		cells[i] = strings.TrimSpace(cell)
	}
}

// billRow is a row with the names of its columns.
type billRow struct{ names, cells []string }

// get is the cell under a name, "" if there is no such column.
func (r billRow) get(name string) string {
	at := slices.Index(r.names, name)
	if at < 0 {
		return ""
	}
	return r.cells[at]
}

func (r billRow) line() (payment.BillLine, error) {
	if len(r.cells) != len(r.names) {
		return payment.BillLine{}, errBill
	}
	at, err := time.ParseInLocation(time.DateTime, r.get(colDone), wire.Beijing())
	if err != nil || !wire.Printable(r.get(colTxn), 64) || !wire.Printable(r.get(colOrder), 64) {
		return payment.BillLine{}, errBill
	}
	line := payment.BillLine{
		Kind: payment.BillPayment, PaymentNo: r.get(colOrder), TransactionID: r.get(colTxn), State: r.get(colKind), At: at.UTC(),
	}
	if line.Amount, err = wire.ParseYuan(r.get(colTotal)); err != nil {
		return payment.BillLine{}, err
	}
	fee, err := wire.ParseYuan(r.get(colFee))
	if err != nil {
		return payment.BillLine{}, err
	}
	line.Fee = fee.Neg() // the table has what the merchant gets: -0.03 is a fee of 3 fen
	switch r.get(colKind) {
	case linePayment:
	case lineRefund:
		line.Kind, line.RefundNo, line.RefundID = payment.BillRefund, r.get(colRefundNo), refundID(r.get(colTxn), r.get(colRefundNo))
		line.Amount = line.Amount.Neg()
	default:
		return payment.BillLine{}, errBill
	}
	if line.Amount.Minor < 0 || line.RefundNo != "" && !wire.Printable(line.RefundNo, 64) {
		return payment.BillLine{}, errBill
	}
	return line, nil
}

// remarks are what comments say that stand around the table: whose it is, and
// how many lines of each kind there are. The sums beside the counts are of what
// the merchant got after the platform's own discounts, which lines do not show
// alone; the counts tell a cut table.
type remarks struct {
	account string
	counts  map[string]int64
	line    []byte // the beginning of the line that is being read
	odd     bool   // a count is no number
}

// maxRemark is how much of a line is looked at.
const maxRemark = 1024

// Write implements io.Writer: it is given the table as it is read.
func (m *remarks) Write(text []byte) (int, error) {
	for line := range bytes.Lines(text) {
		m.line = append(m.line, line[:min(len(line), maxRemark-len(m.line))]...)
		if line[len(line)-1] == '\n' {
			m.note()
		}
	}
	return len(text), nil
}

// note takes the line that ended into account.
func (m *remarks) note() {
	text := string(m.line)
	m.line = m.line[:0]
	if account, ok := strings.CutPrefix(text, "#账号：["); ok {
		m.account, _, _ = strings.Cut(account, "]")
	}
	for _, kind := range []string{linePayment, lineRefund} {
		rest, ok := strings.CutPrefix(text, "#"+kind+"合计：")
		if !ok {
			continue
		}
		number, _, _ := strings.Cut(rest, "笔")
		n, err := strconv.ParseInt(number, 10, 64)
		m.counts[kind], m.odd = n, m.odd || err != nil
	}
}
