package main

import (
	"fmt"
	"io"
	"runtime"

	"panshi/internal/app"
)

type versionCmd struct{}

// Run tells which program this is.
func (versionCmd) Run(t *terminal) error {
	v := struct {
		Version  string `json:"version"`
		Go       string `json:"go"`
		Platform string `json:"platform"`
	}{app.Version(), runtime.Version(), runtime.GOOS + "/" + runtime.GOARCH}
	return t.result(v, func(w io.Writer) { fmt.Fprintf(w, "panshi %s (%s, %s)\n", v.Version, v.Go, v.Platform) })
}
