package manifest

import (
	"context"
	"crypto/ed25519"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"panshi/internal/backup"
)

// Kind says what is wrong.
type Kind string

// The kinds of findings.
const (
	Missing         Kind = "missing"          // a listed object is not there
	Altered         Kind = "altered"          // a listed object has another size or digest
	Forged          Kind = "forged"           // an object that this shop did not make, or not under this name
	ManifestMissing Kind = "manifest_missing" // a link of a chain is not there
	ManifestAltered Kind = "manifest_altered" // a manifest that this shop did not sign
	ChainBroken     Kind = "chain_broken"     // a link that does not follow the one before
	SetBack         Kind = "set_back"         // a chain ends before a head that is known
	SplitBrain      Kind = "split_brain"      // a chain goes on that another one had taken over
	Gap             Kind = "gap"              // transactions are missing between segments
	WrongPlace      Kind = "wrong_place"      // a chain of another destination
)

// Finding is one thing that is wrong at a destination.
type Finding struct {
	Kind   Kind   `json:"kind"`
	Name   string `json:"name"`
	Detail string `json:"detail,omitempty"`
	// Fenced says that a later epoch took over from who did this: nothing of it
	// counts.
	Fenced bool `json:"fenced,omitempty"`
}

// link is a manifest as it was found.
type link struct {
	Manifest
	head Head
}

// chain is all links of one chain that are there, oldest first.
type chain []link

func (c chain) head() Head { return c[len(c)-1].head }

// Log is what the manifests of a destination say.
type Log struct {
	Heads    []Head           // the newest manifest of each chain, by chain
	Live     map[string]Entry // by name: what is there
	Findings []Finding
	// Epoch is the highest that any chain was written under, 0 for none.
	Epoch uint64
	// Sets are the recovery points of an offline disk, the oldest first.
	Sets []Set
	// Links are all sound manifests, oldest first within a chain.
	Links []Manifest
	known map[string]bool // names of manifests, spare copies included
}

// Complete is the time up to which the chain that was written last says that it
// lists everything; zero if it never said so.
func (l Log) Complete() time.Time {
	var newest, said Manifest
	for _, m := range l.Links {
		if m.Time >= newest.Time {
			newest = m
		}
	}
	for _, m := range l.Links {
		if m.Chain == newest.Chain && m.Complete > said.Complete {
			said = m
		}
	}
	if said.Complete == 0 {
		return time.Time{}
	}
	return time.UnixMilli(said.Complete).UTC()
}

// Read reads all manifests of a destination and what they say together. It fails
// only if the destination does; what is wrong is in Findings.
func Read(ctx context.Context, d backup.Destination, signer ed25519.PublicKey) (Log, error) {
	r := reading{d: d, signer: signer, log: Log{Live: map[string]Entry{}, known: map[string]bool{}}}
	numbers, err := r.list(ctx)
	if err != nil {
		return Log{}, err
	}
	var chains []chain
	for _, id := range slices.Sorted(maps.Keys(numbers)) {
		c, err := r.chain(ctx, id, numbers[id])
		if err != nil {
			return Log{}, err
		}
		if len(c) > 0 {
			chains = append(chains, c)
		}
	}
	r.join(chains)
	return r.log, nil
}

type reading struct {
	d      backup.Destination
	signer ed25519.PublicKey
	log    Log
	ahead  map[string][]byte // manifests that were read ahead, by name
}

// readers is how many manifests are read ahead at a time: over a far line a
// thousand of them one by one would be most of a restore.
const readers = 16

// readAhead fetches the manifests of a chain that a listing shows. What fails is
// left to be read again, and to be judged, in its turn.
func (r *reading) readAhead(ctx context.Context, id string, numbers []uint64) {
	r.ahead = map[string][]byte{}
	work := make(chan string)
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range readers {
		wg.Go(func() {
			for name := range work {
				content, err := backup.ReadAll(ctx, r.d, name, maxSize)
				if err != nil {
					continue
				}
				mu.Lock()
				r.ahead[name] = content
				mu.Unlock()
			}
		})
	}
	for _, n := range numbers {
		work <- Head{Chain: id, Number: n}.Name()
	}
	close(work)
	wg.Wait()
}

// read gives a manifest that was read ahead, or reads it.
func (r *reading) read(ctx context.Context, name string) ([]byte, error) {
	if content, ok := r.ahead[name]; ok {
		delete(r.ahead, name)
		return content, nil
	}
	return backup.ReadAll(ctx, r.d, name, maxSize)
}

func (r *reading) find(k Kind, name, detail string) {
	r.log.Findings = append(r.log.Findings, Finding{Kind: k, Name: name, Detail: detail})
}

