package consoleapi

import (
	"context"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/catalog"
	"panshi/internal/errs"
	"panshi/internal/perm"
	"panshi/internal/web"
)

type categoryView struct {
	Slug     string `json:"slug" doc:"Unique in the shop."`
	Title    string `json:"title" doc:"In Chinese."`
	TitleEN  string `json:"title_en" doc:"In English."`
	Position int    `json:"position" doc:"Lower comes first."`
}

type categoriesOut struct {
	Body struct {
		Items []categoryView `json:"items" doc:"In shelf order."`
	}
}

type putCategoryIn struct {
	Slug string `path:"slug" minLength:"1" maxLength:"80" doc:"The category's slug."`
	Body struct {
		Title    string `json:"title" minLength:"1" maxLength:"200" doc:"In Chinese."`
		TitleEN  string `json:"title_en,omitempty" maxLength:"200" doc:"In English."`
		Position int    `json:"position,omitempty" minimum:"0" maximum:"1000000" doc:"Lower comes first."`
	}
}

type categoryOut struct{ Body categoryView }

func (a *api) addCategories() {
	const categories = "/console/api/v1/categories"
	register(a, web.Operation{
		Method: http.MethodGet, Path: categories, ID: "list_categories", Tag: tagProducts, Summary: "List categories",
		Permission: perm.ProductsRead, Priority: perm.Normal, Limit: web.LimitStaff,
	}, a.listCategories)
	register(a, web.Operation{
		Method: http.MethodPut, Path: categories + "/{slug}", ID: "put_category", Tag: tagProducts, Summary: "Create or replace a category",
		Permission: perm.ProductsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_slug"}},
	}, a.putCategory)
}

func (a *api) listCategories(ctx context.Context, p access.Principal, _ *struct{}) (*categoriesOut, error) {
	all, err := a.deps.Catalog.Categories(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &categoriesOut{}
	out.Body.Items = make([]categoryView, len(all))
	for i, c := range all {
		out.Body.Items[i] = viewOfCategory(c)
	}
	return out, nil
}

func (a *api) putCategory(ctx context.Context, p access.Principal, in *putCategoryIn) (*categoryOut, error) {
	c, err := a.deps.Catalog.PutCategory(ctx, catalog.Category{
		MerchantID: p.MerchantID, Slug: in.Slug, Title: in.Body.Title, TitleEN: in.Body.TitleEN, Position: in.Body.Position,
	})
	if err != nil {
		return nil, err
	}
	return &categoryOut{Body: viewOfCategory(c)}, nil
}

func viewOfCategory(c catalog.Category) categoryView {
	return categoryView{Slug: c.Slug, Title: c.Title, TitleEN: c.TitleEN, Position: c.Position}
}
