package consoleapi

import (
	"time"

	"panshi/internal/catalog"
	"panshi/internal/id"
)

type productView struct {
	ID              string    `json:"id" doc:"Never changes."`
	Slug            string    `json:"slug" doc:"Unique in the shop."`
	Kind            string    `json:"kind" enum:"card,text,manual" doc:"How it is delivered."`
	Category        string    `json:"category" doc:"Slug; nothing for none."`
	Title           string    `json:"title" doc:"In Chinese."`
	TitleEN         string    `json:"title_en" doc:"In English."`
	Summary         string    `json:"summary" doc:"One line for lists."`
	SummaryEN       string    `json:"summary_en" doc:"In English."`
	Description     string    `json:"description" doc:"Plain text."`
	DescriptionEN   string    `json:"description_en" doc:"In English."`
	Image           string    `json:"image" doc:"Path of the picture."`
	On              bool      `json:"on" doc:"On sale."`
	Position        int       `json:"position" doc:"Lower comes first."`
	PerOrderLimit   int       `json:"per_order_limit" doc:"0 for the general limit."`
	PerContactLimit int       `json:"per_contact_limit" doc:"0 for none."`
	UpdatedAt       time.Time `json:"updated_at" doc:"Of the last change."`
	SKUs            []skuView `json:"skus" doc:"By position."`
}

type skuView struct {
	ID        string `json:"id" doc:"Never changes."`
	Code      string `json:"code" doc:"Unique in the shop."`
	Title     string `json:"title" doc:"In Chinese."`
	TitleEN   string `json:"title_en" doc:"In English."`
	Price     int64  `json:"price" doc:"In minor units."`
	Currency  string `json:"currency" doc:"ISO 4217."`
	On        bool   `json:"on" doc:"On sale."`
	Position  int    `json:"position" doc:"Lower comes first."`
	Stock     string `json:"stock" enum:"cards,counted,unlimited" doc:"What the availability means."`
	Available int64  `json:"available" doc:"9999 for unlimited."`
}

func viewOfProduct(p catalog.Product, categories map[id.ID]string) productView {
	out := productView{
		ID: p.ID.String(), Slug: p.Slug, Kind: string(p.Kind), Category: categories[p.CategoryID],
		Title: p.Title, TitleEN: p.TitleEN, Summary: p.Summary, SummaryEN: p.SummaryEN,
		Description: p.Description, DescriptionEN: p.DescriptionEN, Image: p.Image, On: p.On, Position: p.Position,
		PerOrderLimit: p.PerOrderLimit, PerContactLimit: p.PerContactLimit, UpdatedAt: p.UpdatedAt,
		SKUs: make([]skuView, len(p.SKUs)),
	}
	for i, k := range p.SKUs {
		out.SKUs[i] = skuView{
			ID: k.ID.String(), Code: k.Code, Title: k.Title, TitleEN: k.TitleEN, Price: k.Price.Minor,
			Currency: string(k.Price.Currency), On: k.On, Position: k.Position, Stock: string(k.Mode), Available: k.Available,
		}
	}
	return out
}
