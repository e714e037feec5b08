package storefront

import (
	"fmt"
	"strings"

	"github.com/skip2/go-qrcode"

	"panshi/internal/errs"
)

// qrCode is a QR symbol as the path of an SVG whose viewBox is Size by Size
// modules, its quiet zone included.
type qrCode struct {
	Size int
	Path string
}

// qrOf draws text. Each run of dark modules of a row is one rectangle.
func qrOf(text string) (qrCode, error) {
	symbol, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return qrCode{}, errs.Wrap(err, errs.Internal, "qr", "the code could not be drawn")
	}
	bitmap := symbol.Bitmap()
	var path strings.Builder
	for y, row := range bitmap {
		for x := 0; x < len(row); {
			end := x
			for end < len(row) && row[end] {
				end++
			}
			if end > x {
				fmt.Fprintf(&path, "M%d %dh%dv1H%dz", x, y, end-x, x)
			}
			x = end + 1
		}
	}
	return qrCode{Size: len(bitmap), Path: path.String()}, nil
}
