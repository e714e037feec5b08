package app

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"panshi/internal/backup"
	"panshi/internal/backup/mirror"
	"panshi/internal/backup/schedule"
	"panshi/internal/backup/ship"
	"panshi/internal/clock"
	"panshi/internal/dirdest"
	"panshi/internal/errs"
	"panshi/internal/s3dest"
	"panshi/internal/sftpdest"
	"panshi/internal/vault"
)

// BackupConfig is where the shop's history goes: into the spool, and from there
// to destinations.
type BackupConfig struct {
	ship.Config `json:",squash"` //nolint:staticcheck // the tag is mapstructure's, which reads "json" here

	Destinations []DestinationConfig `json:"destinations"`
	Postgres     PostgresBackup      `json:"postgres"` // of a shop on PostgreSQL
	Lease        LeaseConfig         `json:"lease"`

	// Prove is how often destinations are proved without being asked, ProveIn the
	// directory for it, "" for the one of the data directory.
	Prove   schedule.Rhythm `json:"prove"`
	ProveIn string          `json:"prove_in"`

	// Drills tells whether disasters are rehearsed without being asked: drillsMonthly
	// or drillsOff.
	Drills string `json:"drills"`
}

// Validate reports everything that is wrong at once.
func (c BackupConfig) Validate() error {
	err := c.Config.Validate()
	if !slices.Contains(schedule.Rhythms(), c.Prove) {
		err = errors.Join(err, errs.Field("backup.prove", "invalid_value", "daily, weekly or off"))
	}
	if c.Drills != drillsMonthly && c.Drills != drillsOff {
		err = errors.Join(err, errs.Field("backup.drills", "invalid_value", "monthly or off"))
	}
	return err
}

// labels are those of all destinations.
func (c BackupConfig) labels() []string {
	var all []string
	for _, d := range c.Destinations {
		all = append(all, d.Label)
	}
	return all
}

// DestinationConfig is one place that backups go to. Credentials are no settings:
// they are stored by `panshi key destination put`.
type DestinationConfig struct {
	Label  string `json:"label"`  // unique; names the place in alarms
	Kind   string `json:"kind"`   // directory, sftp, s3, minio, versitygw, oss, cos or obs
	Region string `json:"region"` // where it stands, for the policy of several places

	Dir        string `json:"dir"`         // directory, sftp
	SameDevice bool   `json:"same_device"` // directory: allow the disk of the data

	Endpoint string `json:"endpoint"` // object stores
	Bucket   string `json:"bucket"`
	Prefix   string `json:"prefix"`
	S3Region string `json:"s3_region"`
	Lock     string `json:"lock"` // "", governance or compliance

	Address string `json:"address"` // sftp: host:port
	User    string `json:"user"`
	HostKey string `json:"host_key"`
	NoSync  bool   `json:"no_sync"`

	Limit    int64         `json:"limit"`     // bytes a second, 0 for none
	LagAlarm time.Duration `json:"lag_alarm"` // 0: 15 minutes
	LockFor  time.Duration `json:"lock_for"`  // 0: no locks

	// Retention: all zero takes the defaults.
	Fine   time.Duration `json:"fine"`
	Window time.Duration `json:"window"`
	Daily  int           `json:"daily"`
	Fulls  int           `json:"fulls"`
}

// DestinationSecret is the credential of one destination.
type DestinationSecret struct {
	AccessKey  string `json:"access_key,omitempty"`
	SecretKey  string `json:"secret_key,omitempty"`
	PrivateKey string `json:"private_key,omitempty"`
}

// String keeps it out of logs.
func (DestinationSecret) String() string { return "(hidden)" }

// GoString keeps it out of logs.
func (DestinationSecret) GoString() string { return "(hidden)" }

func secretOf(label string) string { return "destination-" + label }

// PutDestinationSecret stores the credential of a destination, wrapped by the
// key-encryption key, in place of the one before. Code
// backup_credential_invalid: it is not the JSON of a DestinationSecret.
func PutDestinationSecret(cfg Config, label string, content []byte) error {
	if err := mirror.ValidLabel(label); err != nil {
		return err
	}
	if _, err := parseDestinationSecret(content); err != nil {
		return err
	}
	return vault.NewSecrets(vault.Config(cfg.Vault)).Replace(secretOf(label), content)
}

func parseDestinationSecret(content []byte) (s DestinationSecret, err error) {
	if err := json.Unmarshal(content, &s); err != nil || s == (DestinationSecret{}) {
		return DestinationSecret{}, errs.New(errs.Invalid, "backup_credential_invalid", "a credential is JSON with access_key and secret_key, or private_key")
	}
	return s, nil
}

