package demo

import "panshi/internal/merchant"

// demoShop is a merchant of the demo. Its catalogue is data/SLUG.csv.
type demoShop struct {
	merchant merchant.Merchant
	cards    []demoCards
}

// demoCards is how many keys a SKU gets.
type demoCards struct {
	sku   string
	count int
}

// shops lists the merchants; the first becomes the default one. The SKU
// THUNDER-SEASON gets no cards, so that something is sold out.
func shops() []demoShop {
	return []demoShop{
		{
			merchant: merchant.Merchant{
				Slug: "panshi", Name: "磐石数字商店", NameEN: "Panshi Digital",
				Tagline: "付款即到，随时可查", TaglineEN: "Paid, delivered, never lost",
				Notice:   "这是演示商店：品牌、商品与卡密均为虚构，付款走沙箱，不产生真实费用。",
				NoticeEN: "This is a demo shop: brands, goods and keys are fictional, and you pay in a sandbox, not with money.",
			},
			cards: []demoCards{
				{"DEMO-CARD", 2000},
				{"CLOUDREALM-30", 120},
				{"PIXEL-60", 80},
				{"PIXEL-300", 50},
				{"PIXEL-980", 20},
				{"INKPAD-1Y", 100},
				{"INKPAD-LIFE", 40},
				{"BACKUPBOX-1Y", 50},
				{"PIXELFORGE-1", 60},
				{"PIXELFORGE-5", 20},
				{"CODEKITE", 80},
				{"LOCKBOX-FAMILY", 70},
				{"ORANGE-1M", 200},
				{"ORANGE-3M", 100},
				{"ORANGE-12M", 50},
				{"WHALE-12M", 150},
				{"OWL-3M", 90},
				{"PAPERBOAT-1M", 60},
			},
		},
		{
			merchant: merchant.Merchant{
				Slug: "qingfeng", Host: "qingfeng.localhost", Name: "清风书屋", NameEN: "Breeze Books",
				Tagline: "一页一页，慢慢来", TaglineEN: "Page by page, no hurry",
				Notice: "演示商店：样章均为原创。", NoticeEN: "Demo shop: all sample chapters are our own.",
			},
			cards: []demoCards{{"BREEZE-30", 100}},
		},
	}
}
