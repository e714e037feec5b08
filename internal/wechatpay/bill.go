package wechatpay

import (
	"bytes"
	"context"
	"crypto/sha1" //nolint:gosec // the platform names a bill's digest so; the file's origin is the signed answer before it
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"panshi/internal/money"
	"panshi/internal/payment"
	"panshi/internal/payment/wire"
)

// maxBill bounds a day's bill: about 250 bytes a line, 400,000 lines.
const maxBill = 100 << 20

// billTime bounds the download of a bill.
const billTime = 2 * time.Minute

var _ payment.Biller = (*Account)(nil)

// Bill fetches the trade bill of a day. The signed answer to the question for
// it tells address and SHA-1; the file itself comes unsigned and counts only if
// it has that digest.
func (a *Account) Bill(ctx context.Context, date time.Time) (payment.Bill, error) {
	ctx, cancel := context.WithTimeout(ctx, billTime)
	defer cancel()
	path := "/v3/bill/tradebill?bill_type=ALL&bill_date=" + date.Format(time.DateOnly)
	raw, err := a.do(ctx, call{http.MethodGet, path, nil, http.StatusOK})
	switch {
	case errors.Is(err, payment.ErrNotFound), refusedAs(err, "NOSTATEMENTEXIST"), refusedAs(err, "STATEMENTCREATING"):
		return payment.Bill{}, because(payment.ErrBillNotReady, err)
	case err != nil:
		return payment.Bill{}, err
	}
	var answer struct {
		HashType string `json:"hash_type"`
		Hash     string `json:"hash_value"`
		URL      string `json:"download_url"`
	}
	if json.Unmarshal(raw, &answer) != nil || answer.HashType != "SHA1" || answer.URL == "" {
		return payment.Bill{}, busy(errAnswer)
	}
	file, err := a.download(ctx, answer.URL)
	if err != nil {
		return payment.Bill{}, err
	}
	sum := sha1.Sum(file) //nolint:gosec // as above
	if !strings.EqualFold(hex.EncodeToString(sum[:]), answer.Hash) {
		return payment.Bill{}, busy(errors.New("the bill's digest is not the one that the platform told"))
	}
	bill, err := parseBill(file, date)
	if err != nil {
		return payment.Bill{}, busy(err)
	}
	return bill, nil
}

func refusedAs(err error, code string) bool {
	var e *platformError
	return errors.As(err, &e) && canonical(e.code) == code
}

// download fetches a bill from the platform's own host, signed like a question.
func (a *Account) download(ctx context.Context, address string) ([]byte, error) {
	uri, ours := strings.CutPrefix(address, a.base)
	if !ours || !strings.HasPrefix(uri, "/") {
		return nil, busy(errors.New("the bill's address is not at the platform"))
	}
	req, err := a.request(ctx, call{http.MethodGet, uri, nil, http.StatusOK})
	if err != nil {
		return nil, busy(errAnswer)
	}
	resp, err := a.client.Do(req)
	if err != nil {
		return nil, busy(networkCause(ctx, err))
	}
	defer func() { _ = resp.Body.Close() }()
	file, err := io.ReadAll(io.LimitReader(resp.Body, maxBill+1))
	switch {
	case err != nil:
		return nil, busy(networkCause(ctx, err))
	case resp.StatusCode != http.StatusOK:
		return nil, busy(fmt.Errorf("HTTP %d for the bill", resp.StatusCode))
	case len(file) > maxBill:
		return nil, busy(errors.New("the bill is too large"))
	}
	return file, nil
}

