package backup

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// Measure reads a whole object and gives its size and digest as they are at the
// destination now.
func Measure(ctx context.Context, d Destination, name string) (int64, Digest, error) {
	r, err := d.Get(ctx, name, 0, -1)
	if err != nil {
		return 0, Digest{}, err
	}
	h := sha256.New()
	n, err := io.Copy(h, r)
	if err := errors.Join(err, r.Close()); err != nil {
		return 0, Digest{}, asUnavailable(err)
	}
	return n, Digest(h.Sum(nil)), nil
}

// ReadBack proves that an object is there and is what was stored. Codes:
// backup_object_missing, backup_object_damaged, and those of Get.
func ReadBack(ctx context.Context, d Destination, name string, size int64, digest Digest) error {
	n, sum, err := Measure(ctx, d, name)
	switch {
	case err != nil:
		return err
	case n != size:
		return Damaged(name, fmt.Errorf("%d bytes instead of %d", n, size))
	case sum != digest:
		return Damaged(name, fmt.Errorf("digest %s instead of %s", sum, digest))
	}
	return nil
}

// ReadAll gives a whole object of at most limit bytes.
func ReadAll(ctx context.Context, d Destination, name string, limit int64) ([]byte, error) {
	r, err := d.Get(ctx, name, 0, -1)
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, asUnavailable(err)
	}
	if int64(len(content)) > limit {
		return nil, Damaged(name, fmt.Errorf("longer than %d bytes", limit))
	}
	return content, nil
}

// asUnavailable keeps an error that has a code and calls any other one a
// failure of the way there.
func asUnavailable(err error) error {
	if hasCode(err) {
		return err
	}
	return Unavailable(err)
}
