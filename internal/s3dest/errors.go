package s3dest

import (
	"errors"
	"net/http"

	"github.com/minio/minio-go/v7"

	"panshi/internal/backup"
	"panshi/internal/errs"
)

// failure gives an error of the client its code.
func failure(what, name string, err error) error {
	var coded *errs.Error
	if errors.As(err, &coded) {
		return coded
	}
	var answer minio.ErrorResponse
	if !errors.As(err, &answer) {
		return backup.Unavailable(err)
	}
	switch answer.Code {
	case "NoSuchKey", "NoSuchVersion":
		return backup.Missing(name, err)
	case "PreconditionFailed":
		return backup.Exists(name, err)
	case "BadDigest", "InvalidDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "IncompleteBody":
		return backup.Damaged(name, err)
	case "XMinioStorageFull", "QuotaExceeded", "XMinioAdminBucketQuotaExceeded", "InsufficientCapacity", "UserDisable":
		return backup.Full(err)
	case "ObjectLocked", "InvalidObjectState", "FileImmutable":
		return backup.Refused(what, name, err)
	}
	switch answer.StatusCode {
	case http.StatusForbidden, http.StatusUnauthorized, http.StatusMethodNotAllowed:
		return backup.Refused(what, name, err)
	case http.StatusPreconditionFailed:
		return backup.Exists(name, err)
	case http.StatusInsufficientStorage:
		return backup.Full(err)
	}
	return backup.Unavailable(err) // a missing bucket too: it is a setting, and may be mended meanwhile
}
