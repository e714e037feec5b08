// Package web is what every HTTP edge stands on: the middleware around a
// listener (request id, log, panics, client address), the route table with its
// permissions, priorities and limits, errors as problem+json, JSON APIs with a
// generated OpenAPI 3.1 document, and static assets. It knows no business and
// no SQL.
//
// A listener is built from the inside out:
//
//	mux, err := web.NewMux(cfg, limiter, limiter, web.Audience{Name: "shop", Headers: web.APIHeaders()})
//	err = mux.Add(pages, web.Route{                // an audience's rows; see Route
//		Method: "GET", Pattern: "/orders/{order_no}",
//		Permission: perm.OrderHeld, Priority: perm.Critical, Limit: web.LimitRead,
//		Handler: h.showOrder,                        // func(w, r) error
//	})
//	stack, err := web.NewStack(cfg, texts, logger, clock.System{})
//	err = web.Serve(ctx, web.NewServer(cfg, stack.Wrap(mux), logger), listener, cfg)
//
// A handler returns an errs.Error and is done; kinds become statuses in
// StatusOf, codes become texts of package i18n ("error.<code>"). To refuse
// several fields at once it returns errors.Join of errs.Field errors. What is
// not an errs.Error is a 500 that tells the caller nothing but the request id.
//
// A JSON API takes operations instead of rows:
//
//	api, err := web.NewAPI(mux, web.Audience{Name: "shopapi", Headers: web.APIHeaders()}, web.Info{
//		Title: "Panshi shop", Version: "1",
//		Schemes: map[string]*web.SecurityScheme{"order_token": {Type: "http", Scheme: "bearer"}},
//	})
//
//	type placeIn struct {
//		web.IdempotencyHeader               // embedded: Idempotency-Key, required
//		Body struct {
//			Lines []line `json:"lines" minItems:"1" maxItems:"50"`
//		}
//	}
//	type placeOut struct{ Body placed }
//
//	web.Register(api, web.Operation{
//		Method: "POST", Path: "/api/v1/orders", ID: "place_order", Summary: "Place an order",
//		Permission: perm.Anyone, Priority: perm.Critical, Limit: web.LimitOrder, Status: 201,
//		Errors: map[errs.Kind][]string{errs.Conflict: {"sold_out", "idempotency_conflict"}},
//	}, h.place)                                 // func(ctx, *placeIn) (*placeOut, error)
//	err = api.Err()                             // every mistake in the operations
//
// Path, query and header parameters are fields with the tags path, query and
// header; a bearer token is `header:"Authorization"` or BearerToken. Before a
// handler runs, all of this was refused: a body that is too large (413), not
// application/json (415) or not JSON (400); unknown, repeated or missing
// fields and parameters, wrong types, lengths, ranges, formats, NUL and
// invalid UTF-8 (422, each with its field). A field is required unless its
// json tag says omitempty; strings need a maxLength. Numbers in bodies are
// integers. In answers, make lists with make: a nil slice would be null, and
// the document says that lists never are.
//
// Inside a request RequestID, Host, ClientAddr, ClientKey and Lang read the context.
package web
