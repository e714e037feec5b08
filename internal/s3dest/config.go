package s3dest

import (
	"errors"
	"net/url"
	"strings"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// Config says which bucket, and what its server is like.
type Config struct {
	// Endpoint is the server's base URL; http only on loopback.
	Endpoint string
	Region   string
	Bucket   string
	// Prefix stands before every name; "" or ends in a slash.
	Prefix string
	// AccessKey and SecretKey need PutObject, and as far as they should: GetObject
	// (read-back), ListBucket, DeleteObject (retention), PutObjectRetention.
	AccessKey, SecretKey string
	Quirks               Quirks
}

// Quirks are what differs between servers. The zero value suits AWS.
type Quirks struct {
	// PathStyle puts the bucket into the path instead of the host name. OSS and
	// COS want host names.
	PathStyle bool
	// NoConditions: the server does not know If-None-Match on PUT (OSS, OBS).
	NoConditions bool
	// NoChecksums: the server does not know trailing checksums (OSS, COS, OBS);
	// Content-MD5 goes along instead.
	NoChecksums bool
	// Lock is the mode of object locks: "" (none), "governance" or "compliance".
	// The bucket was made with object lock. OSS locks whole buckets by a policy
	// of its own: leave it empty there.
	Lock string
}

// Kinds gives the quirks of well-known servers by name.
func Kinds(kind string) (Quirks, bool) {
	switch kind {
	case "s3":
		return Quirks{}, true
	case "minio", "versitygw":
		return Quirks{PathStyle: true}, true
	case "oss":
		return Quirks{NoConditions: true, NoChecksums: true}, true
	case "cos":
		return Quirks{NoConditions: true, NoChecksums: true}, true
	case "obs":
		return Quirks{NoConditions: true, NoChecksums: true}, true
	}
	return Quirks{}, false
}

// Validate reports all faults at once, each an errs.Invalid that names its field.
func (c Config) Validate() error {
	var faults []error
	for field, value := range map[string]string{
		"endpoint": c.Endpoint, "bucket": c.Bucket, "access_key": c.AccessKey, "secret_key": c.SecretKey,
	} {
		if value == "" {
			faults = append(faults, errs.Field(field, "required", "this setting of the destination is needed"))
		}
	}
	u, err := url.Parse(c.Endpoint)
	if err != nil || u.Host == "" || u.Path != "" || u.Scheme != "https" && (u.Scheme != "http" || !loopback(u.Hostname())) {
		faults = append(faults, errs.Field("endpoint", "backup_endpoint_invalid", "an endpoint is https://host, without a path; http only on this machine"))
	}
	if c.Prefix != "" && (!strings.HasSuffix(c.Prefix, "/") || backup.ValidName(strings.TrimSuffix(c.Prefix, "/")) != nil) {
		faults = append(faults, errs.Field("prefix", "backup_name_invalid", "this cannot be the name of an object"))
	}
	if c.Quirks.Lock != "" && c.Quirks.Lock != "governance" && c.Quirks.Lock != "compliance" {
		faults = append(faults, errs.Field("lock", "backup_lock_invalid", "a lock is governance or compliance"))
	}
	return errors.Join(faults...)
}

func loopback(host string) bool { return host == "localhost" || host == "127.0.0.1" || host == "::1" }
