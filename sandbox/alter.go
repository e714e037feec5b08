package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// inEnvelope begins the paths of members that stand outside the sealed part of a callback.
const inEnvelope = "envelope."

// alter encodes v with members changed: set names them by their path, such as amount.total, and null takes one out.
// prefix chooses the paths that are of v: inEnvelope, or empty for all but those.
func alter(v any, set map[string]any, prefix string) ([]byte, error) {
	text := encode(v)
	if len(set) == 0 {
		return text, nil
	}
	var tree map[string]any
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if err := d.Decode(&tree); err != nil {
		return nil, fmt.Errorf("sandbox: alter: %w", err)
	}
	changed := false
	for path, value := range set {
		rest, within := strings.CutPrefix(path, inEnvelope)
		if within != (prefix == inEnvelope) {
			continue
		}
		changed = true
		setPath(tree, strings.Split(rest, "."), value)
	}
	if !changed {
		return text, nil
	}
	return encode(tree), nil
}

func setPath(tree map[string]any, path []string, value any) {
	for len(path) > 1 {
		inner, ok := tree[path[0]].(map[string]any)
		if !ok {
			inner = map[string]any{}
			tree[path[0]] = inner
		}
		tree, path = inner, path[1:]
	}
	if value == nil {
		delete(tree, path[0])
		return
	}
	tree[path[0]] = value
}

// fields are the paths of all that a callback says, with what it says there; what is only known once the callback is
// sealed is empty.
func (d *draft) fields() map[string]any {
	out := map[string]any{}
	if notice, ok := d.content.(*aliNotice); ok {
		for name := range notice.form {
			out[name] = notice.form.Get(name)
		}
		return out
	}
	for prefix, v := range map[string]any{"": d.content, inEnvelope: envelope{}} {
		var tree map[string]any
		if json.Unmarshal(encode(v), &tree) == nil {
			paths(out, prefix, tree)
		}
	}
	return out
}

func paths(out map[string]any, prefix string, tree map[string]any) {
	for name, v := range tree {
		if inner, ok := v.(map[string]any); ok {
			paths(out, prefix+name+".", inner)
			continue
		}
		out[prefix+name] = v
	}
}

// alter changes parameters by name; nil takes one out.
func (n *aliNotice) alter(set map[string]any) {
	for name, value := range set {
		if value == nil {
			n.form.Del(name)
			continue
		}
		n.form.Set(name, fmt.Sprint(value))
	}
}
