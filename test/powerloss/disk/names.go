package disk

import (
	"maps"
	"slices"
	"syscall"
)

// renameNoReplace is the flag of renameat2 that refuses to replace.
const renameNoReplace = 1

// change is one request that changed names. What it changed in one directory
// is kept or lost as a whole.
type change []entry

// entry says what a name of a directory stands for; nil is nothing.
type entry struct {
	dir  *inode
	name string
	to   *inode
}

// changeNames makes a change live. Call it with mu held.
func (d *Disk) changeNames(c change) {
	for _, e := range c {
		if old := e.dir.names[e.name]; old != nil && !old.isDir() {
			if old.links--; old.links == 0 {
				d.used -= int64(len(old.live))
			}
		}
		e.apply(e.dir.names)
		if e.to != nil {
			e.to.links++
		}
	}
	d.journal = append(d.journal, c)
}

func (e entry) apply(names map[string]*inode) {
	if e.to == nil {
		delete(names, e.name)
		return
	}
	names[e.name] = e.to
}

// keepNames keeps what the journal says of one directory.
func (d *Disk) keepNames(dir *inode) {
	var left []change
	for _, c := range d.journal {
		c = slices.DeleteFunc(c, func(e entry) bool {
			if e.dir == dir {
				e.apply(dir.keptNames)
			}
			return e.dir == dir
		})
		if len(c) > 0 {
			left = append(left, c)
		}
	}
	d.journal = left
}

// make makes a file, a directory or a socket, or finds it if it may be there.
func (d *Disk) make(dir *inode, name string, mode uint32, exclusive bool) (*inode, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return nil, errno
	}
	if old := dir.names[name]; old != nil {
		if exclusive {
			return nil, syscall.EEXIST
		}
		return old, 0
	}
	n := d.newInode(mode)
	d.changeNames(change{{dir, name, n}})
	return n, 0
}

// link gives a file another name.
func (d *Disk) link(n, dir *inode, name string) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return errno
	}
	switch {
	case d.plain:
		return syscall.EPERM
	case dir.names[name] != nil:
		return syscall.EEXIST
	}
	d.changeNames(change{{dir, name, n}})
	return 0
}

// remove takes a name away.
func (d *Disk) remove(dir *inode, name string) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return errno
	}
	n := dir.names[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case len(n.names) > 0:
		return syscall.ENOTEMPTY
	}
	d.changeNames(change{{dir, name, nil}})
	return 0
}

// rename moves a name, inside one directory atomically.
func (d *Disk) rename(from *inode, old string, to *inode, name string, flags uint32) syscall.Errno {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.request(); errno != 0 {
		return errno
	}
	n, there := from.names[old], to.names[name]
	switch {
	case n == nil:
		return syscall.ENOENT
	case flags&^renameNoReplace != 0:
		return syscall.EINVAL
	case there != nil && flags&renameNoReplace != 0:
		return syscall.EEXIST
	case there != nil && len(there.names) > 0:
		return syscall.ENOTEMPTY
	case there == n:
		return 0
	}
	n.links++ // so that it is not taken for deleted between its names
	d.changeNames(change{{from, old, nil}, {to, name, n}})
	n.links--
	return 0
}

// find looks a name up.
func (d *Disk) find(dir *inode, name string) (*inode, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if errno := d.power(); errno != 0 {
		return nil, errno
	}
	n := dir.names[name]
	if n == nil {
		return nil, syscall.ENOENT
	}
	return n, 0
}

// list gives a directory's entries.
func (d *Disk) list(dir *inode) (map[string]*inode, syscall.Errno) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return maps.Clone(dir.names), d.power()
}
