package consoleapi

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// madeFor is the API as the console's pages were compiled against it.
const madeFor = "../../ui/console/openapi.json"

// TestPagesWereMadeForThisAPI fails when the description has moved on from the
// one that the pages' types come from. PANSHI_WRITE=1 writes the new one; then
// `make ui` says which pages no longer fit.
func TestPagesWereMadeForThisAPI(t *testing.T) {
	t.Parallel()
	w := newKit(t).do(ask{path: "/console/openapi.json"})
	var doc bytes.Buffer
	require.NoError(t, json.Indent(&doc, w.Body.Bytes(), "", " "))
	doc.WriteByte('\n')
	if os.Getenv("PANSHI_WRITE") != "" {
		require.NoError(t, os.WriteFile(filepath.FromSlash(madeFor), doc.Bytes(), 0o600))
	}
	kept, err := os.ReadFile(madeFor)
	require.NoError(t, err)
	require.Equal(t, string(kept), doc.String(), "run PANSHI_WRITE=1 go test -run TestPagesWereMade ./internal/consoleapi && make ui")
}
