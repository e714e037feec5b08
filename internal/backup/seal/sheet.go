package seal

import (
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"panshi/internal/errs"
)

// Sheet is what the owner prints: it opens every backup of the shop, on a
// machine that has nothing else.
type Sheet struct {
	Shop     string
	Made     time.Time
	Identity *age.X25519Identity
	Signer   ed25519.PublicKey
}

// sheetText is a document with a format of its own, in both languages at once,
// because who reads it may have nothing but the paper; so it is in no catalogue.
const sheetText = `PANSHI RECOVERY SHEET  磐石恢复单
================================================================================

shop %s
made %s

Whoever has this sheet and one copy of the backups can read the whole shop.
Print it twice, keep both in different safe places, and keep no file of it.
持有本单和任何一份备份，即可读取店铺的全部数据。请打印两份，分处妥善保管，不要保存电子文件。

recovery-key %s

signing-key  %s

To restore on a bare machine / 在新机器上恢复:
    panshi restore --from DESTINATION --to DIRECTORY
and type both keys when asked; spaces and case do not matter.
按提示输入以上两个密钥；空格和大小写不影响。
`

// checkDigits is how many digits at the end of a typed signing key catch a slip.
// age keys bring their own.
const checkDigits = 8

// Text is the sheet as it is printed.
func (s Sheet) Text() string {
	signer := hex.EncodeToString(s.Signer)
	return fmt.Sprintf(sheetText, s.Shop, s.Made.UTC().Format("2006-01-02 15:04 MST"),
		grouped(s.Identity.String()), grouped(signer+slip(signer)))
}

func slip(signer string) string {
	sum := sha256.Sum256([]byte(signer))
	return hex.EncodeToString(sum[:])[:checkDigits]
}

// grouped writes eight characters at a time, which people can copy.
func grouped(s string) string {
	var parts []string
	for part := range slices.Chunk([]byte(s), 8) {
		parts = append(parts, string(part))
	}
	return strings.Join(parts, " ")
}

// ParseSheet reads a sheet, or the two lines of it that matter, as somebody typed
// them. Code backup_sheet_invalid.
func ParseSheet(text string) (Sheet, error) {
	var s Sheet
	for line := range strings.Lines(text) {
		label, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		value := strings.Join(strings.Fields(rest), "")
		var err error
		switch strings.ToLower(label) {
		case "shop":
			s.Shop = strings.TrimSpace(rest)
		case "recovery-key":
			s.Identity, err = age.ParseX25519Identity(strings.ToUpper(value))
		case "signing-key":
			s.Signer, err = parseSigner(strings.ToLower(value))
		}
		if err != nil {
			return Sheet{}, sheetInvalid(label, err)
		}
	}
	if s.Identity == nil || s.Signer == nil {
		return Sheet{}, sheetInvalid("recovery-key, signing-key", errors.New("a line is missing"))
	}
	return s, nil
}

func parseSigner(digits string) (ed25519.PublicKey, error) {
	key, found := strings.CutSuffix(digits, slip(digits[:max(0, len(digits)-checkDigits)]))
	raw, err := hex.DecodeString(key)
	if err != nil || !found || len(raw) != ed25519.PublicKeySize {
		return nil, errors.New("not a signing key")
	}
	return raw, nil
}

// sheetInvalid quotes nothing of what was typed.
func sheetInvalid(line string, err error) error {
	_ = err // age's errors may quote the key
	return errs.New(errs.Invalid, "backup_sheet_invalid", "a line of the recovery sheet is missing or has a slip").With("line", line)
}

// Reader gives what opens objects with this sheet.
func (s Sheet) Reader() Reader {
	return Reader{Signer: s.Signer, Identities: []age.Identity{s.Identity}}
}

// String keeps the sheet out of logs; Text is for the printer.
func (Sheet) String() string { return "[recovery sheet]" }

// GoString keeps the sheet out of logs.
func (Sheet) GoString() string { return "[recovery sheet]" }
