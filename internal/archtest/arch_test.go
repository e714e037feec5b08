package archtest

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestHouse holds every rule against the source of this module.
func TestHouse(t *testing.T) {
	t.Parallel()
	source, err := load(os.DirFS("../.."))
	require.NoError(t, err)
	require.NotEmpty(t, source.pkgs, "the loader found no source: is the test run elsewhere?")
	for _, r := range rules() {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			for _, f := range r.check(source) {
				t.Error(f)
			}
		})
	}
}
