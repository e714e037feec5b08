package demo

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"strconv"
)

// alphabet has no characters that are mistaken for each other.
const alphabet = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"

// cardFile is the file of card keys that a merchant would import for a SKU. It
// is the same in every run, so that a repeated one adds nothing.
func cardFile(sku string, count int) []byte {
	var b bytes.Buffer
	for i := range count {
		b.WriteString(cardKey(sku, i))
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// cardKey is the nth key of a SKU, DEMO-XXXX-XXXX-XXXX-XXXX. It hides nothing:
// who has this source can compute it.
func cardKey(sku string, n int) string {
	mac := hmac.New(sha256.New, []byte("panshi demo"))
	mac.Write([]byte(sku + "/" + strconv.Itoa(n)))
	sum := mac.Sum(nil)
	key := []byte("DEMO")
	for i := range 16 {
		if i%4 == 0 {
			key = append(key, '-')
		}
		key = append(key, alphabet[sum[i]&31])
	}
	return string(key)
}
