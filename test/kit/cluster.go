package kit

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"panshi/internal/db/dbtest"
)

// clusterDatabase is the name of a cluster's database.
const clusterDatabase = "shop"

// Cluster is several processes of one demo shop on one PostgreSQL server,
// behind the Nginx configuration that is shipped.
type Cluster struct {
	Server  *dbtest.Node
	Members []*Member
	Addr    string // of Nginx

	t        testing.TB
	dir      string
	platform *Platform
	settings []string
}

// Member is one process of a cluster, which may be killed and started again.
type Member struct {
	Roles         string // as --roles takes them
	Data          string // its own data directory
	Addr, Console string
	LogFile       string
	*Proc         // of the last start

	cluster *Cluster
}

// NewCluster fills a demo shop and starts a member for each of roles, in that
// order, and Nginx. It takes its payments through p.
func NewCluster(t testing.TB, server *dbtest.Node, p *Platform, roles []string, settings ...string) *Cluster {
	t.Helper()
	c := &Cluster{Server: server, Addr: freeAddr(), t: t, dir: t.TempDir(), platform: p}
	require.NoError(t, server.Exec("postgres", "CREATE DATABASE "+clusterDatabase))
	c.settings = append([]string{
		"db.url=" + server.URL(clusterDatabase), "vault.key_file=" + filepath.Join(c.dir, "shop.key"),
		"vault.dir=" + filepath.Join(c.dir, "keys"), "shop.public_url=http://" + c.Addr, "sandbox.url=" + p.URL,
		"web.trusted_proxies=127.0.0.1", "guard.limits=off",
	}, settings...)
	for i, r := range roles {
		name := fmt.Sprintf("%d-%s", i, strings.ReplaceAll(r, ",", "-"))
		c.Members = append(c.Members, &Member{
			Roles: r, Data: filepath.Join(c.dir, name), Addr: freeAddr(), Console: freeAddr(),
			LogFile: filepath.Join(c.dir, name+".log"), cluster: c,
		})
	}
	r := c.Run(0, "demo")
	require.Zero(t, r.Code, "%s%s", r.Out, r.Err)
	for _, m := range c.Members {
		m.Start()
	}
	c.startNginx()
	return c
}

// flags are those by which every command finds the shop.
func (c *Cluster) flags(data string) []string {
	args := []string{"--data", data}
	for _, kv := range c.settings {
		args = append(args, "--set", kv)
	}
	return args
}

// Start starts a member and waits until it can do its part.
func (m *Member) Start() {
	t := m.cluster.t
	t.Helper()
	args := append([]string{"serve", "--http", m.Addr, "--console", m.Console, "--roles", m.Roles}, m.cluster.flags(m.Data)...)
	p, err := startProc(m.LogFile, nil, Binary(t), args...)
	require.NoError(t, err)
	m.Proc = p
	t.Cleanup(p.Kill)
	require.NoError(t, p.await("http://"+m.Addr+"/readyz", time.Minute))
}

// Has tells whether a member serves the paths of a role.
func (m *Member) Has(role string) bool {
	return m.Roles == "all" || slices.Contains(strings.Split(m.Roles, ","), role)
}

// Client returns a buyer's client that comes through Nginx.
func (c *Cluster) Client() *Client { return newClient("http://" + c.Addr) }

// Client returns a client of this one process.
func (m *Member) Client() *Client { return newClient("http://" + m.Addr) }

// Run runs a command at a member.
func (c *Cluster) Run(member int, args ...string) Result {
	c.t.Helper()
	cmd := exec.CommandContext(c.t.Context(), Binary(c.t), append(args, c.flags(c.Members[member].Data)...)...)
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &errOut, cleanEnv(nil)
	_ = cmd.Run() // the code tells
	return Result{cmd.ProcessState.ExitCode(), out.String(), errOut.String()}
}

// RequireClean runs `panshi check` and fails the test on any violation.
func (c *Cluster) RequireClean() {
	c.t.Helper()
	r := c.Run(0, "check")
	require.Zero(c.t, r.Code, "panshi check\n%s\n%s", r.Out, r.Err)
}

// Text reads one text of the shop's database.
func (c *Cluster) Text(query string, args ...any) string {
	c.t.Helper()
	text, err := c.Server.Text(clusterDatabase, query, args...)
	require.NoError(c.t, err)
	return text
}

// startNginx runs the shipped configuration with this cluster's addresses.
func (c *Cluster) startNginx() {
	c.t.Helper()
	binary, err := exec.LookPath("nginx")
	if err != nil {
		binary = "/usr/sbin/nginx" // Debian keeps it out of most users' PATH
	}
	dir := filepath.Join(c.dir, "nginx")
	require.NoError(c.t, os.Mkdir(dir, 0o700))
	write := func(name, text string) {
		require.NoError(c.t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	write("panshi.conf", c.substituted(dir))
	user := ""
	if os.Geteuid() == 0 {
		user = "user root;" // or its workers could not enter the test's directory
	}
	write("nginx.conf", fmt.Sprintf(`%s
daemon off; worker_processes 1; pid %[2]s/pid; error_log %[2]s/error.log warn;
events { worker_connections 2048; }
http {
    client_body_temp_path %[2]s/body; proxy_temp_path %[2]s/proxy; fastcgi_temp_path %[2]s/fastcgi;
    uwsgi_temp_path %[2]s/uwsgi; scgi_temp_path %[2]s/scgi;
    include %[2]s/panshi.conf;
}
`, user, dir))
	p, err := startProc(filepath.Join(dir, "output"), nil, binary, "-p", dir, "-e", filepath.Join(dir, "error.log"),
		"-c", filepath.Join(dir, "nginx.conf"))
	require.NoError(c.t, err, "Nginx is missing. Run: make setup")
	c.t.Cleanup(p.Kill)
	require.NoError(c.t, p.await("http://"+c.Addr+"/healthz", 20*time.Second))
}

// substituted is deploy/nginx/panshi.conf with what its CHANGE marks ask for.
func (c *Cluster) substituted(dir string) string {
	c.t.Helper()
	root, err := Root()
	require.NoError(c.t, err)
	shipped, err := os.ReadFile(filepath.Join(root, "deploy", "nginx", "panshi.conf"))
	require.NoError(c.t, err)
	text := string(shipped)
	replace := func(old, by string) {
		require.Equal(c.t, 1, strings.Count(text, old), "%q in panshi.conf", old)
		text = strings.Replace(text, old, by, 1)
	}
	replace("listen 80;", "listen "+c.Addr+";")
	replace("/var/log/nginx/panshi.log", filepath.Join(dir, "access.log"))
	upstream := regexp.MustCompile(`(upstream panshi_(\w+) \{\n)    server 127\.0\.0\.1:8080( [^;]*;)`)
	require.Len(c.t, upstream.FindAllString(text, -1), 4)
	return upstream.ReplaceAllStringFunc(text, func(block string) string {
		parts := upstream.FindStringSubmatch(block)
		for _, m := range c.Members {
			if m.Has(parts[2]) {
				parts[1] += "    server " + m.Addr + parts[3] + "\n"
			}
		}
		return strings.TrimSuffix(parts[1], "\n")
	})
}
