package adminsock

import (
	"net"
	"os"
	"syscall"
)

// peerFunc tells the user at the other end of a connection.
type peerFunc func(*net.UnixConn) (uid int, err error)

// mayAsk tells whether a shop of this process answers a user.
func mayAsk(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// mayAnswer tells whether a user is believed to run the shop in dir.
func mayAnswer(uid int, dir string) bool {
	if mayAsk(uid) {
		return true
	}
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}
