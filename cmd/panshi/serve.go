package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"

	"panshi/internal/app"
	"panshi/internal/web"
)

type serveCmd struct {
	HTTP    *string     `name:"http" placeholder:"ADDR" help:"Address of the shop (default 127.0.0.1:8080)."`
	Console *string     `placeholder:"ADDR" help:"Address of the staff console (default 127.0.0.1:8081)."`
	Roles   *string     `placeholder:"all" help:"What this process does: all, or catalog,order,payment,account,console,worker,keeper (default all)."`
	Follow  followFlags `embed:""`
	Sandbox *string     `placeholder:"ADDR" help:"Also run the payment simulator here and sell through it. No money moves."`
}

// Help implements kong.HelpProvider.
func (serveCmd) Help() string {
	return `Runs until SIGINT or SIGTERM: then it takes no more requests, finishes those under way and stops; a second
signal stops at once, and nothing is lost by that either. Logs are JSON lines on stderr.

  panshi serve --data ./try --sandbox 127.0.0.1:8090
  panshi serve --data /var/lib/panshi --set shop.public_url=https://shop.example --set web.tls=true \
      --set web.trusted_proxies=127.0.0.1      behind a TLS proxy on the same machine
  panshi serve --set shop.order_ttl=10m --set sandbox.url=http://127.0.0.1:8090
  panshi serve --data /var/lib/panshi-1 --roles catalog,order --set db.url=postgres://...

On PostgreSQL several processes may share one shop, each with a data directory of its own and the same keys
(vault.key_file, vault.dir). Roles choose what a process answers and does by itself; every role must run somewhere:
  catalog   shelves, products, pictures, /openapi.json    payment   starting payments, callbacks (/notify/)
  order     placing, showing and revealing orders         account   finding an order again
  console   the staff's pages and API                     worker    jobs; lost callbacks, expiry, refunds
  keeper    what is kept and thrown away
A standby on another machine: --follow DESTINATION keeps a copy of the shop in --data, sells nothing, and takes over by
panshi promote (docs/operations/standby.md). Its first start needs --sheet; --cards opens card keys there.

  panshi serve --data /var/lib/panshi --config panshi.yaml --follow nas --sheet -

What a process does not serve it answers with 421; /healthz and /readyz (which tells the roles) it always serves, and
/metrics at the console's address. SQLite is one process's alone and allows nothing but all. deploy/nginx/panshi.conf
sends each path to its role.`
}

// Run serves until ctx ends.
func (c serveCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	for name, value := range map[string]*string{"--http": c.HTTP, "--console": c.Console, "--sandbox": c.Sandbox} {
		if err := address(name, value); err != nil {
			return err
		}
	}
	cfg, err := g.load(map[string]*string{
		"http": c.HTTP, "console": c.Console, "roles": c.Roles, "sandbox.addr": c.Sandbox,
	})
	if err != nil {
		return err
	}
	if cfg.ProveCommand, err = g.again("backup", "prove"); err != nil {
		return err
	}
	if cfg.DrillCommand, err = g.again("drill", "run"); err != nil {
		return err
	}
	setCollector()
	if c.Follow.From != nil {
		return c.Follow.run(ctx, cfg, t)
	}
	if err := c.Follow.alone(); err != nil {
		return err
	}
	lines := web.NewLogWriter(t.err)
	defer func() { _ = lines.Close() }() // stderr is gone, or has everything
	return app.Serve(ctx, cfg, lines.Logger(slog.LevelInfo), func(a app.Addresses) { t.ready(a, cfg.Data) })
}

// What a running shop tells the garbage collector, unless GOGC and GOMEMLIMIT
// say otherwise. A shop lives on some 10 MB, so that Go's default collects many
// times a second under load, for a tenth to a third of the processor time; four
// times that much garbage is no memory that anybody misses. The limit has it
// collect more often once a process is really large.
const (
	garbagePercent = 400
	memoryLimit    = 512 << 20
)

func setCollector() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(garbagePercent)
	}
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(memoryLimit)
	}
}

// ready tells where the shop is and how to buy: a text, or with --json one
// line, so that a script can wait for it.
func (t *terminal) ready(a app.Addresses, data string) {
	told := struct {
		Event string `json:"event"`
		app.Addresses
	}{"ready", a}
	_ = t.line(told, func(w io.Writer) { tellReady(w, a, data) }) // who does not listen may still buy
}

func tellReady(w io.Writer, a app.Addresses, data string) {
	fmt.Fprintf(w, `
Panshi is ready. 磐石已就绪。

  Shop     商店  %s
  Console  后台  %s
                 first time 首次进入: panshi setup-link --data %s
`, a.Shop, a.Console, data)
	if a.Roles != "all" {
		fmt.Fprintf(w, "  Roles    角色  %s\n", a.Roles)
	}
	if a.Sandbox != "" {
		fmt.Fprintf(w, `  Payments 支付  %s
                 a simulator, no money moves 模拟支付，不动真钱

To buy: open the shop, choose a product, place the order; then open the payment simulator, choose the order and
pay it as a buyer would with a phone. The key appears on the order page.
购买：打开商店，选择商品并下单；再打开模拟支付页面，选中该订单付款，卡密即显示在订单页。
`, a.Sandbox)
	}
	fmt.Fprintln(w)
}
