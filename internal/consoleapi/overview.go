package consoleapi

import (
	"context"
	"net/http"
	"time"

	"panshi/internal/access"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type salesView struct {
	From   time.Time `json:"from" doc:"Orders placed from then on."`
	Until  time.Time `json:"until" doc:"And before."`
	Placed int64     `json:"placed" doc:"How many orders were placed."`
	Paid   int64     `json:"paid" doc:"How many of them were paid, given back later or not."`
	Amount int64     `json:"amount" doc:"What those were worth, in minor units."`
	Capped bool      `json:"capped" doc:"There were more orders than are counted here."`
}

type overviewOut struct {
	Body struct {
		Currency string    `json:"currency" doc:"Of the amounts, ISO 4217."`
		Today    salesView `json:"today" doc:"Since midnight (UTC+8)."`
		WeekAgo  salesView `json:"week_ago" doc:"The same hours of the day a week before."`
	}
}

func (a *api) addOverview() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/console/api/v1/overview", ID: "get_overview", Tag: tagOrders,
		Summary:    "Sum up today so far, beside the same hours a week before",
		Permission: perm.OrdersRead, Priority: perm.Optional, Limit: web.LimitStaff,
	}, a.overview)
}

func (a *api) overview(ctx context.Context, p access.Principal, _ *struct{}) (*overviewOut, error) {
	t, err := a.deps.Reports.Today(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &overviewOut{}
	out.Body.Currency, out.Body.Today, out.Body.WeekAgo = t.Currency, salesView(t.Now), salesView(t.WeekAgo)
	return out, nil
}
