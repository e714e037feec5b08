package seal

import (
	"crypto/ed25519"
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"panshi/internal/backup/shamir"
	"panshi/internal/errs"
)

// Shares collects shares, line by line, as they are typed or read. The zero
// value has none.
type Shares struct {
	all    []*Share // the last one is being typed
	lines  []int    // of the last one; those of the key that are there
	signer ed25519.PublicKey
}

// Line takes one line. Lines that are none of a share are passed over. After an
// error everything is as it was before, so that the line may be typed again.
// Codes backup_share_invalid with the line, backup_share_foreign,
// backup_share_twice.
func (c *Shares) Line(line string) error {
	label, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
	label = strings.ToLower(label)
	switch {
	case label == "share":
		return c.begin(rest)
	case label == "signing-key":
		return c.sign(rest)
	case regexp.MustCompile(`^key-[1-9]$`).MatchString(label):
		return c.key(label, rest)
	}
	return nil
}

// digitsOf takes what people read for a digit as that digit.
func digitsOf(typed string) string {
	return strings.NewReplacer("o", "0", "l", "1", "i", "1", "-", "").Replace(strings.ToLower(strings.Join(strings.Fields(typed), "")))
}

func (c *Shares) begin(typed string) error {
	m := regexp.MustCompile(`^([1-9])([1-9])([1-9])([0-9a-f]{8})([0-9a-f]{4})$`).FindStringSubmatch(digitsOf(typed))
	if m == nil || crc16(m[1]+m[2]+m[3]+m[4]) != m[5] {
		return c.invalid("share")
	}
	if n := len(c.all); n > 0 && len(c.lines) < keyLines {
		return c.invalid(fmt.Sprintf("key-%d", missing(c.lines)))
	}
	s := &Share{Set: m[4], value: make([]byte, scalarSize)}
	for i, to := range []*int{&s.Number, &s.Of, &s.Threshold} {
		*to, _ = strconv.Atoi(m[i+1]) // one digit
	}
	for _, other := range c.all {
		if other.Set != s.Set || other.Threshold != s.Threshold {
			return foreign(m[1])
		}
		if other.Number == s.Number {
			return errs.New(errs.Invalid, "backup_share_twice", "recovery share "+m[1]+" is there already; another one is needed").With("share", m[1])
		}
	}
	c.all, c.lines = append(c.all, s), nil
	return nil
}

// missing is the first line of the key that is not there.
func missing(lines []int) int {
	for i := range keyLines {
		if !slices.Contains(lines, i+1) {
			return i + 1
		}
	}
	return 0
}

func (c *Shares) key(label, typed string) error {
	n := int(label[len(label)-1] - '0')
	if len(c.all) == 0 {
		return c.invalid("share")
	}
	s, digits := c.all[len(c.all)-1], digitsOf(typed)
	const size = scalarSize / keyLines
	if n > keyLines || len(digits) != 2*size+lineDigits || s.lineCheck(n, digits[:2*size]) != digits[2*size:] {
		return c.invalid(label)
	}
	raw, err := hex.DecodeString(digits[:2*size])
	if err != nil {
		return c.invalid(label)
	}
	copy(s.value[(n-1)*size:], raw)
	if !slices.Contains(c.lines, n) {
		c.lines = append(c.lines, n)
	}
	return nil
}

func (c *Shares) sign(typed string) error {
	signer, err := parseSigner(digitsOf(typed))
	if err != nil {
		return c.invalid("signing-key")
	}
	if c.signer != nil && !c.signer.Equal(signer) {
		return foreign(c.current())
	}
	c.signer = signer
	return nil
}

func foreign(share string) error {
	return errs.New(errs.Invalid, "backup_share_foreign", "recovery share "+share+" belongs to another recovery key than the first one").
		With("share", share)
}

// current is the number of the share that is being typed.
func (c *Shares) current() string {
	if len(c.all) == 0 {
		return "?"
	}
	return strconv.Itoa(c.all[len(c.all)-1].Number)
}

// invalid quotes nothing of what was typed.
func (c *Shares) invalid(line string) error {
	return errs.New(errs.Invalid, "backup_share_invalid", fmt.Sprintf("line %s of recovery share %s is missing or has a slip", line, c.current())).
		With("share", c.current()).With("line", line)
}

// Next says what is to be typed next; "" if everything is there.
func (c *Shares) Next() string {
	switch {
	case len(c.all) == 0:
		return "share"
	case len(c.lines) < keyLines:
		return fmt.Sprintf("key-%d", missing(c.lines))
	case c.signer == nil:
		return "signing-key"
	case len(c.all) < c.all[0].Threshold:
		return "share"
	}
	return ""
}

// Sheet gives the sheet that the shares stand for. Codes backup_shares_few,
// backup_share_invalid, backup_shares_wrong (they do not fit together although
// every line is sound).
func (c *Shares) Sheet() (Sheet, error) {
	switch next := c.Next(); {
	case len(c.all) == 0, next == "share":
		need := "2"
		if len(c.all) > 0 {
			need = strconv.Itoa(c.all[0].Threshold)
		}
		have := strconv.Itoa(len(c.all))
		return Sheet{}, errs.New(errs.Invalid, "backup_shares_few", "there are "+have+" recovery shares and "+need+" are needed").
			With("have", have).With("need", need)
	case next != "":
		return Sheet{}, c.invalid(next)
	}
	var points []shamir.Share
	for _, s := range c.all[:c.all[0].Threshold] {
		points = append(points, shamir.Share{X: byte(s.Number), Y: s.value})
	}
	scalar, err := shamir.Combine(points)
	if err != nil {
		return Sheet{}, sharesWrong(err)
	}
	defer clear(scalar)
	s := Sheet{Signer: c.signer}
	if s.Identity, err = identityOf(scalar); err != nil {
		return Sheet{}, sharesWrong(err)
	}
	if setOf(s) != c.all[0].Set {
		return Sheet{}, sharesWrong(nil)
	}
	return s, nil
}

func sharesWrong(err error) error {
	return errs.Wrap(err, errs.Invalid, "backup_shares_wrong", "these recovery shares do not fit together")
}
