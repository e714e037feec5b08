package vault

import (
	"fmt"
	"io"
	"log/slog"
)

const redaction = "[vault]"

// redacted is embedded in every type that holds a secret, so that no verb, log
// line or encoder shows what is in it.
type redacted struct{}

// Format answers every verb of package fmt, also those that would otherwise
// walk the fields.
func (redacted) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, redaction) }

// String gives "[vault]".
func (redacted) String() string { return redaction }

// GoString gives "[vault]".
func (redacted) GoString() string { return redaction }

// LogValue gives "[vault]".
func (redacted) LogValue() slog.Value { return slog.StringValue(redaction) }

// MarshalJSON gives "[vault]" as a JSON string.
func (redacted) MarshalJSON() ([]byte, error) { return []byte(`"` + redaction + `"`), nil }
