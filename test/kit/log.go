package kit

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// LogLine is one line of a shop's log.
type LogLine struct {
	Level string `json:"level"`
	Msg   string `json:"msg"`
	Raw   string `json:"-"`
}

// Loud tells whether a line is of level WARN or above.
func (l LogLine) Loud() bool { return l.Level == "WARN" || l.Level == "ERROR" }

// LogSince reads what a shop logged after the first from bytes of its log, and
// gives the length of all.
func (s *Shop) LogSince(t testing.TB, from int) (lines []LogLine, length int) {
	t.Helper()
	raw, err := os.ReadFile(s.LogFile)
	if err != nil {
		t.Fatalf("kit: %v", err)
	}
	for text := range strings.Lines(string(raw[from:])) {
		l := LogLine{Raw: strings.TrimSpace(text)}
		if err := json.Unmarshal([]byte(text), &l); err != nil {
			continue // what is printed at the start is for people
		}
		lines = append(lines, l)
	}
	return lines, len(raw)
}
