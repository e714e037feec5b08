package shopapi

import (
	"context"
	"net/http"

	"panshi/internal/catalog"
	"panshi/internal/errs"
	"panshi/internal/i18n"
	"panshi/internal/id"
	"panshi/internal/perm"
	"panshi/internal/web"
)

// ProductItem is a product in a list. It is exported because schemas and JSON
// leave out embedded types that are not.
type ProductItem struct {
	ID        string `json:"id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000001" doc:"The product."`
	Slug      string `json:"slug" example:"steam-card-50" doc:"Its name in the shop's addresses."`
	Title     string `json:"title" example:"Game card 50" doc:"In the language asked for."`
	Summary   string `json:"summary" example:"Delivered at once" doc:"One line; may be empty."`
	Kind      string `json:"kind" enum:"card,text,manual" example:"card" doc:"How it is delivered: a card key an item, one text for all buyers, or by hand."`
	Image     string `json:"image" example:"/media/steam-card-50.svg" doc:"Path of the picture; empty for none."`
	Price     int64  `json:"price" example:"4900" doc:"The lowest price among its SKUs, in minor units."`
	Currency  string `json:"currency" example:"CNY" doc:"ISO 4217."`
	Available int64  `json:"available" example:"120" doc:"Items left of all SKUs together; 9999 for a SKU without a limit."`
}

type productPage struct {
	Items      []ProductItem `json:"items" doc:"In shelf order."`
	NextCursor string        `json:"next_cursor" example:"MTA6MDE5OGYzYTA" doc:"Give it as cursor for the next page; empty on the last one."`
}

type productDetail struct {
	ProductItem
	Description     string       `json:"description" doc:"Plain text; blank lines make paragraphs."`
	PerOrderLimit   int          `json:"per_order_limit" example:"10" doc:"Items that one order may have; 0: the general limit of 999."`
	PerContactLimit int          `json:"per_contact_limit" example:"0" doc:"Items that one contact may ever buy; 0: no limit."`
	SKUs            []productSKU `json:"skus" doc:"What can be ordered."`
}

type productSKU struct {
	ID        string `json:"id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000002" doc:"The sku_id of an order's line."`
	Title     string `json:"title" example:"50" doc:"In the language asked for; empty if there is only one."`
	Price     int64  `json:"price" example:"4900" doc:"In minor units."`
	Currency  string `json:"currency" example:"CNY" doc:"ISO 4217."`
	Available int64  `json:"available" example:"120" doc:"Items left; 9999 if there is no limit."`
}

type category struct {
	ID       string `json:"id" format:"uuid" example:"0198f3a0-0000-7000-8000-000000000003" doc:"The category."`
	Slug     string `json:"slug" example:"games" doc:"The category parameter of the product list."`
	Title    string `json:"title" example:"Games" doc:"In the language asked for."`
	Products int    `json:"products" example:"8" doc:"How many of its products are on sale."`
}

type categoryList struct {
	Items []category `json:"items" doc:"In shelf order."`
}

type listProductsIn struct {
	web.Page
	Query    string `query:"q" maxLength:"50" example:"card" doc:"Part of a title."`
	Category string `query:"category" maxLength:"80" example:"games" doc:"A category's slug."`
}

type getProductIn struct {
	ID string `path:"id" format:"uuid" maxLength:"36" example:"0198f3a0-0000-7000-8000-000000000001" doc:"The product's id."`
}

type (
	listProductsOut   struct{ Body productPage }
	getProductOut     struct{ Body productDetail }
	listCategoriesOut struct{ Body categoryList }
)