// list gives the numbers of each chain that a listing shows, sorted.
func (r *reading) list(ctx context.Context) (map[string][]uint64, error) {
	numbers := map[string][]uint64{}
	err := r.d.List(ctx, Prefix, func(o backup.Object) error {
		h, ok := parseName(o.Name)
		r.log.known[o.Name] = true
		if !ok {
			r.find(Forged, o.Name, "no name of a manifest")
			return nil
		}
		numbers[h.Chain] = append(numbers[h.Chain], h.Number)
		return nil
	})
	for id := range numbers {
		slices.Sort(numbers[id])
		numbers[id] = slices.Compact(numbers[id])
	}
	return numbers, err
}

// chain reads the links from the oldest that is listed on. A listing may lag, so
// numbers in between and after the last are asked for by name.
func (r *reading) chain(ctx context.Context, id string, numbers []uint64) (chain, error) {
	r.readAhead(ctx, id, numbers)
	var c chain
	last := numbers[len(numbers)-1]
	for n := numbers[0]; ; n++ {
		l, there, err := r.link(ctx, Head{Chain: id, Number: n})
		if err != nil {
			return nil, err
		}
		if !there && n > last {
			return r.sound(c), nil
		}
		if !there {
			r.find(ManifestMissing, Head{Chain: id, Number: n}.Name(), "")
			continue
		}
		if l.Number > 0 {
			c = append(c, l)
		}
	}
}

// link reads one manifest: the first of its copies that is sound. A link with
// number 0 is there and altered.
func (r *reading) link(ctx context.Context, h Head) (l link, there bool, err error) {
	for spare := range 10 {
		name := backup.Numbered(h.Name(), spare)
		content, err := r.read(ctx, name)
		if backup.Is(err, "backup_object_missing") {
			if spare == 0 { // a spare copy may be there that a listing does not show yet
				continue
			}
			break
		}
		if err != nil && !backup.Is(err, "backup_object_damaged") {
			return link{}, false, err
		}
		there = true
		r.log.known[name] = true
		m, err := Decode(name, content, r.signer)
		if err == nil {
			return link{Manifest: m, head: HeadOf(m, content)}, true, nil
		}
		if !r.log.known[backup.Numbered(h.Name(), spare+1)] {
			r.find(ManifestAltered, name, err.Error())
		}
	}
	return link{}, there, nil
}

// sound tells where a chain does not hold together, and gives the part from the
// newest base on, which says what is there, with what stands before it.
func (r *reading) sound(c chain) chain {
	for i, l := range c {
		r.log.Links = append(r.log.Links, l.Manifest)
		if i == 0 {
			continue
		}
		before := c[i-1]
		if l.Number == before.Number+1 && l.Previous != before.head.SHA256 {
			r.find(ChainBroken, l.Name(), "does not follow the manifest before it")
		}
	}
	if len(c) == 0 {
		return nil
	}
	base := lastBase(c)
	if base < 0 {
		r.find(ManifestMissing, c[0].Name(), "no base before it")
	} else if oldest := c[base].Oldest; c[0].Number > oldest {
		r.find(ManifestMissing, Head{Chain: c[0].Chain, Number: oldest}.Name(), "a base says that it is kept")
	}
	return c
}

func lastBase(c chain) int {
	for i := len(c) - 1; i >= 0; i-- {
		if c[i].Base {
			return i
		}
	}
	return -1
}

// taken is where a chain ended when another one took it over, and under which
// epoch that one was written.
type taken struct {
	Head
	epoch uint64
}

// join puts what the chains say together. A chain that another one took over
// says nothing any more.
func (r *reading) join(chains []chain) {
	adopted := map[string]taken{}
	for _, c := range chains {
		for _, l := range c {
			r.log.Epoch = max(r.log.Epoch, l.Epoch)
			for _, h := range l.Adopts {
				adopted[h.Chain] = taken{h, l.Epoch}
			}
		}
	}
	for _, c := range chains {
		r.log.Heads = append(r.log.Heads, c.head())
		if by, gone := adopted[c.head().Chain]; gone {
			r.excuse(by.Chain)
			if last := c[len(c)-1]; last.Number > by.Number {
				r.log.Findings = append(r.log.Findings, Finding{
					Kind: SplitBrain, Name: last.Name(), Detail: "written after another machine had taken over", Fenced: last.Epoch < by.epoch,
				})
			}
			continue
		}
		fold(c, r.log.Live)
		r.log.Sets = append(r.log.Sets, c[len(c)-1].Sets...)
	}
}

// excuse takes back what was found missing in a chain that was taken over: who
// took it over deletes it.
func (r *reading) excuse(chain string) {
	r.log.Findings = slices.DeleteFunc(r.log.Findings, func(f Finding) bool {
		return f.Kind == ManifestMissing && strings.HasPrefix(f.Name, Prefix+chain+"/")
	})
}

// fold applies a chain from its newest base on, or from its first link.
func fold(c chain, live map[string]Entry) {
	for _, l := range c[max(0, lastBase(c)):] {
		for _, e := range l.Added {
			live[e.Name] = e
		}
		for _, name := range l.Removed {
			delete(live, name)
		}
	}
}
