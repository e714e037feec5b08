package disk

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"syscall"
)

// Disk outlives its mounts, as disks do. Its methods may be called while it is
// mounted.
type Disk struct {
	mu        sync.Mutex
	root      *inode        // guarded by mu, and so is all below it
	journal   []change      // changes of names, in order, that no fsync has kept
	inodes    uint64        // given out so far
	used      int64         // bytes of live content
	capacity  int64         // bytes; 0 is no limit
	cutIn     int           // requests until the power goes; 0 is never
	down      chan struct{} // closed while the power is away
	isDown    bool          // whether it is
	syncFault SyncFault     // what becomes of the next fsync
	plain     bool          // no modes and no hard links
	garbled   int64         // files of at least so many bytes are read wrong; 0 is none
	failed    int           // fsyncs that failed
	synced    int           // fsyncs that succeeded
	full      int           // requests refused for want of space
}

// inode is a file, a directory or a socket.
type inode struct {
	number uint64
	mode   uint32 // type and permissions

	live, kept []byte  // a file's content as programs see it, and as the disk has it
	pending    []write // what leads from kept to live, in order

	names, keptNames map[string]*inode // a directory's entries, likewise
	links            int               // live names of a file
}

// write is one change of a file's content.
type write struct {
	at       int64
	data     []byte
	truncate bool // to the length at; data is nil
}

// SyncFault is what fsync does wrong.
type SyncFault int

// Faults of fsync. In each case what had to be written is dropped, although
// programs go on reading it.
const (
	SyncWorks     SyncFault = iota
	SyncFailsOnce           // the next one fails, later ones claim to have worked
	SyncFails               // all fail
)

// New is an empty disk.
func New() *Disk {
	d := &Disk{down: make(chan struct{})}
	d.root = d.newInode(syscall.S_IFDIR | 0o700)
	return d
}

func (d *Disk) newInode(mode uint32) *inode {
	d.inodes++
	n := &inode{number: d.inodes, mode: mode}
	if n.isDir() {
		n.names, n.keptNames = map[string]*inode{}, map[string]*inode{}
	}
	return n
}

func (n *inode) isDir() bool { return n.mode&syscall.S_IFMT == syscall.S_IFDIR }

// Load copies a directory's files onto the disk, all of them synced.
func Load(dir string) (*Disk, error) {
	d := New()
	d.mu.Lock()
	defer d.mu.Unlock()
	return d, d.load(d.root, dir)
}

func (d *Disk) load(into *inode, dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return err
		}
		path, mode := filepath.Join(dir, e.Name()), uint32(info.Mode().Perm())
		var n *inode
		switch {
		case info.IsDir():
			n = d.newInode(syscall.S_IFDIR | mode)
			err = d.load(n, path)
		case info.Mode().IsRegular():
			n = d.newInode(syscall.S_IFREG | mode)
			n.kept, err = os.ReadFile(path)
		default:
			continue // a socket means nothing without its process
		}
		if err != nil {
			return err
		}
		into.keptNames[e.Name()] = n
	}
	into.revive()
	d.used = d.root.measure()
	return nil
}

// Clone is a disk with the kept content of another. What was not synced is not
// in it.
func (d *Disk) Clone() *Disk {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := New()
	c.root = d.root.clone()
	c.inodes = d.inodes
	c.root.revive()
	c.used = c.root.measure()
	return c
}

func (n *inode) clone() *inode {
	c := &inode{number: n.number, mode: n.mode, kept: bytes.Clone(n.kept)}
	if n.isDir() {
		c.keptNames = make(map[string]*inode, len(n.keptNames))
		for name, child := range n.keptNames {
			c.keptNames[name] = child.clone()
		}
	}
	return c
}

// request begins a request that may change the disk. It fails when the power
// is away, or goes away with it. Call it with mu held.
func (d *Disk) request() syscall.Errno {
	if d.cutIn > 0 {
		if d.cutIn--; d.cutIn == 0 {
			d.cut()
		}
	}
	return d.power()
}

// power fails when the power is away.
func (d *Disk) power() syscall.Errno {
	if d.isDown {
		return syscall.EIO
	}
	return 0
}

// writeAt changes a file's live content.
func (d *Disk) writeAt(n *inode, data []byte, at int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return errno
	}
	if errno := d.reserve(max(0, at+int64(len(data))-int64(len(n.live)))); errno != 0 {
		return errno
	}
	w := write{at: at, data: bytes.Clone(data)}
	n.live = w.apply(n.live)
	n.pending = append(n.pending, w)
	return 0
}

// truncate changes a file's live length.
func (d *Disk) truncate(n *inode, length int64) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return errno
	}
	if errno := d.reserve(length - int64(len(n.live))); errno != 0 {
		return errno
	}
	w := write{at: length, truncate: true}
	n.live = w.apply(n.live)
	n.pending = append(n.pending, w)
	return 0
}

// reserve takes space for a file that grows so many bytes, or gives back that
// of one that shrinks by truncation.
func (d *Disk) reserve(growth int64) syscall.Errno {
	if growth > 0 && d.capacity > 0 && d.used+growth > d.capacity {
		d.full++
		return syscall.ENOSPC
	}
	d.used += growth
	return 0
}

// apply makes one change to a content. A gap is filled with zeros.
func (w write) apply(content []byte) []byte {
	end := w.at + int64(len(w.data))
	if w.truncate && end < int64(len(content)) {
		clear(content[end:]) // what grows back over it is zeros
		return content[:end]
	}
	if missing := end - int64(len(content)); missing > 0 {
		content = append(content, make([]byte, missing)...)
	}
	copy(content[w.at:], w.data)
	return content
}

// sync keeps a file's content, or a directory's names.
func (d *Disk) sync(n *inode) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return errno
	}
	if d.syncFault != SyncWorks {
		if d.syncFault == SyncFailsOnce {
			d.syncFault = SyncWorks
		}
		n.pending = nil
		d.failed++
		return syscall.EIO
	}
	d.synced++
	for _, w := range n.pending {
		n.kept = w.apply(n.kept)
	}
	n.pending = nil
	if n.isDir() {
		d.keepNames(n)
	}
	return 0
}
