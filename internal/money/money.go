package money

import (
	"fmt"
	"math"
	"math/bits"

	"panshi/internal/errs"
)

// Currency is an ISO 4217 code.
type Currency string

// CNY is the currency of WeChat Pay and Alipay in mainland China.
const CNY Currency = "CNY"

// Amount is a sum in minor units of a currency.
type Amount struct {
	Minor    int64
	Currency Currency
}

// Of returns minor units of a currency.
func Of(minor int64, currency Currency) Amount { return Amount{Minor: minor, Currency: currency} }

// Add gives a + b; it fails if the currencies differ or the sum overflows.
func (a Amount) Add(b Amount) (Amount, error) {
	if a.Currency != b.Currency {
		return Amount{}, errs.New(errs.Invalid, "currency_mismatch", "amounts of different currencies cannot be added")
	}
	sum := a.Minor + b.Minor
	if (b.Minor > 0 && sum < a.Minor) || (b.Minor < 0 && sum > a.Minor) {
		return Amount{}, overflow()
	}
	return Amount{sum, a.Currency}, nil
}

// Times gives a times n; it fails if the product overflows or n is negative.
func (a Amount) Times(n int64) (Amount, error) {
	if n < 0 || a.Minor < 0 {
		return Amount{}, overflow()
	}
	hi, lo := bits.Mul64(uint64(a.Minor), uint64(n))
	if hi != 0 || lo > math.MaxInt64 {
		return Amount{}, overflow()
	}
	return Amount{int64(lo), a.Currency}, nil
}

// Neg gives -a, the other leg of a posting.
func (a Amount) Neg() Amount { return Amount{-a.Minor, a.Currency} }

// String gives major units with two decimals and the currency, for people.
func (a Amount) String() string { return a.Decimal() + " " + string(a.Currency) }

// Decimal gives major units with two decimals: 1999 is "19.99".
func (a Amount) Decimal() string {
	sign, minor := "", uint64(a.Minor)
	if a.Minor < 0 {
		sign, minor = "-", -minor
	}
	return fmt.Sprintf("%s%d.%02d", sign, minor/100, minor%100)
}

func overflow() error {
	return errs.New(errs.Invalid, "amount_out_of_range", "the amount is too large")
}
