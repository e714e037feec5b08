package backup

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"

	"panshi/internal/errs"
)

func hasCode(err error) bool {
	var e *errs.Error
	return errors.As(err, &e)
}

// Checked reads a Body and fails at its end, before io.EOF, if what came is not
// what the Body promised: so that no destination stores what its caller did not
// mean. Destinations wrap Body.Open in it.
func (b Body) Checked(name string) (io.ReadCloser, error) {
	r, err := b.Open()
	if err != nil {
		return nil, err
	}
	return &checked{r: r, name: name, want: b, sum: sha256.New()}, nil
}

type checked struct {
	r    io.ReadCloser
	name string
	want Body
	sum  hash.Hash
	read int64
}

// Read gives the bytes, and the verdict in place of io.EOF.
func (c *checked) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.sum.Write(p[:n])
	c.read += int64(n)
	if c.read > c.want.Size {
		return n, Damaged(c.name, fmt.Errorf("the source gives more than %d bytes", c.want.Size))
	}
	if errors.Is(err, io.EOF) && (c.read != c.want.Size || Digest(c.sum.Sum(nil)) != c.want.SHA256) {
		return n, Damaged(c.name, fmt.Errorf("the source gave %d bytes of %d, or others", c.read, c.want.Size))
	}
	return n, err
}

// Close closes the source.
func (c *checked) Close() error { return c.r.Close() }
