package disk

import (
	"bytes"
	"maps"
	"math/rand/v2"
)

// sector is what a disk writes whole or not at all.
const sector = 512

// Cut takes the power away: every request fails until Reboot.
func (d *Disk) Cut() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cut()
}

func (d *Disk) cut() {
	if !d.isDown {
		d.isDown = true
		close(d.down)
	}
}

// CutIn takes the power away with the n-th request from now that would change
// or sync something, so that the moment may lie between any two. 0 takes that
// back.
func (d *Disk) CutIn(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.cutIn = n
}

// Down is closed when the power goes. Ask again after a Reboot.
func (d *Disk) Down() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.down
}

// FailSync sets what fsync does from now on.
func (d *Disk) FailSync(f SyncFault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.syncFault = f
}

// Plain makes it a disk that other systems read too, such as FAT: it refuses modes
// and hard links from now on.
func (d *Disk) Plain() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.plain = true
}

// Garble has files of at least so many bytes read with one bit in their middle
// turned, as a disk does that acknowledges what it does not keep. 0 takes that
// back.
func (d *Disk) Garble(from int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.garbled = from
}

// garble turns the bit in a part of a file that was read. Call it with mu held.
func (d *Disk) garble(n *inode, part []byte, off int64) {
	size := int64(len(n.live))
	if at := size/2 - off; d.garbled > 0 && size >= d.garbled && at >= 0 && at < int64(len(part)) {
		part[at] ^= 1
	}
}

// Limit leaves so many bytes free; a negative number lifts the limit.
func (d *Disk) Limit(free int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.capacity = 0
	if free >= 0 {
		d.capacity = d.used + free
	}
}

// Counts is what a disk did so far.
type Counts struct {
	Synced, FailedSyncs, Refused int // fsyncs, failed ones, requests refused for want of space
}

// Counts tells what happened so far.
func (d *Disk) Counts() Counts {
	d.mu.Lock()
	defer d.mu.Unlock()
	return Counts{d.synced, d.failed, d.full}
}

// Reboot brings the power back after a Cut. Unmount the disk first. With dice
// it keeps any part of what was not synced; with nil, nothing of it. Faults and
// limits are lifted.
func (d *Disk) Reboot(dice *rand.Rand) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if dice != nil {
		d.keepSome(dice)
	}
	d.journal, d.cutIn, d.syncFault, d.capacity = nil, 0, SyncWorks, 0
	d.root.revive()
	d.used = d.root.measure()
	if d.isDown {
		d.isDown, d.down = false, make(chan struct{})
	}
}

// keepSome keeps names up to some moment, as a journal does, and any part of
// the files.
func (d *Disk) keepSome(dice *rand.Rand) {
	for _, n := range d.inodesInOrder() {
		n.keepSome(dice)
	}
	for _, c := range d.journal[:dice.IntN(len(d.journal)+1)] {
		for _, e := range c {
			e.apply(e.dir.keptNames)
		}
	}
}

// inodesInOrder lists all files that have or had a name, in the order in which
// they were made: dice fall alike for the same seed.
func (d *Disk) inodesInOrder() []*inode {
	seen := map[uint64]*inode{}
	d.root.collect(seen)
	for _, c := range d.journal {
		for _, e := range c {
			e.to.collect(seen)
		}
	}
	var all []*inode
	for number := range d.inodes {
		if n := seen[number+1]; n != nil {
			all = append(all, n)
		}
	}
	return all
}

func (n *inode) collect(seen map[uint64]*inode) {
	if n == nil || seen[n.number] != nil {
		return
	}
	seen[n.number] = n
	for _, child := range n.names {
		child.collect(seen)
	}
	for _, child := range n.keptNames {
		child.collect(seen)
	}
}

// keepSome keeps nothing of what was not synced, all of it, all up to a write
// that is torn, or any sectors.
func (n *inode) keepSome(dice *rand.Rand) {
	switch dice.IntN(4) {
	case 0:
	case 1:
		for _, w := range n.pending {
			n.kept = w.apply(n.kept)
		}
	case 2:
		last := dice.IntN(len(n.pending) + 1)
		for _, w := range n.pending[:last] {
			n.kept = w.apply(n.kept)
		}
		if last < len(n.pending) {
			n.kept = n.pending[last].tear(n.kept, dice, 0.5)
		}
	case 3:
		share := dice.Float64()
		for _, w := range n.pending {
			n.kept = w.tear(n.kept, dice, share)
		}
	}
}

// tear applies a share of a write's sectors.
func (w write) tear(content []byte, dice *rand.Rand, share float64) []byte {
	if w.truncate {
		if dice.Float64() < share {
			return w.apply(content)
		}
		return content
	}
	for from := int64(0); from < int64(len(w.data)); {
		to := min(from+sector-(w.at+from)%sector, int64(len(w.data)))
		if dice.Float64() < share {
			content = write{at: w.at + from, data: w.data[from:to]}.apply(content)
		}
		from = to
	}
	return content
}

// revive makes the live side of a tree from what was kept.
func (n *inode) revive() { n.reviveIn(map[*inode]bool{}) }

func (n *inode) reviveIn(seen map[*inode]bool) {
	if seen[n] {
		return
	}
	seen[n] = true
	n.live, n.pending, n.links = bytes.Clone(n.kept), nil, 0
	if !n.isDir() {
		return
	}
	n.names = maps.Clone(n.keptNames)
	for _, child := range n.names {
		child.reviveIn(seen)
		child.links++
	}
}

// measure adds up the live content of a tree.
func (n *inode) measure() int64 {
	total := int64(len(n.live))
	for _, child := range n.names {
		total += child.measure()
	}
	return total
}
