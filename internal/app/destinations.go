package app

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
	"panshi/internal/s3dest"
	"panshi/internal/sftpdest"
)

// BackupConfig is where the shop's history goes: into the spool, and from there
// to destinations, by label.
type BackupConfig struct {
	ship.Config `json:",squash"`

	Destinations map[string]DestinationConfig `json:"destinations"`
}

// DestinationConfig says what keeps copies of the shop, and how it is treated.
// Secrets are in files, so that they stand in no configuration.
type DestinationConfig struct {
	Kind   string `json:"kind"`   // dir, sftp, or a kind of object store: s3, oss, cos, obs, minio, versitygw
	Region string `json:"region"` // where it stands, in your words; two copies should not share it
	Path   string `json:"path"`   // dir, sftp: the directory

	SameDevice bool `json:"same_device"` // dir: allow the disk of the data directory

	Endpoint   string `json:"endpoint"`    // stores: https://host
	S3Region   string `json:"s3_region"`   // stores: as the provider names it
	Bucket     string `json:"bucket"`      // stores
	Prefix     string `json:"prefix"`      // stores: before every name, ends in a slash
	AccessKey  string `json:"access_key"`  // stores: its id
	SecretFile string `json:"secret_file"` // stores: file with the secret key; sftp: file with our private key
	Lock       string `json:"lock"`        // stores: governance or compliance

	Address string `json:"address"`  // sftp: host:port
	User    string `json:"user"`     // sftp
	HostKey string `json:"host_key"` // sftp: as ssh-keyscan prints it
	NoSync  bool   `json:"no_sync"`  // sftp: the server cannot sync files

	RateLimit int64         `json:"rate_limit"` // bytes a second; 0: none
	LagAlarm  time.Duration `json:"lag_alarm"`  // more behind than this is told; 0: 5 minutes
	LockFor   time.Duration `json:"lock_for"`   // compacted segments and fulls cannot be deleted for so long
}

// usualLagAlarm is when somebody is told that a destination is behind.
const usualLagAlarm = 5 * time.Minute

// labels are those of all destinations, sorted.
func (c BackupConfig) labels() []string { return slices.Sorted(maps.Keys(c.Destinations)) }

// Validate reports everything that is wrong at once.
func (c BackupConfig) Validate() error {
	faults := []error{c.Config.Validate()}
	for _, label := range c.labels() {
		if err := c.Destinations[label].validate(); err != nil {
			faults = append(faults, errs.Wrap(err, errs.Invalid, "backup_destination_invalid",
				"backup.destinations."+label+": "+oneLine(err)))
		}
	}
	return errors.Join(faults...)
}

func (c DestinationConfig) validate() error {
	if c.RateLimit < 0 || c.LagAlarm < 0 || c.LockFor < 0 {
		return errs.Field("rate_limit, lag_alarm, lock_for", "out_of_range", "0 or more")
	}
	_, store := s3dest.Kinds(c.Kind)
	switch {
	case c.Kind == "dir" && c.Path == "":
		return errs.Field("path", "required", "the directory is needed")
	case c.Kind != "dir" && c.Kind != "sftp" && !store:
		return errs.Field("kind", "invalid_choice", "dir, sftp, s3, oss, cos, obs, minio or versitygw")
	}
	return nil
}

// open connects to nothing yet, except that a directory is looked at.
func (c DestinationConfig) open(dataDir string) (backup.Destination, error) {
	switch c.Kind {
	case "dir":
		return dirdest.New(dirdest.Config{Dir: c.Path, DataDir: dataDir, SameDevice: c.SameDevice})
	case "sftp":
		key, err := c.secret()
		if err != nil {
			return nil, err
		}
		return sftpdest.New(sftpdest.Config{
			Address: c.Address, User: c.User, Dir: c.Path, HostKey: c.HostKey, PrivateKey: key, NoSync: c.NoSync,
		}, clock.System{})
	}
	secret, err := c.secret()
	if err != nil {
		return nil, err
	}
	quirks, _ := s3dest.Kinds(c.Kind)
	quirks.Lock = c.Lock
	return s3dest.New(s3dest.Config{
		Endpoint: c.Endpoint, Region: c.S3Region, Bucket: c.Bucket, Prefix: c.Prefix, AccessKey: c.AccessKey,
		SecretKey: strings.TrimSpace(secret), Quirks: quirks,
	}, newOutbound().Transport)
}

func (c DestinationConfig) secret() (string, error) {
	content, err := os.ReadFile(c.SecretFile)
	if err != nil {
		return "", errs.Field("secret_file", "backup_secret_unreadable", "the file with the secret cannot be read")
	}
	return string(content), nil
}

// targets opens all destinations, each with its retries and limits.
func (c Config) targets() ([]mirror.Target, error) {
	var all []mirror.Target
	var faults []error
	for _, label := range c.Backup.labels() {
		d := c.Backup.Destinations[label]
		dest, err := d.open(c.Data)
		if err != nil {
			faults = append(faults, fmt.Errorf("backup.destinations.%s: %w", label, err))
			continue
		}
		if d.RateLimit > 0 {
			dest = backup.Limit(dest, d.RateLimit)
		}
		alarm := d.LagAlarm
		if alarm == 0 {
			alarm = usualLagAlarm
		}
		all = append(all, mirror.Target{
			Label: label, Region: d.Region, Dest: backup.Retry(dest, backup.DefaultRetry()), Retention: mirror.DefaultRetention(),
			LagAlarm: alarm, LockFor: d.LockFor,
		})
	}
	return all, errors.Join(faults...)
}
