package alipay

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"panshi/internal/payment"
)

const (
	maxBill   = 200 << 20 // unpacked: some 250 bytes a line
	maxPacked = 64 << 20  // only packed is a bill ever held whole
	billTime  = 2 * time.Minute
)

var (
	_          payment.Biller = (*Account)(nil)
	errBill                   = errors.New("the bill is not a table as the platform describes it")
	errFoot                   = errors.New("the bill's totals are not the sums of its lines")
	errForeign                = errors.New("the bill is another merchant's")
)

// Bill fetches the trade bill of a day: a signed answer tells an address that
// is good for half a minute, behind it lies a zip of tables in GBK. The table
// of single trades counts, and must have the totals that it ends with.
func (a *Account) Bill(ctx context.Context, date time.Time) (payment.Bill, error) {
	ctx, cancel := context.WithTimeout(ctx, billTime)
	defer cancel()
	node, err := a.do(ctx, call{
		method: "alipay.data.dataservice.bill.downloadurl.query", repeat: true,
		content: map[string]string{"bill_type": "trade", "bill_date": date.Format(time.DateOnly)},
	})
	switch {
	case noBill(err):
		return payment.Bill{}, because(payment.ErrBillNotReady, err)
	case err != nil:
		return payment.Bill{}, err
	}
	var answer struct {
		URL string `json:"bill_download_url"`
	}
	if json.Unmarshal(node, &answer) != nil || answer.URL == "" {
		return payment.Bill{}, busy(errAnswer)
	}
	archive, err := a.download(ctx, answer.URL)
	if err != nil {
		return payment.Bill{}, busy(err)
	}
	detail, err := detailOf(archive)
	if err != nil {
		return payment.Bill{}, busy(err)
	}
	bill, err := billTable{detail, a.sellerID}.check(date)
	if err != nil {
		return payment.Bill{}, busy(err)
	}
	return bill, nil
}

func noBill(err error) bool {
	var e *platformError
	return errors.As(err, &e) && strings.Contains(strings.ReplaceAll(strings.ToLower(e.sub), "-", "_"), "bill_not_exist")
}

// download fetches the archive. Its address came signed; it must be the
// platform's by https, or the simulator's own host.
func (a *Account) download(ctx context.Context, address string) ([]byte, error) {
	u, err := url.Parse(address)
	base, err2 := url.Parse(a.base)
	if err != nil || err2 != nil {
		return nil, errAnswer
	}
	platforms := u.Scheme == "https" && strings.HasSuffix("."+u.Hostname(), ".alipay.com")
	if !platforms && (u.Host != base.Host || u.Scheme != base.Scheme) {
		return nil, errors.New("the bill's address is not at the platform")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errAnswer
	}
	req.Header.Set("User-Agent", userAgent)
	client := *a.client
	client.Timeout = 0 // the caller's context bounds it: a large bill takes longer than a question
	resp, err := client.Do(req)
	if err != nil {
		return nil, networkCause(ctx, err)
	}
	defer func() { _ = resp.Body.Close() }()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxPacked+1))
	switch {
	case err != nil:
		return nil, networkCause(ctx, err)
	case resp.StatusCode != http.StatusOK:
		return nil, fmt.Errorf("HTTP %d for the bill", resp.StatusCode)
	case len(body) > maxPacked:
		return nil, errors.New("the bill is too large")
	}
	return body, nil
}

// detailOf finds the table of single trades: of the two tables the one that is
// not the summary. File names may be GBK without saying so.
func detailOf(archive []byte) (*zip.File, error) {
	z, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		return nil, errBill
	}
	var found *zip.File
	for _, f := range z.File {
		name := f.Name
		if f.NonUTF8 {
			if name, err = simplifiedchinese.GB18030.NewDecoder().String(f.Name); err != nil {
				return nil, errBill
			}
		}
		if !strings.HasSuffix(name, ".csv") || strings.Contains(name, "汇总") {
			continue
		}
		if found != nil {
			return nil, errBill // which of them counts?
		}
		found = f
	}
	if found == nil {
		return nil, errBill
	}
	return found, nil
}
