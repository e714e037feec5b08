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

// mayAnswer tells whether the user me believes another to run the shop in dir.
// Only root may ask a shop of somebody else, and that is the directory's owner.
func mayAnswer(me, uid int, dir string) bool {
	if uid == 0 || uid == me {
		return true
	}
	if me != 0 {
		return false
	}
	info, err := os.Stat(dir)
	if err != nil {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid
}
