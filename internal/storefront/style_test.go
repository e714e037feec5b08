package storefront_test

import (
	"math"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestColoursCanBeRead computes the contrast of the pairs that carry text
// (WCAG 2: 4.5:1), in light and in dark.
func TestColoursCanBeRead(t *testing.T) {
	raw, err := os.ReadFile("assets/shop.css")
	require.NoError(t, err)
	sheet := string(raw)
	require.NotRegexp(t, `@import|url\(`, sheet, "the style sheet loads nothing")
	blocks := regexp.MustCompile(`(?s):root \{(.*?)\}`).FindAllStringSubmatch(sheet, 2)
	require.Len(t, blocks, 2)
	colours := map[string]string{}
	for i, mode := range []string{"light", "dark"} {
		for _, m := range regexp.MustCompile(`--([a-z-]+): (#[0-9a-f]{6});`).FindAllStringSubmatch(blocks[i][1], -1) {
			colours[m[1]] = m[2]
		}
		for _, pair := range [][2]string{
			{"ink", "ground"},
			{"ink", "slab"},
			{"ink", "sunk"},
			{"soft", "ground"},
			{"soft", "slab"},
			{"soft", "sunk"},
			{"malachite", "ground"},
			{"malachite", "slab"},
			{"malachite", "malachite-wash"},
			{"malachite-deep", "malachite-wash"},
			{"on-malachite", "malachite"},
			{"on-malachite", "malachite-deep"},
			{"cinnabar", "ground"},
			{"cinnabar", "slab"},
			{"cinnabar", "cinnabar-wash"},
			{"ochre", "slab"},
			{"ochre", "ochre-wash"},
			{"on-vault", "vault"},
			{"vault-soft", "vault"},
		} {
			ratio := contrast(t, colours[pair[0]], colours[pair[1]])
			require.GreaterOrEqual(t, ratio, 4.5, "%s: %s on %s", mode, pair[0], pair[1])
		}
		require.GreaterOrEqual(t, contrast(t, colours["azurite"], colours["ground"]), 3.0, mode+": the focus ring")
	}
	require.InDelta(t, 21, contrast(t, "#000000", "#ffffff"), 0.1)
}

func contrast(t *testing.T, a, b string) float64 {
	t.Helper()
	la, lb := luminance(t, a), luminance(t, b)
	return (max(la, lb) + 0.05) / (min(la, lb) + 0.05)
}

func luminance(t *testing.T, colour string) float64 {
	t.Helper()
	require.Len(t, colour, 7)
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(colour[1+2*i:3+2*i], 16, 8)
		require.NoError(t, err)
		c := float64(n) / 255
		if c <= 0.04045 {
			sum += weight * c / 12.92
		} else {
			sum += weight * math.Pow((c+0.055)/1.055, 2.4)
		}
	}
	return sum
}
