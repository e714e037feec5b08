package s3dest

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/minio/minio-go/v7"

	"panshi/internal/backup"
)

// swapMax bounds an object that is swapped, in bytes.
const swapMax = 64 << 10

// Load reads an object with its version, the ETag.
func (c Conditional) Load(ctx context.Context, name string) (content []byte, version string, err error) {
	if err := backup.ValidName(name); err != nil {
		return nil, "", err
	}
	r, info, _, err := c.core.GetObject(ctx, c.cfg.Bucket, c.key(name), minio.GetObjectOptions{})
	if err != nil {
		if err = failure("get", name, err); backup.Is(err, "backup_object_missing") {
			return nil, "", nil
		}
		return nil, "", err
	}
	content, err = io.ReadAll(io.LimitReader(r, swapMax))
	if err := errors.Join(err, r.Close()); err != nil {
		return nil, "", backup.Unavailable(err)
	}
	return content, info.ETag, nil
}

// Swap writes under the condition that the version is still the same. Two equal
// contents have equal ETags, so a lease's content names its holder and a number.
func (c Conditional) Swap(ctx context.Context, name, was string, content []byte) (string, error) {
	if err := backup.ValidName(name); err != nil {
		return "", err
	}
	body := backup.Bytes(content)
	options := c.options(body)
	if was != "" {
		options = minio.PutObjectOptions{ContentType: options.ContentType}
		options.SetMatchETag(was)
	}
	info, err := c.core.PutObject(ctx, c.cfg.Bucket, c.key(name), bytes.NewReader(content), body.Size, "", body.SHA256.String(), options)
	if err == nil {
		return info.ETag, nil
	}
	err = failure("swap", name, err)
	if backup.Is(err, "backup_object_exists") || backup.Is(err, "backup_object_missing") {
		return "", backup.SwapLost(name, err)
	}
	return "", err
}