// Targets makes the mirror's targets of all configured destinations. Settings
// that cannot work fail here, all at once; a place that is not there now does
// not. observe is told every call to a destination.
func Targets(list []DestinationConfig, data string, secrets *vault.Secrets, now clock.Clock, observe func(label string, c backup.Call)) ([]mirror.Target, error) {
	var targets []mirror.Target
	var faults []error
	for i, d := range list {
		secret, err := d.secret(secrets)
		if err == nil {
			err = d.validate(secret)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("backup.destinations[%d]: %w", i, err))
			continue
		}
		dest := backup.Lazy(func() (backup.Destination, error) { return d.open(secret, data, now) })
		targets = append(targets, d.target(dest, now, observe))
	}
	return targets, errors.Join(faults...)
}

func (d DestinationConfig) secret(secrets *vault.Secrets) (DestinationSecret, error) {
	if !d.needsSecret() {
		return DestinationSecret{}, nil
	}
	content, err := secrets.Load(secretOf(d.Label))
	if err != nil {
		return DestinationSecret{}, err
	}
	defer clear(content)
	return parseDestinationSecret(content)
}

func (d DestinationConfig) needsSecret() bool {
	_, store := s3dest.Kinds(d.Kind)
	return d.Kind == "sftp" || store
}

func (d DestinationConfig) validate(secret DestinationSecret) error {
	err := mirror.ValidLabel(d.Label)
	switch quirks, store := s3dest.Kinds(d.Kind); {
	case d.Kind == "directory" && d.Dir == "":
		return errors.Join(err, errs.Field("dir", "required", "this setting of the destination is needed"))
	case d.Kind == "directory":
		return err
	case d.Kind == "sftp":
		return errors.Join(err, d.sftp(secret).Validate())
	case store:
		return errors.Join(err, d.s3(secret, quirks).Validate())
	}
	return errors.Join(err, errs.Field("kind", "backup_kind_unknown", "a destination is a directory, sftp, s3, minio, versitygw, oss, cos or obs"))
}

func (d DestinationConfig) open(secret DestinationSecret, data string, now clock.Clock) (backup.Destination, error) {
	switch d.Kind {
	case "directory":
		return dirdest.New(dirdest.Config{Dir: d.Dir, DataDir: data, SameDevice: d.SameDevice})
	case "sftp":
		return sftpdest.New(d.sftp(secret), now)
	}
	quirks, _ := s3dest.Kinds(d.Kind) // validate has looked
	return s3dest.New(d.s3(secret, quirks), s3dest.Transport())
}

func (d DestinationConfig) sftp(secret DestinationSecret) sftpdest.Config {
	return sftpdest.Config{
		Address: d.Address, User: d.User, Dir: d.Dir, HostKey: d.HostKey, PrivateKey: secret.PrivateKey, NoSync: d.NoSync,
	}
}

func (d DestinationConfig) s3(secret DestinationSecret, quirks s3dest.Quirks) s3dest.Config {
	quirks.Lock = d.Lock
	return s3dest.Config{
		Endpoint: d.Endpoint, Region: d.S3Region, Bucket: d.Bucket, Prefix: d.Prefix,
		AccessKey: secret.AccessKey, SecretKey: secret.SecretKey, Quirks: quirks,
	}
}

// target wraps a destination: measured inside, repeated, and held to its rate.
func (d DestinationConfig) target(dest backup.Destination, now clock.Clock, observe func(string, backup.Call)) mirror.Target {
	dest = backup.Meter(dest, now, func(c backup.Call) { observe(d.Label, c) })
	retry := backup.DefaultRetry()
	if d.Limit > 0 {
		dest = backup.Limit(dest, d.Limit)
		retry.Slowest = min(retry.Slowest, d.Limit/2)
	}
	t := mirror.Target{
		Label: d.Label, Region: d.Region, Dest: backup.Retry(dest, retry), LagAlarm: d.LagAlarm, LockFor: d.LockFor,
		Retention: d.retention(),
	}
	if t.LagAlarm == 0 {
		t.LagAlarm = 15 * time.Minute
	}
	return t
}

// retention is what the destination keeps.
func (d DestinationConfig) retention() mirror.Retention {
	if r := (mirror.Retention{Fine: d.Fine, Window: d.Window, Daily: d.Daily, Fulls: d.Fulls}); r != (mirror.Retention{}) {
		return r
	}
	return mirror.DefaultRetention()
}
