package storefront_test

import (
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"panshi/internal/checkout"
	"panshi/internal/errs"
	"panshi/internal/payment"
	"panshi/internal/storefront"
)

// TestPreview draws the pages with Chromium into the folder that
// PANSHI_PREVIEW names, for a person to look at. It asserts nothing about
// looks.
func TestPreview(t *testing.T) {
	dir := os.Getenv("PANSHI_PREVIEW")
	if dir == "" {
		t.Skip("PANSHI_PREVIEW names no folder")
	}
	paths := map[string]func(w *world) string{
		"home":     func(*world) string { return "/" },
		"category": func(*world) string { return "/c/tools" },
		"product":  func(*world) string { return "/p/monthly" },
		"gone":     func(*world) string { return "/p/gone" },
		"checkout": func(w *world) string {
			return "/checkout?product=monthly&quantity=2&sku=" + w.products[0].SKUs[0].ID.String()
		},
		"pay": func(*world) string { return "/orders/" + orderNo + "/pay" },
		"channels": func(w *world) string {
			w.channels = append(w.channels, payment.Account{ID: w.products[0].ID, Provider: "alipay", Method: "precreate", Name: "支付宝", NameEN: "Alipay", On: true})
			return "/orders/" + orderNo + "/pay?choose=1"
		},
		"busy": func(w *world) string {
			w.start = func(checkout.PayRequest) (payment.Payment, error) { return payment.Payment{}, payment.ErrProviderBusy }
			return "/orders/" + orderNo + "/pay"
		},
		"journey": func(w *world) string { // the live status leads from the code to the goods
			looks := 0
			w.looked = func() {
				if looks++; looks == 3 {
					w.deliver()
				}
			}
			return "/orders/" + orderNo + "/pay"
		},
		"pending":   func(*world) string { return "/orders/" + orderNo },
		"delivered": func(w *world) string { w.deliver(); return "/orders/" + orderNo },
		"goods":     func(w *world) string { w.deliver(); return "/orders/" + orderNo + "#goods" },
		"lookup":    func(*world) string { return "/lookup" },
		"notfound":  func(*world) string { return "/nothing" },
		"fault": func(w *world) string {
			w.byHost = func() error { return errs.New(errs.Internal, "x", "x") }
			return "/"
		},
	}
	only := os.Getenv("PANSHI_PREVIEW_ONLY")
	for name, path := range paths {
		if only != "" && !strings.Contains(","+only+",", ","+name+",") {
			continue
		}
		for _, lang := range []string{"zh-CN", "en"} {
			for _, size := range []string{"390,844", "1280,900"} {
				w := newWorld(t, func(d *storefront.Deps) { d.SandboxURL = "http://127.0.0.1:9090" })
				target := path(w)
				server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
					r.AddCookie(&http.Cookie{Name: "order_" + orderNo, Value: token})
					r.AddCookie(&http.Cookie{Name: "lang", Value: lang})
					w.handler.ServeHTTP(rw, r)
				}))
				shot := filepath.Join(dir, name+"."+lang+"."+strings.Split(size, ",")[0]+".png")
				args := []string{
					"--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
					"--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
					"--virtual-time-budget=7000", "--user-data-dir=" + t.TempDir(), "--window-size=" + size, "--screenshot=" + shot,
				}
				if os.Getenv("PANSHI_PREVIEW_DARK") != "" {
					args = append(args, "--blink-settings=preferredColorScheme=0")
				}
				out, err := exec.CommandContext(t.Context(), "/usr/bin/chromium", append(args, server.URL+target)...).CombinedOutput()
				require.NoError(t, err, string(out))
				for line := range strings.SplitSeq(string(out), "\n") {
					if strings.Contains(line, "CONSOLE") {
						t.Log(name, lang, size, line)
					}
				}
				server.Close()
			}
		}
	}
}
