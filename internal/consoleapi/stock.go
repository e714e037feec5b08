package consoleapi

import (
	"context"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/stock"
	"panshi/internal/web"
)

// CodePath is embedded in the input of an operation on a SKU.
type CodePath struct {
	Code string `path:"code" minLength:"1" maxLength:"80" doc:"The SKU's code."`
}

type putStockIn struct {
	CodePath
	Body struct {
		Limited   bool  `json:"limited" doc:"False: as many as are asked for."`
		Available int64 `json:"available,omitempty" minimum:"0" maximum:"1000000000" doc:"How many items there are, if limited."`
	}
}

type levelView struct {
	Code      string `json:"code" doc:"The SKU's code."`
	Stock     string `json:"stock" enum:"cards,counted,unlimited" doc:"What the availability means."`
	Available int64  `json:"available" doc:"Free to be ordered."`
	Held      int64  `json:"held" doc:"Reserved for unpaid orders."`
	Sold      int64  `json:"sold" doc:"Sold so far."`
}

type levelOut struct{ Body levelView }

func (a *api) addStock() {
	const path = "/console/api/v1/skus/{code}/stock"
	register(a, web.Operation{
		Method: http.MethodGet, Path: path, ID: "get_stock", Tag: tagProducts, Summary: "Show the stock of a SKU",
		Permission: perm.ProductsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: {"sku_not_found"}},
	}, a.getStock)
	register(a, web.Operation{
		Method: http.MethodPut, Path: path, ID: "put_stock", Tag: tagProducts, Summary: "Set the stock of a SKU that sells no cards",
		Permission: perm.ProductsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: {"sku_not_found"}, errs.Conflict: {"stock_of_cards"}},
	}, a.putStock)
}

func (a *api) getStock(ctx context.Context, p access.Principal, in *CodePath) (*levelOut, error) {
	l, err := a.deps.Catalog.Level(ctx, p.MerchantID, in.Code)
	if err != nil {
		return nil, err
	}
	return &levelOut{Body: viewOfLevel(in.Code, l)}, nil
}

func (a *api) putStock(ctx context.Context, p access.Principal, in *putStockIn) (*levelOut, error) {
	l, err := a.deps.Catalog.SetCount(ctx, p.MerchantID, in.Code, in.Body.Limited, in.Body.Available)
	if err != nil {
		return nil, err
	}
	return &levelOut{Body: viewOfLevel(in.Code, l)}, nil
}

func viewOfLevel(code string, l stock.Level) levelView {
	return levelView{Code: code, Stock: string(l.Mode), Available: l.Available, Held: l.Held, Sold: l.Sold}
}
