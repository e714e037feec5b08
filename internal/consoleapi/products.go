package consoleapi

import (
	"context"
	"fmt"
	"net/http"

	"panshi/internal/access"
	"panshi/internal/catalog"
	"panshi/internal/errs"
	"panshi/internal/id"
	"panshi/internal/money"
	"panshi/internal/perm"
	"panshi/internal/stock"
	"panshi/internal/web"
)

type skuBody struct {
	Code     string `json:"code" minLength:"1" maxLength:"80" doc:"Unique in the shop."`
	Title    string `json:"title,omitempty" maxLength:"200" doc:"Nothing if the product has only one."`
	TitleEN  string `json:"title_en,omitempty" maxLength:"200" doc:"In English."`
	Price    int64  `json:"price" minimum:"1" maximum:"10000000000" doc:"In minor units."`
	Currency string `json:"currency,omitempty" enum:"CNY" default:"CNY" doc:"ISO 4217."`
	On       bool   `json:"on" doc:"On sale."`
	Position int    `json:"position,omitempty" minimum:"0" maximum:"1000000" doc:"Lower comes first."`
	Limited  bool   `json:"limited,omitempty" doc:"For a new SKU that sells no cards: it has a count, which is set by its stock."`
}

type productBody struct {
	Kind            string    `json:"kind" enum:"card,text,manual" doc:"How it is delivered. It cannot change."`
	Category        string    `json:"category,omitempty" maxLength:"80" doc:"Slug of a category."`
	Title           string    `json:"title" minLength:"1" maxLength:"200" doc:"In Chinese."`
	TitleEN         string    `json:"title_en,omitempty" maxLength:"200" doc:"In English."`
	Summary         string    `json:"summary,omitempty" maxLength:"400" doc:"One line for lists."`
	SummaryEN       string    `json:"summary_en,omitempty" maxLength:"400" doc:"In English."`
	Description     string    `json:"description,omitempty" maxLength:"20000" doc:"Plain text; blank lines make paragraphs."`
	DescriptionEN   string    `json:"description_en,omitempty" maxLength:"20000" doc:"In English."`
	Image           string    `json:"image,omitempty" maxLength:"300" doc:"Path of the picture."`
	On              bool      `json:"on" doc:"On sale."`
	Position        int       `json:"position,omitempty" minimum:"0" maximum:"1000000" doc:"Lower comes first."`
	PerOrderLimit   int       `json:"per_order_limit,omitempty" minimum:"0" maximum:"999" doc:"Items of one order; 0 for the general limit."`
	PerContactLimit int       `json:"per_contact_limit,omitempty" minimum:"0" maximum:"1000000" doc:"Items of one contact, ever; 0 for none."`
	SKUs            []skuBody `json:"skus" maxItems:"100" doc:"By code; SKUs that are not here stay as they are."`
}

// SlugPath is embedded in the input of an operation on a product.
type SlugPath struct {
	Slug string `path:"slug" minLength:"1" maxLength:"80" doc:"The product's slug."`
}

type listProductsIn struct {
	web.Page
	Query    string `query:"q" maxLength:"200" doc:"Part of a title."`
	Category string `query:"category" maxLength:"80" doc:"Slug of a category."`
}

type putProductIn struct {
	SlugPath
	Body productBody
}

type skuChange struct {
	Code  string `json:"code" minLength:"1" maxLength:"80" doc:"Of a SKU of this product."`
	Price *int64 `json:"price,omitempty" minimum:"1" maximum:"10000000000" doc:"In minor units."`
	On    *bool  `json:"on,omitempty" doc:"On sale."`
}

type changeProductIn struct {
	SlugPath
	Body struct {
		On   *bool       `json:"on,omitempty" doc:"On sale."`
		SKUs []skuChange `json:"skus,omitempty" maxItems:"100" doc:"What changes."`
	}
}

type productOut struct{ Body productView }

type productsOut struct {
	Body struct {
		Items      []productView `json:"items" doc:"In shelf order, on sale or not."`
		NextCursor string        `json:"next_cursor" doc:"Nothing on the last page."`
	}
}

func (a *api) addProducts() {
	const products, product = "/console/api/v1/products", "/console/api/v1/products/{slug}"
	unknown := []string{"product_not_found"}
	register(a, web.Operation{
		Method: http.MethodGet, Path: products, ID: "list_products", Tag: tagProducts, Summary: "List products, on sale or not",
		Permission: perm.ProductsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_cursor"}},
	}, a.listProducts)
	register(a, web.Operation{
		Method: http.MethodGet, Path: product, ID: "get_product", Tag: tagProducts, Summary: "Show a product",
		Permission: perm.ProductsRead, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown},
	}, a.getProduct)
	register(a, web.Operation{
		Method: http.MethodPut, Path: product, ID: "put_product", Tag: tagProducts, Summary: "Create or replace a product with its SKUs",
		Permission: perm.ProductsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.Invalid: {"category_not_found", "kind_fixed", "invalid_slug", "sku_code_taken"}},
	}, a.putProduct)
	register(a, web.Operation{
		Method: http.MethodPatch, Path: product, ID: "change_product", Tag: tagProducts, Summary: "Put a product or its SKUs on or off sale, change prices",
		Permission: perm.ProductsWrite, Priority: perm.Normal, Limit: web.LimitStaff,
		Errors: map[errs.Kind][]string{errs.NotFound: unknown, errs.Invalid: {"sku_not_found"}},
	}, a.changeProduct)
	a.addCategories()
}

