package pgserver

import "syscall"

// memory is a file system in memory, where Linux has one.
const memory = "/dev/shm"

// room is what several servers at once may need of it, in bytes.
const room = 4 << 30

// Memory is a parent for the servers of tests: a directory in memory, or "" (the
// temporary directory) where there is none or too little room. A test's server
// loses nothing there that the test could miss: it is the shop that is killed,
// and waiting for a disk is most of what a test of a store would do. What
// measures speed uses a disk.
func Memory() string {
	var fs syscall.Statfs_t
	const tmpfs = 0x01021994
	if err := syscall.Statfs(memory, &fs); err != nil || fs.Type != tmpfs || fs.Bavail*uint64(fs.Bsize) < room {
		return ""
	}
	return memory
}

// Dir holds all that the server writes: its data with the write-ahead log below
// "data", and its own log.
func (c *Server) Dir() string { return c.dir }
