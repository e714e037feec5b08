package app

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"reflect"
	"strings"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/confmap"
	"github.com/knadh/koanf/providers/env/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"

	"panshi/internal/archive"
	"panshi/internal/backup/pgship"
	"panshi/internal/backup/schedule"
	"panshi/internal/backup/ship"
	"panshi/internal/cache"
	"panshi/internal/checkout"
	"panshi/internal/db/postgres"
	"panshi/internal/db/replica"
	"panshi/internal/errs"
	"panshi/internal/guard"
	"panshi/internal/notify"
	"panshi/internal/vault"
	"panshi/internal/web"
)

// Config is everything that a shop can be told. Keys are the json tags joined
// by dots: shop.order_ttl.
type Config struct {
	Data    string          `json:"data"`    // the data directory
	HTTP    string          `json:"http"`    // address of the public listener
	Console string          `json:"console"` // address of the staff's listener
	Roles   string          `json:"roles"`   // "all", or roles joined by commas
	Shop    checkout.Config `json:"shop"`
	Archive archive.Config  `json:"archive"`
	Web     web.Config      `json:"web"`
	Guard   guard.Config    `json:"guard"`
	Cache   cache.Config    `json:"cache"` // of pages and lists
	Vault   VaultConfig     `json:"vault"`
	Sandbox SandboxConfig   `json:"sandbox"`
	DB      DBConfig        `json:"db"`
	Notify  notify.Config   `json:"notify"` // who is told of alerts
	Backup  BackupConfig    `json:"backup"`
	Worker  string          `json:"worker"` // "on", or "off" to run no jobs and sweeps

	// ProveCommand proves a destination whose label is added to it, in a process
	// of its own; empty has nothing proved. It is no setting.
	ProveCommand []string `json:"-"`
	// DrillCommand is the same for a drill, whose name is added to it.
	DrillCommand []string `json:"-"`

	file string // that it was read from, "" for none
}

// VaultConfig says where the keys are; empty values are the usual places
// beside and in the data directory.
type VaultConfig struct {
	KeyFile string `json:"key_file"`
	Dir     string `json:"dir"`
}

// SandboxConfig says which payment simulator a shop sells through. Empty
// means none: a real shop.
type SandboxConfig struct {
	Addr string `json:"addr"` // run one in this process at this address
	URL  string `json:"url"`  // or use one that runs elsewhere
}

// DBConfig is what may be set of the database.
type DBConfig struct {
	URL       Secret `json:"url"`        // of a PostgreSQL server; empty: SQLite in the data directory
	MaxConns  int    `json:"max_conns"`  // PostgreSQL: connections for online work; 0: the default
	ReadConns int    `json:"read_conns"` // SQLite: online readers; 0: the default

	// ReplicaURLs are servers that follow the one of URL; shelves, searches
	// and reports are read from those that are at most ReplicaMaxLag behind.
	ReplicaURLs   []Secret      `json:"replica_urls"`
	ReplicaMaxLag time.Duration `json:"replica_max_lag"`
}

// Secret is a setting that no log and no error shows.
type Secret string

// String and GoString hide the value.
func (s Secret) String() string {
	if s == "" {
		return ""
	}
	return "(hidden)"
}

// GoString hides the value from %#v.
func (s Secret) GoString() string { return s.String() }

// Flags are what the command line says about configuration.
type Flags struct {
	Data string            // --data
	File string            // --config, "" for none
	Set  []string          // --set key=value, in order
	More map[string]string // values of a command's own flags, by key; they win
}

// Defaults are the values of a shop that is told nothing.
func Defaults() Config {
	return Config{
		Data: "panshi-data", HTTP: "127.0.0.1:8080", Console: "127.0.0.1:8081", Roles: allRoles, Worker: "on",
		Shop: checkout.Defaults(), Archive: archive.Defaults(), Web: web.DefaultConfig(), Guard: guard.DefaultConfig(),
		Cache: cache.DefaultConfig(), DB: DBConfig{ReplicaMaxLag: replica.DefaultMaxLag}, Notify: notify.Defaults(),
		Backup: BackupConfig{
			Config: ship.Defaults(), Prove: schedule.EveryFull, Drills: drillsMonthly, Lease: leaseDefaults(), Postgres: PostgresBackup{Settings: pgship.Defaults()},
		},
	}
}

