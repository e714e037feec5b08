package seal

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"panshi/internal/backup/shamir"
	"panshi/internal/errs"
)

// Share is one of the sheets that stand for a recovery sheet together: any
// Threshold of them open every backup of the shop, fewer open and tell nothing.
type Share struct {
	Shop      string
	Made      time.Time
	Set       string // which shares belong together: of the recovery recipient, 8 hexadecimal digits
	Number    int    // from 1
	Of        int
	Threshold int
	Signer    ed25519.PublicKey
	value     []byte
}

const (
	// keyLines is in how many lines a share is typed.
	keyLines = 4
	// lineDigits are the digits of crc16.
	lineDigits = 4
	// maxShares is how many people may hold one.
	maxShares = 9
)

// shareText is a document like sheetText.
const shareText = `PANSHI RECOVERY SHARE %d OF %d  磐石恢复份额
================================================================================

shop %s
made %s

Any %d of the %d shares open every backup of the shop. One alone opens nothing.
Give each to another person or place, and keep no file of it.
任意 %d 份（共 %d 份）即可打开店铺的全部备份，单独一份无法打开任何内容。
请分别交由不同的人或存放于不同地点，不要保存电子文件。

share  %s
%s
signing-key  %s

To restore on a bare machine / 在新机器上恢复:
    panshi restore --from DESTINATION --to DIRECTORY --share -
and type the lines of %d shares when asked; spaces and case do not matter.
按提示依次输入 %d 份份额的各行；空格和大小写不影响。
`

// Split makes shares of a sheet. Code backup_shares_counts.
func (s Sheet) Split(threshold, of int) ([]Share, error) {
	if threshold < 2 || threshold > of || of > maxShares {
		return nil, errs.Field("shares", "backup_shares_counts", "there are 2 to 9 shares, and 2 to all of them are needed")
	}
	secret := scalarOf(s.Identity)
	defer clear(secret)
	values, err := shamir.Split(secret, threshold, of, rand.Reader)
	if err != nil {
		return nil, drawFailed(err)
	}
	shares := make([]Share, of)
	for i, v := range values {
		shares[i] = Share{
			Shop: s.Shop, Made: s.Made, Set: setOf(s), Number: int(v.X), Of: of, Threshold: threshold, Signer: s.Signer, value: v.Y,
		}
	}
	return shares, nil
}

// setOf names what the shares of a sheet have in common: of the public half, so
// that it tells nothing of the other.
func setOf(s Sheet) string {
	sum := sha256.Sum256([]byte(s.Identity.Recipient().String()))
	return hex.EncodeToString(sum[:4])
}

// Text is the share as it is printed.
func (s Share) Text() string {
	var lines strings.Builder
	for i := range keyLines {
		part := hex.EncodeToString(s.value[i*scalarSize/keyLines : (i+1)*scalarSize/keyLines])
		fmt.Fprintf(&lines, "key-%d  %s\n", i+1, inFours(part+s.lineCheck(i+1, part)))
	}
	signer := hex.EncodeToString(s.Signer)
	head := fmt.Sprintf("%d%d%d%s", s.Number, s.Of, s.Threshold, s.Set)
	return fmt.Sprintf(shareText, s.Number, s.Of, s.Shop, s.Made.UTC().Format("2006-01-02 15:04 MST"), s.Threshold, s.Of, s.Threshold, s.Of,
		fmt.Sprintf("%d %d %d %s %s", s.Number, s.Of, s.Threshold, s.Set, crc16(head)), lines.String(),
		grouped(signer+slip(signer)), s.Threshold, s.Threshold)
}

// lineCheck catches a slip in a line, and a line that belongs elsewhere.
func (s Share) lineCheck(line int, digits string) string {
	return crc16(fmt.Sprintf("%s %d %d %s", s.Set, s.Number, line, digits))
}

// crc16 is CRC-16/CCITT-FALSE, 4 digits: it catches every single wrong character
// and every two that changed places, where a hash would miss one in 65,536.
func crc16(text string) string {
	sum := uint16(0xffff)
	for _, b := range []byte(text) {
		sum ^= uint16(b) << 8
		for range 8 {
			sum = sum<<1 ^ sum>>15*0x1021
		}
	}
	return fmt.Sprintf("%04x", sum)
}

// inFours writes four characters at a time: each group is short enough to be
// read over a telephone.
func inFours(s string) string {
	var out strings.Builder
	for i := range len(s) {
		if i > 0 && i%4 == 0 {
			out.WriteByte(' ')
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

// String keeps a share out of logs; Text is for the printer.
func (Share) String() string { return "[recovery share]" }

// GoString keeps a share out of logs.
func (Share) GoString() string { return "[recovery share]" }
