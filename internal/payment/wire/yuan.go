package wire

import (
	"errors"
	"strconv"
	"strings"

	"panshi/internal/money"
)

var errYuan = errors.New("an amount is not spelled in yuan")

// ParseYuan reads an amount in yuan as fen, exactly: "12", "12.3", "12.34" and
// "12.3400" are amounts; "1e3", ".5", "1,000" and "0.001" are not. A minus may
// stand before it.
func ParseYuan(s string) (money.Amount, error) {
	fen, err := ParseScaled(s, 2)
	return money.Of(fen, money.CNY), err
}

// ParseScaled reads a decimal number as an integer of 10^-places. More
// decimals than places are an error unless they are zeros.
func ParseScaled(s string, places int) (int64, error) {
	digits, negative := strings.CutPrefix(s, "-")
	whole, part, dotted := strings.Cut(digits, ".")
	if whole == "" || dotted && part == "" || len(whole) > 12 || len(part) > 12 || strings.Trim(whole+part, "0123456789") != "" {
		return 0, errYuan
	}
	if len(part) > places {
		if strings.Trim(part[places:], "0") != "" {
			return 0, errYuan
		}
		part = part[:places]
	}
	n, err := strconv.ParseInt(whole+part+strings.Repeat("0", places-len(part)), 10, 64)
	if err != nil {
		return 0, errYuan
	}
	if negative {
		n = -n
	}
	return n, nil
}
