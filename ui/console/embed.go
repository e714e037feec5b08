// Package console holds the pages of the staff's console as they were built,
// so that Go alone makes the program. `make ui` builds them from src; CI builds
// them again and compares.
package console

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var built embed.FS

// Dist is what Vite wrote: index.html, and under assets/ files whose names hold
// a hash of their content.
func Dist() (fs.FS, error) { return fs.Sub(built, "dist") }
