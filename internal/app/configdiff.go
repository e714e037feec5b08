package app

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
)

// ConfigChange is one key whose value is another one. Was or Is is "" if the key
// is not set; secrets are hidden.
type ConfigChange struct {
	Key string `json:"key"`
	Was string `json:"was,omitempty"`
	Is  string `json:"is,omitempty"`
}

// ConfigDiff tells the keys that differ between two versions, sorted. A file that
// is no YAML has one key, the empty one.
func ConfigDiff(was, is ConfigVersion) []ConfigChange {
	changes := []ConfigChange{}
	if was.same(is) {
		return changes
	}
	before, after := flat(was.Content), flat(is.Content)
	keys := slices.AppendSeq(slices.Collect(maps.Keys(before)), maps.Keys(after))
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		old, had := before[key]
		now, has := after[key]
		if had != has || old != now {
			changes = append(changes, ConfigChange{Key: key, Was: masked(key, old), Is: masked(key, now)})
		}
	}
	return changes
}

// flat gives every value of a file by its key, lists by place: notify.channels[0].url.
func flat(content []byte) map[string]string {
	out := map[string]string{}
	parsed, err := yaml.Parser().Unmarshal(content)
	if err != nil {
		out[""] = "(no YAML)"
		return out
	}
	flatten(out, "", parsed)
	return out
}

func flatten(out map[string]string, key string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			flatten(out, strings.TrimPrefix(key+"."+name, "."), inner)
		}
	case map[any]any:
		for name, inner := range v {
			flatten(out, strings.TrimPrefix(fmt.Sprintf("%s.%v", key, name), "."), inner)
		}
	case []any:
		for i, inner := range v {
			flatten(out, fmt.Sprintf("%s[%d]", key, i), inner)
		}
	default:
		out[key] = fmt.Sprint(v)
	}
}

// masked hides what may be a secret: by the name of the key, and every address
// that has a password or anything behind its host, for hooks carry their token
// in the path.
func masked(key, value string) string {
	if value == "" {
		return ""
	}
	secret := regexp.MustCompile(`(?i)(secret|password|passwd|token|credential|hook|private|(^|[._])key|db\.url|replica_urls)`)
	if secret.MatchString(key) && !strings.HasSuffix(key, "_file") {
		return "(hidden)"
	}
	u, err := url.Parse(value)
	if err == nil && u.Host != "" && (u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "") {
		return u.Scheme + "://" + u.Host + "/(hidden)"
	}
	return value
}
