package kit

import (
	"context"
	"fmt"
)

// Channel is a way to pay that a shop with the simulator offers, and what kind
// of instruction its buyer gets.
type Channel struct{ Kind, Gives string }

// Channels are all ways to pay, the first one first.
func Channels() []Channel {
	return []Channel{
		{"wechatpay_native", "qr"},
		{"wechatpay_h5", "redirect"},
		{"wechatpay_jsapi", "jsapi"},
		{"alipay_precreate", "qr"},
		{"alipay_wap", "redirect"},
		{"alipay_page", "redirect"},
	}
}

// ChannelOf is the way to pay of the n-th of something that is spread over all.
func ChannelOf(n int) string { return Channels()[n%len(Channels())].Kind }

// Payer is the openid of whoever pays by a channel, "" where nobody asks.
func Payer(channel string) string {
	if channel == "wechatpay_jsapi" {
		return "oUpF8uMuAJO_M2pxb1Q9zNjWeS6o"
	}
	return ""
}

// Approach starts a payment through a channel and goes as far as its buyer
// does before paying: where there is a page, it is open.
func (c *Client) Approach(ctx context.Context, o Placed, channel string) (Payment, error) {
	pay, err := c.PayBy(ctx, NewKey(), o, channel, Payer(channel))
	if err != nil || pay.Instruction.URL == "" {
		return pay, err
	}
	if err := Browse(ctx, pay.Instruction.URL); err != nil {
		return pay, fmt.Errorf("the page of %s: %w", channel, err)
	}
	return pay, nil
}

// BeginBy is Begin through a channel.
func BeginBy(ctx context.Context, c *Client, b *Book, contact Contact, line Line, channel string) (*Entry, Payment, error) {
	placed, err := c.Place(ctx, contact, line)
	if err != nil {
		return nil, Payment{}, err
	}
	e := b.Write(placed, line.Quantity)
	pay, err := c.Approach(ctx, placed, channel)
	return e, pay, err
}
