package s3dest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	"github.com/minio/minio-go/v7"

	"panshi/internal/backup"
)

// parts stores an object in parts. The condition that there is none of this name
// is on the last request, which makes the object; the client's own upload in
// parts leaves it out.
func (d *Dest) parts(ctx context.Context, name string, r io.Reader, body backup.Body) error {
	key := d.key(name)
	first := d.options(body)
	upload, err := d.core.NewMultipartUpload(ctx, d.cfg.Bucket, key, minio.PutObjectOptions{
		ContentType: first.ContentType, Mode: first.Mode, RetainUntilDate: first.RetainUntilDate,
	})
	if err != nil {
		return err
	}
	done, err := d.sendParts(ctx, key, upload, r, body.Size)
	if err == nil {
		last := d.options(backup.Body{}) // a lock was asked for with the first request
		_, err = d.core.CompleteMultipartUpload(ctx, d.cfg.Bucket, key, upload, done, last)
	}
	if err != nil {
		return errors.Join(err, d.abort(ctx, key, upload))
	}
	return nil
}

// sendParts sends part by part; the server compares the digest of each.
func (d *Dest) sendParts(ctx context.Context, key, upload string, r io.Reader, size int64) ([]minio.CompletePart, error) {
	var done []minio.CompletePart
	buffer := make([]byte, partSize)
	for sent := int64(0); sent < size; {
		part := buffer[:min(size-sent, partSize)]
		if _, err := io.ReadFull(r, part); err != nil {
			return nil, err
		}
		sum := sha256.Sum256(part)
		stored, err := d.core.PutObjectPart(ctx, d.cfg.Bucket, key, upload, len(done)+1, bytes.NewReader(part), int64(len(part)),
			minio.PutObjectPartOptions{Sha256Hex: hex.EncodeToString(sum[:])})
		if err != nil {
			return nil, err
		}
		done = append(done, minio.CompletePart{PartNumber: len(done) + 1, ETag: stored.ETag})
		sent += int64(len(part))
	}
	return done, nil
}

// abort frees the room of parts that will not be an object, also when the
// caller's time is over. What it cannot free, a lifecycle rule of the bucket
// does (docs/operations/backup-destinations.md).
func (d *Dest) abort(ctx context.Context, key, upload string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	err := d.core.AbortMultipartUpload(ctx, d.cfg.Bucket, key, upload)
	if minio.ToErrorResponse(err).Code == "NoSuchUpload" {
		return nil
	}
	return err
}