// Load reads the configuration: defaults, then the file, then the environment
// (PANSHI_SHOP__ORDER_TTL=5m), then --set, then flags. Unknown keys and all
// invalid values are reported at once.
func Load(f Flags) (Config, error) {
	k := koanf.New(".")
	if f.File != "" {
		if err := k.Load(file.Provider(f.File), yaml.Parser()); err != nil {
			return Config{}, errs.Wrap(err, errs.Invalid, "config_file", "cannot read the configuration file "+f.File)
		}
	}
	if err := k.Load(env.Provider(".", env.Opt{Prefix: envPrefix, TransformFunc: fromEnv}), nil); err != nil {
		return Config{}, err
	}
	set, err := pairs(f)
	if err != nil {
		return Config{}, err
	}
	if err := k.Load(confmap.Provider(set, "."), nil); err != nil {
		return Config{}, err
	}
	cfg, err := decode(k)
	cfg.file = f.File
	return cfg, err
}

const envPrefix = "PANSHI_"

// fromEnv maps PANSHI_SHOP__ORDER_TTL to shop.order_ttl. Names that are for
// tools around the program are left alone.
func fromEnv(name, value string) (string, any) {
	switch name {
	case "PANSHI_FAULT", "PANSHI_CLOCK_AHEAD", "PANSHI_BIN", "PANSHI_TORTURE", "PANSHI_SANDBOX", "PANSHI_TEST_ENGINE", "PANSHI_SEED":
		return "", nil
	}
	key := strings.ToLower(strings.TrimPrefix(name, envPrefix))
	return strings.ReplaceAll(key, "__", "."), value
}

func pairs(f Flags) (map[string]any, error) {
	set := map[string]any{}
	for _, s := range f.Set {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return nil, errs.Field("--set", "invalid_value", fmt.Sprintf("--set wants key=value, not %q", s))
		}
		set[key] = value
	}
	if f.Data != "" {
		set["data"] = f.Data
	}
	for key, value := range f.More {
		if value != "" {
			set[key] = value
		}
	}
	return set, nil
}

func decode(k *koanf.Koanf) (Config, error) {
	cfg := Defaults()
	err := k.UnmarshalWithConf("", &cfg, koanf.UnmarshalConf{Tag: "json", DecoderConfig: &mapstructure.DecoderConfig{
		Result: &cfg, TagName: "json", ErrorUnused: true, WeaklyTypedInput: true,
		DecodeHook: mapstructure.ComposeDecodeHookFunc(mapstructure.StringToTimeDurationHookFunc(), inlineDestinations,
			mapstructure.StringToWeakSliceHookFunc(",")),
	}})
	if err != nil {
		return Config{}, errs.Wrap(err, errs.Invalid, "config", "configuration: "+oneLine(err))
	}
	cfg.fill()
	return cfg, cfg.Validate()
}

// inlineDestinations reads backup.destinations from one line of YAML or JSON, as
// an environment variable or --set has it.
func inlineDestinations(from, to reflect.Type, value any) (any, error) {
	text, ok := value.(string)
	if !ok || from.Kind() != reflect.String || to != reflect.TypeFor[[]DestinationConfig]() {
		return value, nil
	}
	wrapped, err := yaml.Parser().Unmarshal([]byte("list: " + text))
	if err != nil {
		return nil, errors.New("backup.destinations is no list such as [{label: disk, kind: directory, dir: /mnt/panshi}]")
	}
	return wrapped["list"], nil
}

func oneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }

// fill derives what was left open from what was set.
func (c *Config) fill() {
	places := vault.DefaultConfig(c.Data)
	if c.Vault.KeyFile == "" {
		c.Vault.KeyFile = places.KeyFile
	}
	if c.Vault.Dir == "" {
		c.Vault.Dir = places.Dir
	}
	if c.Shop.PublicURL == "" {
		c.Shop.PublicURL = urlOf(c.HTTP)
	}
}

