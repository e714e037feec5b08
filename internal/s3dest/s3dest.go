package s3dest

import (
	"context"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"panshi/internal/backup"
)

// partSize is the size in bytes of the parts of a large object; up to it an
// object is one PUT.
const partSize = 16 << 20

// Dest is a bucket.
type Dest struct {
	cfg  Config
	core *minio.Core
}

// Conditional is a bucket whose server has conditional writes.
type Conditional struct{ *Dest }

// New opens a bucket; it speaks to nobody. The result implements backup.Swapper
// if the server has conditional writes. Codes: those of Validate.
func New(cfg Config, transport http.RoundTripper) (backup.Destination, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	u, err := url.Parse(cfg.Endpoint)
	if err != nil {
		return nil, backup.Unavailable(err)
	}
	lookup := minio.BucketLookupDNS
	if cfg.Quirks.PathStyle {
		lookup = minio.BucketLookupPath
	}
	core, err := minio.NewCore(u.Host, &minio.Options{
		Creds: credentials.NewStaticV4(cfg.AccessKey, cfg.SecretKey, ""), Secure: u.Scheme == "https",
		Region: cfg.Region, BucketLookup: lookup, Transport: transport,
		MaxRetries: 1, // backup.Retry repeats
	})
	if err != nil {
		return nil, backup.Unavailable(err)
	}
	d := &Dest{cfg: cfg, core: core}
	if cfg.Quirks.NoConditions {
		return d, nil
	}
	return Conditional{d}, nil
}

// Transport gives connections with time limits for New.
func Transport() *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: 8, IdleConnTimeout: 90 * time.Second,
		TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: 2 * time.Minute, DisableCompression: true,
	}
}

func (d *Dest) key(name string) string { return d.cfg.Prefix + name }

// Put stores a new object (see backup.Destination).
func (d *Dest) Put(ctx context.Context, name string, body backup.Body) error {
	if err := backup.ValidName(name); err != nil {
		return err
	}
	if d.cfg.Quirks.NoConditions {
		_, err := d.core.StatObject(ctx, d.cfg.Bucket, d.key(name), minio.StatObjectOptions{})
		if err == nil {
			return backup.Exists(name, nil)
		}
		if err := failure("get", name, err); !backup.Is(err, "backup_object_missing") && !backup.Is(err, "backup_refused") {
			return err
		}
	}
	r, err := body.Checked(name)
	if err != nil {
		return failure("put", name, err)
	}
	source := &remembering{r: r}
	if body.Size <= partSize {
		err = d.single(ctx, name, source, body)
	} else {
		err = d.parts(ctx, name, source, body)
	}
	if err := errors.Join(source.failed, err, r.Close()); err != nil {
		return failure("put", name, err)
	}
	return nil
}

// single stores an object by one PUT, whose signature covers the digest.
func (d *Dest) single(ctx context.Context, name string, r io.Reader, body backup.Body) error {
	o := d.options(body)
	if !d.cfg.Quirks.NoChecksums {
		o.UserMetadata = map[string]string{"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(body.SHA256[:])}
	}
	_, err := d.core.PutObject(ctx, d.cfg.Bucket, d.key(name), r, body.Size, "", body.SHA256.String(), o)
	return err
}

// options are those of every object.
func (d *Dest) options(body backup.Body) minio.PutObjectOptions {
	o := minio.PutObjectOptions{ContentType: "application/octet-stream"}
	if d.cfg.Quirks.Lock != "" && !body.LockedUntil.IsZero() {
		o.Mode = minio.RetentionMode(strings.ToUpper(d.cfg.Quirks.Lock))
		o.RetainUntilDate = body.LockedUntil.UTC()
	}
	if !d.cfg.Quirks.NoConditions {
		o.SetMatchETagExcept("*")
	}
	return o
}

// remembering keeps the error of a source, which clients wrap beyond
// recognition.
type remembering struct {
	r      io.Reader
	failed error
}

func (m *remembering) Read(p []byte) (int, error) {
	n, err := m.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		m.failed = err
	}
	return n, err
}

// Get opens a range of an object.
func (d *Dest) Get(ctx context.Context, name string, offset, length int64) (io.ReadCloser, error) {
	if err := backup.ValidName(name); err != nil {
		return nil, err
	}
	var o minio.GetObjectOptions
	if length == 0 {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if offset > 0 || length > 0 {
		end := int64(0) // to the last byte
		if length > 0 {
			end = offset + length - 1
		}
		if err := o.SetRange(offset, end); err != nil {
			return nil, backup.Unavailable(err)
		}
	}
	r, _, _, err := d.core.GetObject(ctx, d.cfg.Bucket, d.key(name), o)
	if minio.ToErrorResponse(err).StatusCode == http.StatusRequestedRangeNotSatisfiable {
		return io.NopCloser(strings.NewReader("")), nil
	}
	if err != nil {
		return nil, failure("get", name, err)
	}
	return r, nil
}

// List lists the bucket, page by page.
func (d *Dest) List(ctx context.Context, prefix string, each func(backup.Object) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for o := range d.core.ListObjectsIter(ctx, d.cfg.Bucket, minio.ListObjectsOptions{Prefix: d.key(prefix), Recursive: true}) {
		if o.Err != nil {
			return failure("list", prefix, o.Err)
		}
		name := strings.TrimPrefix(o.Key, d.cfg.Prefix)
		if backup.ValidName(name) != nil {
			continue
		}
		if err := each(backup.Object{Name: name, Size: o.Size}); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return failure("list", prefix, ctx.Err())
	}
	return nil
}

// Delete removes the version that Get would read. In a bucket without versions
// that is all there is.
func (d *Dest) Delete(ctx context.Context, name string) error {
	if err := backup.ValidName(name); err != nil {
		return err
	}
	info, err := d.core.StatObject(ctx, d.cfg.Bucket, d.key(name), minio.StatObjectOptions{})
	if err != nil {
		if err = failure("delete", name, err); backup.Is(err, "backup_object_missing") {
			return nil
		}
		return err
	}
	err = d.core.RemoveObject(ctx, d.cfg.Bucket, d.key(name), minio.RemoveObjectOptions{VersionID: info.VersionID})
	if err != nil {
		return failure("delete", name, err)
	}
	return nil
}
