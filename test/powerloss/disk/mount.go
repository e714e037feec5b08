package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"syscall"
	"time"

	"github.com/hanwen/go-fuse/v2/fs"
	"github.com/hanwen/go-fuse/v2/fuse"
)

// patience is how long a disk may be held after its program ended.
const patience = 10 * time.Second

// Mount is a disk in its place.
type Mount struct {
	dir    string
	server *fuse.Server
}

// Mount shows the disk at a directory.
func (d *Disk) Mount(dir string) (*Mount, error) {
	// Nobody else changes the files, so the kernel may believe its cache.
	forever := time.Hour
	d.mu.Lock()
	root := &node{disk: d, file: d.root}
	d.mu.Unlock()
	server, err := fs.Mount(dir, root, &fs.Options{
		EntryTimeout: &forever, AttrTimeout: &forever,
		NullPermissions: true,
		RootStableAttr:  &fs.StableAttr{Ino: root.file.number, Gen: 1},
		MountOptions: fuse.MountOptions{
			FsName: "powerloss", Name: "powerloss",
			DirectMountStrict: true, DisableXAttrs: true, ExplicitDataCacheControl: true,
			Logger: log.New(io.Discard, "", 0), // it complains of programs that were killed
		},
	})
	if err != nil {
		return nil, fmt.Errorf("mounting FUSE (is there a /dev/fuse?): %w", err)
	}
	return &Mount{dir, server}, nil
}

// Unmount takes the disk out of its place and waits until nothing serves it. A
// program that was just killed, or one that looks at all mounts, holds it for a
// moment on a busy machine; who holds it longer than patience is named.
func (m *Mount) Unmount() error {
	if m.server == nil {
		return nil
	}
	server := m.server
	m.server = nil
	err := server.Unmount()
	for end := time.Now().Add(patience); errors.Is(err, syscall.EBUSY) && time.Now().Before(end); {
		time.Sleep(patience / 100)
		err = server.Unmount()
	}
	if err != nil {
		// The place is free at once, the server ends with its last user, who gets
		// errors.
		err = fmt.Errorf("%w; held by %q", err, holders(m.dir))
		return errors.Join(err, syscall.Unmount(m.dir, syscall.MNT_DETACH))
	}
	server.Wait()
	return nil
}

// node is a file as the kernel knows it.
type node struct {
	fs.Inode
	disk *Disk
	file *inode
}

var (
	_ fs.NodeLookuper  = (*node)(nil)
	_ fs.NodeGetattrer = (*node)(nil)
	_ fs.NodeSetattrer = (*node)(nil)
	_ fs.NodeOpener    = (*node)(nil)
	_ fs.NodeReader    = (*node)(nil)
	_ fs.NodeWriter    = (*node)(nil)
	_ fs.NodeFsyncer   = (*node)(nil)
	_ fs.NodeCreater   = (*node)(nil)
	_ fs.NodeMknoder   = (*node)(nil)
	_ fs.NodeMkdirer   = (*node)(nil)
	_ fs.NodeLinker    = (*node)(nil)
	_ fs.NodeUnlinker  = (*node)(nil)
	_ fs.NodeRmdirer   = (*node)(nil)
	_ fs.NodeRenamer   = (*node)(nil)
	_ fs.NodeReaddirer = (*node)(nil)
	_ fs.NodeStatfser  = (*node)(nil)
)

// show fills in what stat tells of a file.
func (d *Disk) show(n *inode, out *fuse.Attr) {
	d.mu.Lock()
	defer d.mu.Unlock()
	out.Ino, out.Mode, out.Size = n.number, n.mode, uint64(len(n.live))
	out.Blocks, out.Blksize, out.Nlink = (out.Size+sector-1)/sector, 4096, uint32(max(n.links, 1))
	out.Uid, out.Gid = uint32(syscall.Getuid()), uint32(syscall.Getgid())
}

// child makes the kernel know a file.
func (n *node) child(ctx context.Context, file *inode, out *fuse.EntryOut) *fs.Inode {
	n.disk.show(file, &out.Attr)
	return n.NewInode(ctx, &node{disk: n.disk, file: file},
		fs.StableAttr{Mode: file.mode & syscall.S_IFMT, Ino: file.number, Gen: 1})
}

// Lookup implements fs.NodeLookuper.
func (n *node) Lookup(ctx context.Context, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	file, errno := n.disk.find(n.file, name)
	if errno != 0 {
		return nil, errno
	}
	return n.child(ctx, file, out), 0
}

// Getattr implements fs.NodeGetattrer.
func (n *node) Getattr(_ context.Context, _ fs.FileHandle, out *fuse.AttrOut) syscall.Errno {
	n.disk.show(n.file, &out.Attr)
	return 0
}

// Setattr implements fs.NodeSetattrer. Owners and times are nobody's business
// here.
func (n *node) Setattr(_ context.Context, _ fs.FileHandle, in *fuse.SetAttrIn, out *fuse.AttrOut) syscall.Errno {
	if size, ok := in.GetSize(); ok {
		if errno := n.disk.truncate(n.file, int64(size)); errno != 0 {
			return errno
		}
	}
	if mode, ok := in.GetMode(); ok {
		if errno := n.disk.setMode(n.file, mode); errno != 0 {
			return errno
		}
	}
	n.disk.show(n.file, &out.Attr)
	return 0
}