func (a *api) listProducts(ctx context.Context, p access.Principal, in *listProductsIn) (*productsOut, error) {
	page, err := a.deps.Catalog.List(ctx, p.MerchantID, catalog.ListQuery{
		Category: in.Category, Text: in.Query, Cursor: in.Cursor, Limit: in.Limit, IncludeOff: true,
	})
	if err != nil {
		return nil, err
	}
	slugs, err := a.categorySlugs(ctx, p.MerchantID)
	if err != nil {
		return nil, err
	}
	out := &productsOut{}
	out.Body.NextCursor, out.Body.Items = page.Next, make([]productView, len(page.Items))
	for i, item := range page.Items {
		out.Body.Items[i] = viewOfProduct(item, slugs)
	}
	return out, nil
}

func (a *api) getProduct(ctx context.Context, p access.Principal, in *SlugPath) (*productOut, error) {
	product, err := a.deps.Catalog.BySlug(ctx, p.MerchantID, in.Slug)
	if err != nil {
		return nil, err
	}
	return a.showProduct(ctx, product)
}

func (a *api) showProduct(ctx context.Context, product catalog.Product) (*productOut, error) {
	slugs, err := a.categorySlugs(ctx, product.MerchantID)
	if err != nil {
		return nil, err
	}
	return &productOut{Body: viewOfProduct(product, slugs)}, nil
}

// categorySlugs gives a merchant's categories by id.
func (a *api) categorySlugs(ctx context.Context, merchantID id.ID) (map[id.ID]string, error) {
	all, err := a.deps.Catalog.Categories(ctx, merchantID)
	slugs := make(map[id.ID]string, len(all))
	for _, c := range all {
		slugs[c.ID] = c.Slug
	}
	return slugs, err
}

func (a *api) putProduct(ctx context.Context, p access.Principal, in *putProductIn) (*productOut, error) {
	b := in.Body
	category, err := a.categoryID(ctx, p.MerchantID, b.Category)
	if err != nil {
		return nil, err
	}
	product := catalog.Product{
		MerchantID: p.MerchantID, CategoryID: category, Slug: in.Slug, Kind: catalog.Kind(b.Kind),
		Title: b.Title, TitleEN: b.TitleEN, Summary: b.Summary, SummaryEN: b.SummaryEN,
		Description: b.Description, DescriptionEN: b.DescriptionEN, Image: b.Image, On: b.On, Position: b.Position,
		PerOrderLimit: b.PerOrderLimit, PerContactLimit: b.PerContactLimit,
	}
	for _, k := range b.SKUs {
		mode := stock.Unlimited
		if k.Limited {
			mode = stock.Counted
		}
		product.SKUs = append(product.SKUs, catalog.SKU{
			Code: k.Code, Title: k.Title, TitleEN: k.TitleEN, Price: money.Of(k.Price, money.CNY), On: k.On, Position: k.Position, Mode: mode,
		})
	}
	stored, err := a.deps.Catalog.Put(ctx, product)
	if err != nil {
		return nil, err
	}
	return a.showProduct(ctx, stored)
}

// categoryID finds a category of the merchant; "" is none.
func (a *api) categoryID(ctx context.Context, merchantID id.ID, slug string) (id.ID, error) {
	if slug == "" {
		return id.ID{}, nil
	}
	all, err := a.deps.Catalog.Categories(ctx, merchantID)
	if err != nil {
		return id.ID{}, err
	}
	for _, c := range all {
		if c.Slug == slug {
			return c.ID, nil
		}
	}
	return id.ID{}, errs.Field("category", "category_not_found", "there is no such category")
}

func (a *api) changeProduct(ctx context.Context, p access.Principal, in *changeProductIn) (*productOut, error) {
	stored, err := a.deps.Catalog.Change(ctx, p.MerchantID, in.Slug, func(product *catalog.Product) error {
		if in.Body.On != nil {
			product.On = *in.Body.On
		}
		for i, change := range in.Body.SKUs {
			if !change.applyTo(product.SKUs) {
				return errs.Field(fmt.Sprintf("skus[%d].code", i), "sku_not_found", "this product has no such SKU")
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a.showProduct(ctx, stored)
}

// applyTo changes the SKU with the code; false if there is none.
func (c skuChange) applyTo(skus []catalog.SKU) bool {
	for i := range skus {
		if skus[i].Code != c.Code {
			continue
		}
		if c.Price != nil {
			skus[i].Price.Minor = *c.Price
		}
		if c.On != nil {
			skus[i].On = *c.On
		}
		return true
	}
	return false
}
