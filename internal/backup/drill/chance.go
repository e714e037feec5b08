package drill

import (
	"crypto/sha256"
	"encoding/binary"
)

// chance chooses by a seed that the report tells, so that a drill can be
// repeated. Nothing secret comes from it.
type chance struct {
	seed, drawn uint64
}

func (c *chance) next() uint64 {
	c.drawn++
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, c.seed), c.drawn))
	return binary.BigEndian.Uint64(sum[:])
}

// below draws a number from 0 to n-1; n is above zero. What a remainder is
// uneven by does not matter for a choice among files and rows.
func (c *chance) below(n uint64) uint64 { return c.next() % n }

// shuffle brings some things into an order of chance.
func shuffle[T any](c *chance, all []T) {
	for i := len(all) - 1; i > 0; i-- {
		j := int(c.below(uint64(i + 1)))
		all[i], all[j] = all[j], all[i]
	}
}
