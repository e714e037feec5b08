package seal

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"

	"filippo.io/age"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

const (
	magic       = "panshi-object-1\n"
	trailerSize = sha256.Size + ed25519.SignatureSize + len(magic)
	// copyChunk is how much is read between two looks at the context.
	copyChunk = 256 << 10
)

// Sealed says what was made.
type Sealed struct {
	Size    int64         // bytes of the object
	SHA256  backup.Digest // of the object
	Content backup.Digest // of what was sealed
}

// Seal reads src to its end and writes the object of that name to dst. Code
// backup_seal_failed; what dst has then is of no use.
func (k *Keys) Seal(ctx context.Context, name string, src io.Reader, dst io.Writer) (Sealed, error) {
	s, err := k.seal(ctx, backup.Logical(name), src, dst)
	if err != nil {
		return Sealed{}, errs.Wrap(err, errs.Unavailable, "backup_seal_failed", "an object could not be sealed").With("name", name)
	}
	return s, nil
}

func (k *Keys) seal(ctx context.Context, name string, src io.Reader, dst io.Writer) (Sealed, error) {
	whole, payload, content := sha256.New(), sha256.New(), sha256.New()
	out := &counted{w: io.MultiWriter(dst, whole)}
	buffered := bufio.NewWriterSize(io.MultiWriter(out, payload), copyChunk)
	enc, err := age.Encrypt(buffered, k.recipients()...)
	if err != nil {
		return Sealed{}, err
	}
	if err := copyUntil(ctx, io.MultiWriter(enc, content), src); err != nil {
		return Sealed{}, err
	}
	if err := errors.Join(enc.Close(), buffered.Flush()); err != nil {
		return Sealed{}, err
	}
	t := trailer{content: backup.Digest(content.Sum(nil)), payload: backup.Digest(payload.Sum(nil)), size: out.n}
	t.signature = k.Sign(t.message(name))
	if _, err := out.Write(t.bytes()); err != nil {
		return Sealed{}, err
	}
	return Sealed{Size: out.n, SHA256: backup.Digest(whole.Sum(nil)), Content: t.content}, nil
}

// copyUntil copies in pieces, so that the end of ctx ends it.
func copyUntil(ctx context.Context, dst io.Writer, src io.Reader) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := io.CopyN(dst, src, copyChunk); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

type counted struct {
	w io.Writer
	n int64
}

func (c *counted) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}

// trailer is the last bytes of an object, and what its signature covers.
type trailer struct {
	signature []byte
	content   backup.Digest
	payload   backup.Digest
	size      int64 // of the payload
}

func (t trailer) bytes() []byte {
	return append(append(t.content[:], t.signature...), magic...)
}

func (t trailer) message(name string) []byte {
	return fmt.Appendf(nil, "panshi-object-1 %s %s %d %s", name, t.content, t.size, t.payload)
}

// readTrailer takes the last bytes of an object apart; false if they are none of
// ours.
func readTrailer(last []byte) (trailer, bool) {
	if len(last) != trailerSize || !bytes.HasSuffix(last, []byte(magic)) {
		return trailer{}, false
	}
	return trailer{content: backup.Digest(last[:sha256.Size]), signature: last[sha256.Size : trailerSize-len(magic)]}, true
}

// Reader checks objects and, with identities, opens them.
type Reader struct {
	Signer     ed25519.PublicKey
	Identities []age.Identity
}

// Check reads an object to its end and tells whether this shop made it, under
// this name, and every bit of it is as it was. Code backup_object_damaged; an
// error of r comes back as it is.
func (v Reader) Check(r io.Reader, name string) (Sealed, error) {
	whole, payload := sha256.New(), sha256.New()
	held := &holdBack{w: payload}
	size, err := io.Copy(io.MultiWriter(whole, held), r)
	if err != nil {
		return Sealed{}, err
	}
	t, ours := readTrailer(held.last)
	t.payload, t.size = backup.Digest(payload.Sum(nil)), size-int64(trailerSize)
	if !ours || !ed25519.Verify(v.Signer, t.message(backup.Logical(name)), t.signature) {
		return Sealed{}, backup.Damaged(name, errors.New("no object that this shop made under this name"))
	}
	return Sealed{Size: size, SHA256: backup.Digest(whole.Sum(nil)), Content: t.content}, nil
}

// holdBack passes all on but the last trailerSize bytes.
type holdBack struct {
	w    io.Writer
	last []byte
}

func (h *holdBack) Write(p []byte) (int, error) {
	h.last = append(h.last, p...)
	if over := len(h.last) - trailerSize; over > 0 {
		if _, err := h.w.Write(h.last[:over]); err != nil {
			return 0, err
		}
		h.last = append(h.last[:0], h.last[over:]...)
	}
	return len(p), nil
}

// Open checks an object as a whole and then gives its content. Codes: those of
// Check, backup_unseal_failed (no identity of ours opens it).
func (v Reader) Open(object io.ReadSeeker, name string) (io.Reader, error) {
	s, err := v.Check(object, name)
	if err != nil {
		return nil, err
	}
	if _, err := object.Seek(0, io.SeekStart); err != nil {
		return nil, unsealFailed(name, err)
	}
	payload := io.LimitReader(object, s.Size-int64(trailerSize))
	content, err := age.Decrypt(bufio.NewReaderSize(payload, copyChunk), v.Identities...)
	if err != nil {
		return nil, unsealFailed(name, err)
	}
	return content, nil
}

// Opens tells by an object's beginning whether our identities open it. Code
// backup_unseal_failed: it was sealed to others, as before a sheet was replaced.
func (v Reader) Opens(object io.Reader, name string) error {
	if _, err := age.Decrypt(object, v.Identities...); err != nil {
		return unsealFailed(name, err)
	}
	return nil
}

func unsealFailed(name string, err error) error {
	return errs.Wrap(err, errs.Forbidden, "backup_unseal_failed", "an object cannot be opened with these keys").With("name", name)
}
