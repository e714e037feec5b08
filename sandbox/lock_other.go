//go:build !unix

package sandbox

import (
	"io"
	"os"
)

// lockFile only marks the file where the system offers no flock.
func lockFile(path string) (io.Closer, error) {
	return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
}
