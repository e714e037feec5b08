package wechatpay

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha1" //nolint:gosec // the platform names a bill's digest so; the file's origin is the signed answer before it
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"panshi/internal/payment"
)

// maxBill bounds a day's bill unpacked: some 300 bytes a line, 700,000 lines.
// Packed it is a tenth of that, and only packed is it ever held whole.
const (
	maxBill   = 200 << 20
	maxPacked = 64 << 20
)

// billTime bounds the download of a bill.
const billTime = 2 * time.Minute

var _ payment.Biller = (*Account)(nil)

// Bill fetches the trade bill of a day, packed. The signed answer to the question
// for it tells address and SHA-1 of what is packed; the file itself comes
// unsigned and counts only if it has that digest.
func (a *Account) Bill(ctx context.Context, date time.Time) (payment.Bill, error) {
	ctx, cancel := context.WithTimeout(ctx, billTime)
	defer cancel()
	path := "/v3/bill/tradebill?bill_type=ALL&tar_type=GZIP&bill_date=" + date.Format(time.DateOnly)
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
	digest, err := file.digest(answer.Hash)
	if err != nil {
		return payment.Bill{}, busy(err)
	}
	bill, err := billTable{file, a.mchID}.check(date)
	if err != nil {
		return payment.Bill{}, busy(err)
	}
	bill.Digest = digest
	return bill, nil
}

// billFile is a bill as it was sent: packed, unless what lies between unpacked it.
type billFile []byte

// open unpacks the file; what exceeds maxBill is cut and so has another digest.
func (f billFile) open() (io.Reader, error) {
	if !bytes.HasPrefix(f, []byte{0x1f, 0x8b}) {
		return bytes.NewReader(f), nil
	}
	z, err := gzip.NewReader(bytes.NewReader(f))
	if err != nil {
		return nil, errBill
	}
	return io.LimitReader(z, maxBill), nil
}

// digest compares the unpacked file with the SHA-1 that the platform told, and
// tells its SHA-256.
func (f billFile) digest(told string) (string, error) {
	r, err := f.open()
	if err != nil {
		return "", err
	}
	one, two := sha1.New(), sha256.New() //nolint:gosec // as above
	if _, err := io.Copy(io.MultiWriter(one, two), r); err != nil {
		return "", errBill
	}
	if !strings.EqualFold(hex.EncodeToString(one.Sum(nil)), told) {
		return "", errors.New("the bill's digest is not the one that the platform told")
	}
	return hex.EncodeToString(two.Sum(nil)), nil
}

func refusedAs(err error, code string) bool {
	var e *platformError
	return errors.As(err, &e) && canonical(e.code) == code
}

// download fetches a bill from the platform's own host, signed like a question.
func (a *Account) download(ctx context.Context, address string) (billFile, error) {
	uri, ours := strings.CutPrefix(address, a.base)
	if !ours || !strings.HasPrefix(uri, "/") {
		return nil, busy(errors.New("the bill's address is not at the platform"))
	}
	req, err := a.request(ctx, call{http.MethodGet, uri, nil, http.StatusOK})
	if err != nil {
		return nil, busy(errAnswer)
	}
	client := *a.client
	client.Timeout = 0 // the caller's context bounds it: a large bill takes longer than a question
	resp, err := client.Do(req)
	if err != nil {
		return nil, busy(networkCause(ctx, err))
	}
	defer func() { _ = resp.Body.Close() }()
	file, err := io.ReadAll(io.LimitReader(resp.Body, maxPacked+1))
	switch {
	case err != nil:
		return nil, busy(networkCause(ctx, err))
	case resp.StatusCode != http.StatusOK:
		return nil, busy(fmt.Errorf("HTTP %d for the bill", resp.StatusCode))
	case len(file) > maxPacked:
		return nil, busy(errors.New("the bill is too large"))
	}
	return file, nil
}
