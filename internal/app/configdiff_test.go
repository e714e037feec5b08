package app

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A difference says which keys, and never a secret.
func TestADifferenceHidesSecrets(t *testing.T) {
	t.Parallel()
	was := ConfigVersion{Content: []byte("db:\n  url: postgres://u:hush1@h/x\nshop:\n  order_ttl: 5m\nlist: [1, 2]\n")}
	is := ConfigVersion{Content: []byte("db:\n  url: postgres://u:hush2@h/x\n  replica_urls: [hush3]\nshop:\n  public_url: https://a.example\n" +
		"list: [1, 3]\nnotify:\n  channels:\n    - {name: a, url: 'https://hooks.example/hush4', secret_file: /etc/s, password: hush5}\n")}
	require.Equal(t, []ConfigChange{
		{Key: "db.replica_urls[0]", Is: "(hidden)"},
		{Key: "db.url", Was: "(hidden)", Is: "(hidden)"},
		{Key: "list[1]", Was: "2", Is: "3"},
		{Key: "notify.channels[0].name", Is: "a"},
		{Key: "notify.channels[0].password", Is: "(hidden)"},
		{Key: "notify.channels[0].secret_file", Is: "/etc/s"},
		{Key: "notify.channels[0].url", Is: "https://hooks.example/(hidden)"},
		{Key: "shop.order_ttl", Was: "5m"},
		{Key: "shop.public_url", Is: "https://a.example"},
	}, ConfigDiff(was, is))
	require.Empty(t, ConfigDiff(was, was))
	require.Equal(t, []ConfigChange{{Key: "", Is: "(no YAML)"}}, ConfigDiff(ConfigVersion{}, ConfigVersion{Content: []byte("a: [")}))
}
