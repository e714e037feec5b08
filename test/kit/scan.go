package kit

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// Scanner looks for secrets in files, in the forms in which programs write
// them.
type Scanner struct {
	needles []needle
}

type needle struct {
	bytes []byte
	form  string
}

// NewScanner looks for each secret as UTF-8, UTF-16, hexadecimal and base64 at
// any offset.
func NewScanner(secrets ...string) *Scanner {
	s := &Scanner{}
	for _, secret := range secrets {
		for form, text := range Forms(secret) {
			s.needles = append(s.needles, needle{text, form + " of " + secret})
		}
	}
	return s
}

// Forms are the spellings of a secret that a scanner knows. Those of base64
// lack the letters at both ends that depend on the neighbours.
func Forms(secret string) map[string][]byte {
	raw := []byte(secret)
	forms := map[string][]byte{
		"text": raw, "hex": []byte(hex.EncodeToString(raw)), "HEX": []byte(strings.ToUpper(hex.EncodeToString(raw))),
		"UTF-16LE": wide(secret, 0), "UTF-16BE": wide(secret, 1),
	}
	for shift := range 3 {
		padded := append(make([]byte, shift), raw...)
		first := (shift*8 + 5) / 6 // letters that hold bits of the padding
		last := len(padded) * 8 / 6
		forms[fmt.Sprintf("base64+%d", shift)] = []byte(base64.RawStdEncoding.EncodeToString(padded)[first:last])
		forms[fmt.Sprintf("base64url+%d", shift)] = []byte(base64.RawURLEncoding.EncodeToString(padded)[first:last])
	}
	return forms
}

// wide writes a text as UTF-16, the low byte of a unit at the offset low.
func wide(text string, low int) []byte {
	var out []byte
	for _, u := range utf16.Encode([]rune(text)) {
		pair := [2]byte{}
		pair[low], pair[1-low] = byte(u), byte(u>>8)
		out = append(out, pair[:]...)
	}
	return out
}

// Dir scans all files below a directory and tells each hit, and how many bytes
// it read.
func (s *Scanner) Dir(t testing.TB, dir string) (hits []string, read int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			return nil // a running shop may remove files
		}
		read += int64(len(content))
		for _, n := range s.needles {
			if at := bytes.Index(content, n.bytes); at >= 0 {
				hits = append(hits, fmt.Sprintf("%s at %d: %s", filepath.Base(path), at, n.form))
			}
		}
		return err
	})
	if err != nil {
		t.Fatalf("kit: scanning %s: %v", dir, err)
	}
	return hits, read
}
