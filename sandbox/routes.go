package sandbox

import (
	"embed"
	"io/fs"
	"net/http"
)

//go:embed assets
var assets embed.FS

// Handler serves the payment API under /v3, the developer API under /simulate, and pages for people.
func (s *Sandbox) Handler() http.Handler {
	mux := http.NewServeMux()

	mux.HandleFunc("POST /v3/pay/transactions/native", s.api("native", s.placing("native")))
	mux.HandleFunc("POST /v3/pay/transactions/jsapi", s.api("jsapi", s.placing("jsapi")))
	mux.HandleFunc("POST /v3/pay/transactions/h5", s.api("h5", s.placing("h5")))
	mux.HandleFunc("GET /v3/pay/transactions/out-trade-no/{no}", s.api("query", s.queryByOrder))
	mux.HandleFunc("GET /v3/pay/transactions/id/{id}", s.api("query", s.queryByTransaction))
	mux.HandleFunc("POST /v3/pay/transactions/out-trade-no/{no}/close", s.api("close", s.closeOrder))
	mux.HandleFunc("POST /v3/refund/domestic/refunds", s.api("refund", s.createRefund))
	mux.HandleFunc("GET /v3/refund/domestic/refunds/{no}", s.api("refund", s.queryRefund))
	mux.HandleFunc("GET /v3/bill/tradebill", s.api("bill", s.tradeBill))
	mux.HandleFunc("GET "+wxBillPath, s.billFile)
	mux.HandleFunc("GET /v3/certificates", s.api("certificates", s.certificates))
	mux.HandleFunc("/v3/", s.dev(noEndpoint))

	mux.HandleFunc("GET "+aliPath, s.gateway)
	mux.HandleFunc("POST "+aliPath, s.gateway)
	mux.HandleFunc("GET "+aliBillPath, s.aliBill)

	mux.HandleFunc("POST /simulate/merchants", s.dev(s.simMerchant))
	mux.HandleFunc("POST /simulate/pay", s.dev(s.simPay))
	mux.HandleFunc("POST /simulate/callback", s.dev(s.simCallback))
	mux.HandleFunc("GET /simulate/trades", s.dev(s.simTrades))
	mux.HandleFunc("GET /simulate/trades/{no}", s.dev(s.simTrade))
	mux.HandleFunc("GET /simulate/refunds", s.dev(s.simRefunds))
	mux.HandleFunc("GET /simulate/faults", s.dev(s.simFaults))
	mux.HandleFunc("PUT /simulate/faults", s.dev(s.simSetFaults))
	mux.HandleFunc("GET /simulate/keys", s.dev(s.simKeys))
	mux.HandleFunc("POST /simulate/keys", s.dev(s.simTurnKeys))
	mux.HandleFunc("/simulate/", s.dev(noEndpoint))

	mux.HandleFunc("GET /{$}", s.page(s.pageOrders))
	mux.HandleFunc("GET /scan", s.page(s.pageScan))
	mux.HandleFunc("POST /scan", s.page(s.pagePay))
	mux.HandleFunc("GET /healthz", plain(s.health))
	mux.Handle("GET /assets/sandbox.css", s.stylesheet())
	mux.HandleFunc("/", s.page(s.pageUnknown))
	return guarded(mux)
}

// guarded sets the headers that every answer carries.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head := w.Header()
		head.Set("Content-Security-Policy",
			"default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
		head.Set("X-Content-Type-Options", "nosniff")
		head.Set("Referrer-Policy", "no-referrer")
		head.Set("Cache-Control", "no-store")
		next.ServeHTTP(w, r)
	})
}

func (s *Sandbox) stylesheet() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		css, err := fs.ReadFile(assets, "assets/sandbox.css")
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		w.Header().Set("Cache-Control", "no-cache")
		_, _ = w.Write(css) // the browser has gone: nobody is left to tell
	})
}

// health answers 200 as long as state can be written.
func (s *Sandbox) health(http.ResponseWriter, *http.Request) (int, any, error) {
	if err := s.store.journal.failure(); err != nil {
		return 0, nil, &apiError{
			Status: http.StatusServiceUnavailable, Code: "STATE_NOT_WRITABLE", Message: "the state file cannot be written",
		}
	}
	return http.StatusOK, map[string]string{"status": "ok"}, nil
}

func noEndpoint(_ http.ResponseWriter, r *http.Request) (int, any, error) {
	return 0, nil, &apiError{
		Status: http.StatusNotFound, Code: "NOT_FOUND", Message: "no endpoint for " + r.Method + " at this path",
	}
}
