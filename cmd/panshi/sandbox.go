package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"

	"panshi/internal/app"
	"panshi/internal/errs"
)

type sandboxCmd struct {
	HTTP  string  `name:"http" placeholder:"ADDR" default:"127.0.0.1:8090" help:"Address of the simulator (default ${default})."`
	State *string `placeholder:"FILE" help:"State file (default: the data directory's name with .sandbox, as in serve --sandbox)."`
}

// Help implements kong.HelpProvider.
func (sandboxCmd) Help() string {
	return `A payment platform to develop against: it speaks WeChat Pay v3 and Alipay, with its own keys and durable state.
No money moves, and it hands out private keys: keep it on loopback.

  panshi sandbox --http 127.0.0.1:8090 --state ./pay.sandbox
  panshi serve --set sandbox.url=http://127.0.0.1:8090

While it runs (sandbox/README.md has all of it):

  POST /simulate/merchants  {"name":"demo"}            a merchant with its keys; as many as you like
  POST /simulate/pay        {"out_trade_no":"P…"}      pays as a buyer would
  POST /simulate/callback   {"out_trade_no":"P…"}      a callback now, forged or changed if told so
  POST /simulate/keys       {"certificate":"announce"} rotates the certificate: announce, switch, retire;
                            {"mode":"mixed"}           both, mixed, certificate, public_key: what signs
  PUT  /simulate/faults     {"rules":[{"fault":"5xx","on":["query"],"probability":0.3}]}
                            faults: latency reset 5xx garbage half skew drop duplicate reorder;
                            on: endpoints or callback; with count, after_s, for_s, merchant, after
  GET  /simulate/trades, /simulate/refunds, /simulate/keys, /simulate/faults`
}

// Run runs the simulator until ctx ends.
func (c sandboxCmd) Run(ctx context.Context, g *globals, t *terminal) (err error) {
	cfg, err := g.load(nil)
	if err != nil {
		return err
	}
	state := app.SandboxState(cfg.Data)
	if c.State != nil {
		state = *c.State
	}
	if err := plain("--state", state, 4096); err != nil {
		return err
	}
	if err := address("--http", &c.HTTP); err != nil {
		return err
	}
	var listen net.ListenConfig
	ln, err := listen.Listen(ctx, "tcp", c.HTTP)
	if err != nil {
		e := errs.Wrap(err, errs.Invalid, "address_unusable", "cannot listen on "+c.HTTP+"; is another program there?")
		e.Field = "--http"
		return e
	}
	url := "http://" + ln.Addr().String()
	stop, err := app.ServeSandbox(ctx, ln, state, url, t.log(slog.LevelInfo))
	if err != nil {
		_ = ln.Close() // nothing was served
		return err
	}
	told := map[string]string{"event": "ready", "sandbox": url, "state": state}
	err = t.line(told, func(w io.Writer) {
		fmt.Fprintf(w, "The payment simulator is ready at %s (no money moves). 模拟支付平台已就绪。\n", url)
	})
	if err == nil {
		<-ctx.Done()
	}
	if err2 := stop(); err == nil {
		err = err2
	}
	return err
}
