package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"panshi/internal/adminsock"
	"panshi/internal/app"
	"panshi/internal/errs"
)

type accountCmd struct {
	Put  accountPutCmd  `cmd:"" help:"Store a payment account."`
	Set  accountSetCmd  `cmd:"" help:"Switch a payment account on or off, or set what it takes."`
	List accountListCmd `cmd:"" help:"List the payment accounts, without their secrets."`
}

type accountPutCmd struct {
	Wechatpay accountWechatpayCmd `cmd:"" help:"Store an account at WeChat Pay."`
	Alipay    accountAlipayCmd    `cmd:"" help:"Store an application at Alipay."`
	Offline   accountOfflineCmd   `cmd:"" help:"Store where buyers transfer money to, which staff confirm."`
	Balance   accountBalanceCmd   `cmd:"" help:"Let buyers pay with store credit."`
}

// accountFlags are what accounts of all platforms have.
type accountFlags struct {
	File     string  `arg:"" help:"The account's settings (JSON); - reads standard input."`
	Merchant *string `placeholder:"SLUG" help:"Whose (default: the first merchant)."`
	Name     *string `placeholder:"TEXT" help:"As the buyer reads it (default: the platform's name)."`
	NameEN   *string `name:"name-en" placeholder:"TEXT" help:"The same in English."`
	Off      bool    `help:"Store it, but take no new payments by it."`
}

type accountWechatpayCmd struct {
	accountFlags
	Method string `placeholder:"METHOD" default:"native" enum:"native,jsapi,h5" help:"native (a QR code), jsapi (inside WeChat) or h5 (a phone's browser); default ${default}."`
}

// Help implements kong.HelpProvider.
func (accountWechatpayCmd) Help() string {
	return `The file has mch_id, app_id, merchant_serial, merchant_key_pem (the text of apiclient_key.pem), apiv3_key and
platform_keys (an object: PUB_KEY_ID_… or certificate serial to PEM text); base_url is the platform's if left out.
The settings are sealed with the shop's key and never come back; remove the file afterwards. The account with the
same mch_id and method is replaced; repeat the command for each method that the platform opened for you.

  panshi account put wechatpay wechatpay.json
  panshi account put wechatpay wechatpay.json --method h5
  panshi account put wechatpay - --merchant shop < wechatpay.json
  panshi account put wechatpay wechatpay.json --off`
}

// Run checks the settings and stores the account.
func (c accountWechatpayCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return c.store(ctx, g, t, "wechatpay", c.Method)
}

type accountAlipayCmd struct {
	accountFlags
	Method string `placeholder:"METHOD" default:"precreate" enum:"precreate,wap,page" help:"precreate (a QR code), wap (a phone's browser) or page (a desk's browser); default ${default}."`
}

// Help implements kong.HelpProvider.
func (accountAlipayCmd) Help() string {
	return `The file has app_id, seller_id (the merchant's PID, 2088…) and app_key_pem (the application's private key), and
either alipay_public_key or, for an application with certificates, app_cert (appCertPublicKey_….crt), alipay_cert
(alipayCertPublicKey_RSA2.crt) and alipay_root_cert (alipayRootCert.crt), each the file's text; base_url is the
platform's if left out. Keys may be PEM or the bare base64 of the platform's key tool.
The settings are sealed with the shop's key and never come back; remove the file afterwards. The account with the
same seller_id and method is replaced; repeat the command for each method that the platform opened for you.

  panshi account put alipay alipay.json
  panshi account put alipay alipay.json --method wap
  panshi account put alipay - --merchant shop < alipay.json
  panshi account put alipay alipay.json --off`
}

// Run checks the settings and stores the account.
func (c accountAlipayCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return c.store(ctx, g, t, "alipay", c.Method)
}

type accountOfflineCmd struct {
	accountFlags
}

// Help implements kong.HelpProvider.
func (accountOfflineCmd) Help() string {
	return `The file has instructions (bank, account and name, as the buyer reads them), and may have hours (how long an order
waits for the transfer, 1 to 168, default 24) and ref (a name that tells two such accounts apart). The number that
the transfer must name is added below the instructions. Two people confirm each transfer in the console.

  panshi account put offline bank.json
  echo '{"instructions":"Bank, account, name","hours":48}' | panshi account put offline -`
}

// Run checks the settings and stores the account.
func (c accountOfflineCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return c.store(ctx, g, t, "offline", "transfer")
}

type accountBalanceCmd struct {
	accountFlags
}

