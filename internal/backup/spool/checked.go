package spool

import (
	"context"
	"errors"
	"io"
)

// OpenChecked is Open for somebody who passes a file on as it is: who reads it to
// the end gets io.EOF only if it is what its name says and opens with the
// spool's keys, else code spool_file_damaged. So what a disk spoiled since it
// was written is not taken for a backup elsewhere.
func (s *Spool) OpenChecked(ctx context.Context, name Name) (io.ReadCloser, error) {
	raw, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	copied, feed := io.Pipe()
	c := &checked{raw: raw, feed: feed, verdict: make(chan error, 1)}
	go func() {
		content, err := Decrypt(s.cipher, name, copied)
		if err == nil {
			_, err = io.Copy(io.Discard, content)
		}
		_ = copied.CloseWithError(err) // always nil; who feeds goes on in vain
		c.verdict <- err
	}()
	return c, nil
}

// checked gives a file's bytes and has them opened beside. One goroutine reads it.
type checked struct {
	raw     io.ReadCloser
	feed    *io.PipeWriter
	verdict chan error // one, when the other side has ended
	judged  error      // what Read ends with; nil before
}

func (c *checked) Read(p []byte) (int, error) {
	if c.judged != nil {
		return 0, c.judged
	}
	n, err := c.raw.Read(p)
	_, _ = c.feed.Write(p[:n]) // fails when the verdict has fallen
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	_ = c.feed.Close() // always nil
	if c.judged = <-c.verdict; c.judged == nil {
		c.judged = io.EOF
	}
	return n, c.judged
}

// Close ends the checking too.
func (c *checked) Close() error {
	_ = c.feed.CloseWithError(io.ErrUnexpectedEOF) // always nil
	return c.raw.Close()
}
