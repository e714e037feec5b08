package demo

import (
	"embed"
	"io/fs"
)

//go:embed data/*.csv
var data embed.FS

//go:embed media/*.svg
var media embed.FS

// MediaFS gives the pictures of the demo's products, SLUG.svg at its root, to
// be served under /media/demo/. They are 800 x 600, at most 6 KB, and have
// neither scripts nor references.
func MediaFS() fs.FS {
	sub, err := fs.Sub(media, "media")
	if err != nil {
		panic("demo: " + err.Error()) // the name is a constant
	}
	return sub
}