// Help implements kong.HelpProvider.
func (accountBalanceCmd) Help() string {
	return `Buyers pay with the number and the code of a store credit account; staff make those in the console. No platform is
asked. The file may have ref (a name that tells two such accounts apart).

  echo '{}' | panshi account put balance -
  echo '{}' | panshi account put balance - --off`
}

// Run checks the settings and stores the account.
func (c accountBalanceCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return c.store(ctx, g, t, "balance", "credit")
}

func (c accountFlags) store(ctx context.Context, g *globals, t *terminal, provider, method string) error {
	r, err := c.request(provider, method)
	if err != nil {
		return err
	}
	config, open, err := readSettings(ctx, t, c.File)
	if err != nil {
		return err
	}
	if err := app.CheckAccount(provider, config); err != nil {
		return err
	}
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		a, err := s.PutAccount(ctx, r, config)
		if err != nil {
			return nameFlag(err)
		}
		if open { // said last: an error is one line
			t.log(slog.LevelWarn).WarnContext(ctx, "other users can read the file: chmod go= it, or remove it", "file", c.File)
		}
		return t.result(a, func(w io.Writer) {
			fmt.Fprintf(w, "The account %s of %s is stored and %s. 收款账户已保存。\n", oneLine(a.MchID), oneLine(a.Merchant), either(a.On, "on", "off"))
		})
	})
}

func (c accountFlags) request(provider, method string) (adminsock.AccountRequest, error) {
	r := adminsock.AccountRequest{Provider: provider, Method: method, Off: c.Off}
	var err error
	if r.Merchant, err = merchantSlug(c.Merchant); err != nil {
		return r, err
	}
	for _, name := range []struct {
		flag string
		from *string
		to   *string
	}{{"--name", c.Name, &r.Name}, {"--name-en", c.NameEN, &r.NameEN}} {
		if name.from == nil {
			continue
		}
		if err := plain(name.flag, *name.from, 120); err != nil {
			return r, err
		}
		*name.to = *name.from
	}
	return r, nil
}

// readSettings reads a small file whole. open tells that others can read it.
func readSettings(ctx context.Context, t *terminal, path string) (raw []byte, open bool, err error) {
	from := t.in
	if path != "-" {
		file, err := openFile(path)
		if err != nil {
			return nil, false, err
		}
		defer file.Close()
		if info, err := file.Stat(); err == nil {
			open = info.Mode()&0o044 != 0
		}
		from = file
	}
	raw, err = readSome(ctx, from)
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case err != nil:
		return nil, false, &errs.Error{Kind: errs.Invalid, Code: "file_unreadable", Field: "file", Msg: "cannot be read", Err: err}
	case len(raw) == 0:
		return nil, false, usage("FILE", "is empty")
	case len(raw) > adminsock.MaxConfig:
		return nil, false, usage("FILE", "is larger than an account's settings can be")
	}
	return raw, open, nil
}

// readSome reads up to what is too much. A terminal is read in an own
// goroutine, because nothing else can leave it.
func readSome(ctx context.Context, from io.Reader) ([]byte, error) {
	type read struct {
		raw []byte
		err error
	}
	if from == nil {
		return nil, errors.New("there is no standard input")
	}
	done := make(chan read, 1)
	go func() {
		raw, err := io.ReadAll(io.LimitReader(from, adminsock.MaxConfig+1))
		done <- read{raw, err}
	}()
	select {
	case r := <-done:
		return r.raw, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

type accountListCmd struct{}

// Help implements kong.HelpProvider.
func (accountListCmd) Help() string {
	return `The accounts of all merchants. One that is off takes no new payments; what was begun by it goes on.

  panshi account list
  panshi account list --json`
}

// Run lists the accounts.
func (accountListCmd) Run(ctx context.Context, g *globals, t *terminal) error {
	return withShop(ctx, g, t, refuse, func(s *shop) error {
		all, err := s.Accounts(ctx)
		if err != nil {
			return err
		}
		told := struct {
			Accounts []adminsock.Account `json:"accounts"`
		}{all}
		return t.result(told, func(w io.Writer) {
			rows := [][]string{{"ID", "MERCHANT", "PROVIDER", "METHOD", "MCH_ID", "STATE", "MONEY"}}
			for _, a := range all {
				rows = append(rows, []string{
					a.ID, a.Merchant, a.Provider, a.Method, a.MchID, either(a.On, "on", "off"), either(a.Sandbox, "sandbox", "real"),
				})
			}
			table(w, rows)
		})
	})
}
