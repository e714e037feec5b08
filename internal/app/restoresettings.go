package app

import (
	"os"
	"path/filepath"
	"strconv"
)

// settingsPlace is where a restore puts the old machine's configuration: beside
// the data, and beside what an earlier restore left there. A shop that came back
// must not be called a failure for that.
func settingsPlace(data string) string {
	base := filepath.Clean(data) + ".settings"
	place := base
	for n := 2; ; n++ {
		if _, err := os.Lstat(place); err != nil {
			return place
		}
		place = base + "-" + strconv.Itoa(n)
	}
}