// Columns of the bill, by their names in its first line.
const (
	colTime     = "交易时间"
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

// parseBill reads lines and footer and compares the two.
func parseBill(file []byte, date time.Time) (payment.Bill, error) {
	rows, err := billRows(file)
	if err != nil {
		return payment.Bill{}, err
	}
	sum := sha256.Sum256(file)
	y, m, d := date.Date()
	bill, fees := payment.Bill{
		Date: time.Date(y, m, d, 0, 0, 0, 0, wire.Beijing()), Digest: hex.EncodeToString(sum[:]),
		Paid: money.Of(0, money.CNY), GivenUp: money.Of(0, money.CNY), Fees: money.Of(0, money.CNY),
	}, int64(0)
	for _, row := range rows[:len(rows)-1] {
		line, err := row.line()
		if err != nil {
			return payment.Bill{}, err
		}
		fee, err := row.fee(colFee)
		if err != nil {
			return payment.Bill{}, err
		}
		line.Fee = money.Of(roundFee(fee), money.CNY)
		bill.Lines = append(bill.Lines, line)
		fees += fee
		if line.Kind == payment.BillRefund {
			bill.GivenUp.Minor += line.Amount.Minor
			continue
		}
		bill.Paid.Minor += line.Amount.Minor
	}
	bill.Fees.Minor = roundFee(fees)
	return bill, rows[len(rows)-1].foot(bill, fees)
}

// feePlaces is how many decimals of a yuan the platform tells of fees.
const feePlaces = 5

func (r billRow) fee(column string) (int64, error) { return wire.ParseScaled(r[column], feePlaces) }

// roundFee makes fen of a fee, halves away from zero, as the platform settles.
func roundFee(fee int64) int64 {
	if fee < 0 {
		return -roundFee(-fee)
	}
	return (fee + 500) / 1000
}

// billRow is a row by the names of its columns.
type billRow map[string]string

var (
	errBill = errors.New("the bill is not a table as the platform describes it")
	errFoot = errors.New("the bill's totals are not the sums of its lines")
)

// billRows reads the table: a line of names, lines, then a footer with names of
// its own and one line. Every cell begins with a backtick, which keeps
// spreadsheets from making numbers of it.
func billRows(file []byte) ([]billRow, error) {
	r := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(file, []byte("\xef\xbb\xbf"))))
	r.FieldsPerRecord, r.LazyQuotes = -1, true
	all, err := r.ReadAll()
	if err != nil || len(all) < 3 {
		return nil, errBill
	}
	names, footNames := all[0], all[len(all)-2]
	if names[0] != colTime || footNames[0] != footCount {
		return nil, errBill
	}
	rows := make([]billRow, 0, len(all)-2)
	for i, cells := range all[1:] {
		header := names
		switch i {
		case len(all) - 3:
			continue // the footer's names
		case len(all) - 2:
			header = footNames
		}
		row, err := named(header, cells)
		if err != nil {
			return nil, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func named(header, cells []string) (billRow, error) {
	if len(cells) != len(header) {
		return nil, errBill
	}
	row := make(billRow, len(header))
	for i, name := range header {
		row[name] = strings.TrimPrefix(cells[i], "`")
	}
	return row, nil
}

func (r billRow) line() (payment.BillLine, error) {
	at, err := time.ParseInLocation(time.DateTime, r[colTime], wire.Beijing())
	if err != nil || r[colCurrency] != string(money.CNY) || !wire.Printable(r[colTxn], 64) || !wire.Printable(r[colOrder], 64) {
		return payment.BillLine{}, errBill
	}
	line := payment.BillLine{
		Kind: payment.BillPayment, PaymentNo: r[colOrder], TransactionID: r[colTxn], State: r[colState], At: at.UTC(),
	}
	column := colTotal
	if r[colState] == "REFUND" || r[colState] == "REVOKED" {
		line.Kind, line.RefundNo, line.RefundID, line.State = payment.BillRefund, r[colRefundNo], r[colRefundID], r[colRefState]
		column = colRefund
	}
	line.Amount, err = wire.ParseYuan(r[column])
	return line, err
}

// foot compares the bill's totals with the sums of its lines.
func (r billRow) foot(bill payment.Bill, fees int64) error {
	if r[footCount] != strconv.Itoa(len(bill.Lines)) {
		return errFoot
	}
	for column, sum := range map[string]money.Amount{footTotal: bill.Paid, footRefund: bill.GivenUp} {
		told, err := wire.ParseYuan(r[column])
		if err != nil || told != sum {
			return errFoot
		}
	}
	if told, err := r.fee(footFee); err != nil || told != fees {
		return errFoot
	}
	return nil
}