func (a *api) addProducts() {
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/api/v1/products", ID: "list_products", Tag: tagProducts,
		Summary:    "List the products on sale",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitRead,
		Ready:  a.keeper(listKey, a.readList),
		Errors: map[errs.Kind][]string{errs.Invalid: fieldCodes("invalid_cursor")},
	}, a.listProducts)
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/api/v1/products/{id}", ID: "get_product", Tag: tagProducts,
		Summary:    "Show one product with its SKUs",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitRead,
		Ready:  a.keeper(productKey, a.readProduct),
		Errors: map[errs.Kind][]string{errs.Invalid: {"invalid_id", "too_long"}, errs.NotFound: {"product_not_found"}},
	}, a.getProduct)
	register(a, web.Operation{
		Method: http.MethodGet, Path: "/api/v1/categories", ID: "list_categories", Tag: tagProducts,
		Summary:    "List the categories",
		Permission: perm.Anyone, Priority: perm.Normal, Limit: web.LimitRead,
		Ready: a.keeper(categoriesKey, a.readCategories),
	}, a.listCategories)
}

func (a *api) listProducts(ctx context.Context, shop id.ID, in *listProductsIn) (*listProductsOut, error) {
	page, err := a.list(ctx, shop, web.Lang(ctx), in)
	return &listProductsOut{page}, err
}

func (a *api) list(ctx context.Context, shop id.ID, lang i18n.Lang, in *listProductsIn) (productPage, error) {
	page, err := a.deps.Products.List(ctx, shop, catalog.ListQuery{
		Category: in.Category, Text: in.Query, Cursor: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return productPage{}, err
	}
	out := productPage{Items: make([]ProductItem, len(page.Items)), NextCursor: page.Next}
	for i, p := range page.Items {
		out.Items[i] = itemOf(p, string(lang))
	}
	return out, nil
}

func (a *api) getProduct(ctx context.Context, shop id.ID, in *getProductIn) (*getProductOut, error) {
	p, err := a.product(ctx, shop, web.Lang(ctx), in.ID)
	return &getProductOut{p}, err
}

func (a *api) product(ctx context.Context, shop id.ID, lang i18n.Lang, text string) (productDetail, error) {
	productID, err := parseID("id", text)
	if err != nil {
		return productDetail{}, err
	}
	p, err := a.deps.Products.Product(ctx, shop, productID)
	switch {
	case err != nil:
		return productDetail{}, err
	case !p.On: // only staff may see it
		return productDetail{}, catalog.ErrProductNotFound
	}
	return detailOf(p, string(lang)), nil
}

func (a *api) listCategories(ctx context.Context, shop id.ID, _ *struct{}) (*listCategoriesOut, error) {
	all, err := a.categories(ctx, shop, web.Lang(ctx))
	return &listCategoriesOut{all}, err
}

func (a *api) categories(ctx context.Context, shop id.ID, lang i18n.Lang) (categoryList, error) {
	all, err := a.deps.Products.Categories(ctx, shop)
	if err != nil {
		return categoryList{}, err
	}
	out := categoryList{Items: make([]category, len(all))}
	for i, c := range all {
		out.Items[i] = category{ID: c.ID.String(), Slug: c.Slug, Title: c.In(string(lang)), Products: c.Products}
	}
	return out, nil
}

func itemOf(p catalog.Product, lang string) ProductItem {
	title, summary, _ := p.In(lang)
	price := p.PriceFrom()
	return ProductItem{
		ID: p.ID.String(), Slug: p.Slug, Title: title, Summary: summary, Kind: string(p.Kind), Image: p.Image,
		Price: price.Minor, Currency: string(price.Currency), Available: p.Available(),
	}
}

func detailOf(p catalog.Product, lang string) productDetail {
	_, _, description := p.In(lang)
	out := productDetail{
		ProductItem: itemOf(p, lang), Description: description,
		PerOrderLimit: p.PerOrderLimit, PerContactLimit: p.PerContactLimit, SKUs: make([]productSKU, 0, len(p.SKUs)),
	}
	for _, k := range p.SKUs {
		if k.On {
			out.SKUs = append(out.SKUs, productSKU{
				ID: k.ID.String(), Title: k.In(lang), Price: k.Price.Minor,
				Currency: string(k.Price.Currency), Available: k.Available,
			})
		}
	}
	return out
}

// parseID reads the one spelling of a UUID that we write.
func parseID(field, text string) (id.ID, error) {
	parsed, err := id.Parse(text)
	if err != nil {
		return id.ID{}, errs.Field(field, "invalid_id", "an id is a UUID of 36 characters")
	}
	return parsed, nil
}