func (d *Disk) setMode(n *inode, mode uint32) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plain {
		return syscall.EPERM
	}
	n.mode = n.mode&syscall.S_IFMT | mode&0o7777
	return 0
}

// Open implements fs.NodeOpener.
func (n *node) Open(context.Context, uint32) (fs.FileHandle, uint32, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	return nil, fuse.FOPEN_KEEP_CACHE, n.disk.power()
}

// Read implements fs.NodeReader.
func (n *node) Read(_ context.Context, _ fs.FileHandle, dest []byte, off int64) (fuse.ReadResult, syscall.Errno) {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	if errno := n.disk.power(); errno != 0 {
		return nil, errno
	}
	count := 0
	if off < int64(len(n.file.live)) {
		count = copy(dest, n.file.live[off:])
		n.disk.garble(n.file, dest[:count], off)
	}
	return fuse.ReadResultData(dest[:count]), 0
}

// Write implements fs.NodeWriter.
func (n *node) Write(_ context.Context, _ fs.FileHandle, data []byte, off int64) (uint32, syscall.Errno) {
	if errno := n.disk.writeAt(n.file, data, off); errno != 0 {
		return 0, errno
	}
	return uint32(len(data)), 0
}

// Fsync implements fs.NodeFsyncer, for files and directories.
func (n *node) Fsync(context.Context, fs.FileHandle, uint32) syscall.Errno {
	return n.disk.sync(n.file)
}

// Create implements fs.NodeCreater.
func (n *node) Create(ctx context.Context, name string, flags, mode uint32, out *fuse.EntryOut) (*fs.Inode, fs.FileHandle, uint32, syscall.Errno) {
	file, errno := n.disk.make(n.file, name, syscall.S_IFREG|mode&0o7777, flags&syscall.O_EXCL != 0)
	if errno != 0 {
		return nil, nil, 0, errno
	}
	return n.child(ctx, file, out), nil, fuse.FOPEN_KEEP_CACHE, 0
}

// Mknod implements fs.NodeMknoder, for sockets.
func (n *node) Mknod(ctx context.Context, name string, mode, _ uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.made(ctx, name, mode, out)
}

// Mkdir implements fs.NodeMkdirer.
func (n *node) Mkdir(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	return n.made(ctx, name, syscall.S_IFDIR|mode&0o7777, out)
}

func (n *node) made(ctx context.Context, name string, mode uint32, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	file, errno := n.disk.make(n.file, name, mode, true)
	if errno != 0 {
		return nil, errno
	}
	return n.child(ctx, file, out), 0
}

// Link implements fs.NodeLinker.
func (n *node) Link(ctx context.Context, target fs.InodeEmbedder, name string, out *fuse.EntryOut) (*fs.Inode, syscall.Errno) {
	of, ok := target.(*node)
	if !ok {
		return nil, syscall.EXDEV
	}
	if errno := n.disk.link(of.file, n.file, name); errno != 0 {
		return nil, errno
	}
	return n.child(ctx, of.file, out), 0
}

// Unlink implements fs.NodeUnlinker.
func (n *node) Unlink(_ context.Context, name string) syscall.Errno {
	return n.disk.remove(n.file, name)
}

// Rmdir implements fs.NodeRmdirer.
func (n *node) Rmdir(_ context.Context, name string) syscall.Errno {
	return n.disk.remove(n.file, name)
}

// Rename implements fs.NodeRenamer.
func (n *node) Rename(_ context.Context, name string, to fs.InodeEmbedder, newName string, flags uint32) syscall.Errno {
	dir, ok := to.(*node)
	if !ok {
		return syscall.EXDEV
	}
	return n.disk.rename(n.file, name, dir.file, newName, flags)
}

// Readdir implements fs.NodeReaddirer.
func (n *node) Readdir(context.Context) (fs.DirStream, syscall.Errno) {
	names, errno := n.disk.list(n.file)
	if errno != 0 {
		return nil, errno
	}
	entries := make([]fuse.DirEntry, 0, len(names))
	for name, file := range names {
		entries = append(entries, fuse.DirEntry{Name: name, Mode: file.mode, Ino: file.number})
	}
	return fs.NewListDirStream(entries), 0
}

// Statfs implements fs.NodeStatfser.
func (n *node) Statfs(_ context.Context, out *fuse.StatfsOut) syscall.Errno {
	n.disk.mu.Lock()
	defer n.disk.mu.Unlock()
	const block, plenty = 4096, 1 << 40
	free := int64(plenty)
	if n.disk.capacity > 0 {
		free = max(0, n.disk.capacity-n.disk.used)
	}
	out.Bsize, out.Frsize, out.NameLen = block, block, 255
	out.Bfree = uint64(free) / block
	out.Bavail, out.Blocks = out.Bfree, out.Bfree+uint64(n.disk.used)/block
	return 0
}
