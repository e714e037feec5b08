// Package s3dest keeps backups in a bucket of an object store that speaks S3: AWS
// and what is built like it, and with the settings of Quirks also Aliyun OSS,
// Tencent COS and Huawei OBS. It implements backup.Destination and, where the
// server has conditional writes, backup.Swapper.
//
// A PUT of S3 is atomic and durable when it is answered, and If-None-Match makes
// it create only. Content goes out with a SHA-256 that the server compares. A
// server without conditional writes is asked first whether the object exists;
// two writers at once could then pass each other, and promotion by a lease is
// not offered.
//
// Deleting in a bucket with versions removes the very version, so that room is
// made and a lock is obeyed; what a stranger deletes without naming versions
// stays there, hidden.
package s3dest