// urlOf is where this machine reaches a listener: one that listens everywhere
// is asked on loopback.
func urlOf(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	ip := net.ParseIP(host)
	if err == nil && (host == "" || ip != nil && ip.IsUnspecified()) {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	return "http://" + addr
}

// Validate reports everything that is wrong at once.
func (c Config) Validate() error {
	var faults []error
	if c.Data == "" {
		faults = append(faults, errs.Field("data", "required", "the data directory is needed"))
	}
	faults = append(faults, c.validateRoles(), c.DB.validate(), c.validateSpool())
	if c.Worker != "on" && c.Worker != "off" {
		faults = append(faults, errs.Field("worker", "invalid_value", "worker is on or off"))
	}
	if c.Sandbox.Addr != "" && c.Sandbox.URL != "" {
		faults = append(faults, errs.Field("sandbox.url", "invalid_value", "set sandbox.addr or sandbox.url, not both"))
	}
	faults = append(faults, address("http", c.HTTP), address("console", c.Console), optionalAddress("sandbox.addr", c.Sandbox.Addr),
		absoluteURL("shop.public_url", c.Shop.PublicURL), optionalURL("sandbox.url", c.Sandbox.URL),
		c.Shop.Validate(), c.Archive.Validate(), c.Web.Validate(), c.Guard.Validate(), c.Cache.Validate(),
		c.Notify.Validate(), c.Backup.Validate(), c.Backup.validateLease(), c.Backup.Postgres.Validate(),
		vault.Config(c.Vault).Validate())
	return errors.Join(faults...)
}

func (c DBConfig) validate() error {
	var faults []error
	if c.ReadConns < 0 || c.ReadConns > 256 {
		faults = append(faults, errs.Field("db.read_conns", "out_of_range", "0 (the default) to 256"))
	}
	if c.MaxConns < 0 || c.MaxConns > 1000 {
		faults = append(faults, errs.Field("db.max_conns", "out_of_range", "0 (the default) to 1000"))
	}
	faults = append(faults, c.validateReplicas())
	if c.URL == "" {
		return errors.Join(faults...)
	}
	if err := (postgres.Config{URL: string(c.URL)}).Validate(); err != nil {
		faults = append(faults, errs.Field("db.url", "invalid_value",
			"is not the address of a PostgreSQL database such as postgres://user:password@host:5432/name"))
	}
	return errors.Join(faults...)
}

func (c DBConfig) validateReplicas() error {
	var faults []error
	if c.ReplicaMaxLag < 500*time.Millisecond || c.ReplicaMaxLag > time.Hour {
		faults = append(faults, errs.Field("db.replica_max_lag", "out_of_range", "500ms to 1h"))
	}
	if len(c.ReplicaURLs) > 0 && c.URL == "" {
		faults = append(faults, errs.Field("db.replica_urls", "invalid_value", "a replica follows the server of db.url, which is not set"))
	}
	known := map[string]bool{}
	for i, u := range c.ReplicaURLs {
		if at := postgres.Address(string(u)); known[at] {
			faults = append(faults, errs.Field(fmt.Sprintf("db.replica_urls[%d]", i), "invalid_value", at+" is named twice"))
		} else {
			known[at] = true
		}
		if err := (postgres.Config{URL: string(u)}).Validate(); err != nil {
			faults = append(faults, errs.Field(fmt.Sprintf("db.replica_urls[%d]", i), "invalid_value",
				"is not the address of a PostgreSQL database such as postgres://user:password@host:5432/name"))
		}
	}
	return errors.Join(faults...)
}

func address(key, value string) error {
	if _, _, err := net.SplitHostPort(value); err != nil {
		return errs.Field(key, "invalid_value", fmt.Sprintf("%q is not an address such as 127.0.0.1:8080", value))
	}
	return nil
}

func optionalAddress(key, value string) error {
	if value == "" {
		return nil
	}
	return address(key, value)
}

func absoluteURL(key, value string) error {
	u, err := url.Parse(value)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || strings.HasSuffix(value, "/") {
		return errs.Field(key, "invalid_value", fmt.Sprintf("%q is not a URL such as https://shop.example", value))
	}
	return nil
}

func optionalURL(key, value string) error {
	if value == "" {
		return nil
	}
	return absoluteURL(key, value)
}
