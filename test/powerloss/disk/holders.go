package disk

import (
	"os"
	"path/filepath"
	"strings"
)

// holders names the processes that have a file of dir open, work in it or map
// it, each with what it holds.
func holders(dir string) (held []string) {
	links, _ := filepath.Glob("/proc/[0-9]*/fd/*")
	places, _ := filepath.Glob("/proc/[0-9]*/cwd")
	for _, link := range append(links, places...) {
		target, err := os.Readlink(link)
		if err == nil && (target == dir || strings.HasPrefix(target, dir+"/")) {
			held = append(held, link+" -> "+target)
		}
	}
	maps, _ := filepath.Glob("/proc/[0-9]*/maps")
	for _, list := range maps {
		text, err := os.ReadFile(list)
		if err == nil && strings.Contains(string(text), " "+dir+"/") {
			held = append(held, list)
		}
	}
	return held
}
