// A walk through every kind of page that the shop has.

import { chooseChannel, nameDevice, noticed, openProduct, buyNow, orderFrom, placeOrder, showKeys } from "./steps.mjs";
import { sandboxText, text } from "./text.mjs";

const contact = "buyer@example.com";
const transfer = { "zh-CN": "对公转账", en: "Bank transfer" };
const alipayPage = {
  phone: { "zh-CN": "支付宝（手机网页）", en: "Alipay (phone browser)" },
  desk: { "zh-CN": "支付宝（电脑网页）", en: "Alipay (web page)" },
};

/**
 * Picks the goods that tours need and buys up one of them; the shop must be new.
 * @returns ids of a card product, one with options and one delivered by hand,
 * and the address of a checkout form for what is sold out
 */
export async function prepare(shop) {
  await takeTransfers(shop);
  const all = await Promise.all((await shop.products()).map((p) => shop.product(p.id)));
  const one = (kind) => all.find((p) => p.kind === kind && p.skus.length === 1 && p.skus[0].available > 100);
  const scarce = all.find((p) => p.skus.length === 1 && p.skus[0].available > 0 && p.skus[0].available <= 20);
  await buyUp(shop, scarce.id);
  const query = new URLSearchParams({ product: scarce.slug, sku: scarce.skus[0].id, quantity: "1" });
  return {
    card: one("card").id,
    options: all.find((p) => p.kind === "card" && p.skus.length > 1).id,
    manual: one("manual").id,
    soldOutForm: `${shop.url}/checkout?${query}`,
  };
}

/** Lets buyers pay by a transfer to a bank. */
export async function takeTransfers(shop) {
  const settings = { instructions: "Example Bank 示例银行\n6222 0000 0000 0000\nExample Trading Ltd 示例商贸", hours: 48 };
  const names = ["--name", transfer["zh-CN"], "--name-en", transfer.en];
  await shop.command(["account", "put", "offline", "-", ...names], JSON.stringify(settings));
}

/** Takes all items of a product off the shelf by an order that nobody pays. */
export async function buyUp(shop, id) {
  const { skus } = await shop.product(id);
  const lines = skus.filter((sku) => sku.available > 0).map((sku) => ({ sku_id: sku.id, quantity: sku.available }));
  await shop.api("/orders", { body: { lines, contact: { email: contact } } });
}

/** Walks through the shop and calls stop(name) on each page; goods are from prepare. */
export async function tour(visitor, shop, goods, stop) {
  await shelves(visitor, shop, goods, stop);
  await purchase(visitor, shop, goods, stop);
  await otherOrders(visitor, shop, goods, stop);
  await asides(visitor, shop, stop);
  await waysToPay(visitor, shop, goods, stop); // last: it renames the browser
}

const titleOf = async ({ lang }, shop, id) => (await shop.product(id, lang)).title;

async function shelves(visitor, shop, goods, stop) {
  const { page } = visitor;
  await page.goto(shop.url + "/");
  await stop("home");
  await page.locator(".rail a").nth(1).click();
  await page.waitForURL(/\/c\//);
  await stop("category");
  await page.goto(shop.url + "/search?q=zzzzzz");
  await stop("search-empty");
  await openProduct(visitor, shop, await titleOf(visitor, shop, goods.options));
  await stop("product-options");
  await page.goto(`http://qingfeng.localhost:${shop.port}/`);
  await stop("second-shop");
}

async function purchase(visitor, shop, goods, stop) {
  const { page, lang } = visitor;
  await openProduct(visitor, shop, await titleOf(visitor, shop, goods.card));
  await stop("product");
  await buyNow(visitor, 2);
  await stop("checkout");
  await placeOrder(visitor, "not@an@address");
  await page.locator("#contact-problem").waitFor();
  await stop("checkout-wrong");
  await placeOrder(visitor, contact);
  await page.waitForURL(/\/pay$/);
  await stop("pay");
  const no = page.url().match(/orders\/(\w+)/)[1];
  await page.goto(`${shop.url}/orders/${no}`);
  await stop("order-pending");
  await page.getByText(text(lang, "shop.order.cancel"), { exact: true }).click();
  await stop("order-cancel");
  await payHere(visitor, shop, no, stop);
  await stop("order-delivered");
  await showKeys(visitor);
  await stop("order-keys");
}

// payHere pays in the same tab: the sandbox's pages are part of the tour.
async function payHere({ page, lang }, shop, no, stop) {
  await page.goto(`${shop.url}/orders/${no}/pay`);
  await page.getByRole("link", { name: text(lang, "shop.pay.sandbox"), exact: true }).click();
  await stop("sandbox-scan");
  await page.getByRole("button", { name: sandboxText(lang, "pay") }).click();
  await page.getByRole("heading", { name: sandboxText(lang, "paid_title") }).waitFor();
  await stop("sandbox-paid");
  await page.goto(`${shop.url}/orders/${no}/pay`);
  await noticed({ page }, no);
  await page.goto(`${shop.url}/orders/${no}`);
}

async function otherOrders(visitor, shop, goods, stop) {
  const { page } = visitor;
  const manual = await titleOf(visitor, shop, goods.manual);
  await openProduct(visitor, shop, manual);
  const no = await orderFrom(visitor, contact);
  await payHere(visitor, shop, no, async () => {});
  await stop("order-by-hand");
  await openProduct(visitor, shop, manual);
  await shop.faults({ api: { status_5xx: 1000, paths: ["native"] } });
  await orderFrom(visitor, contact);
  await stop("pay-busy");
  await shop.faults({});
  await page.goto(goods.soldOutForm);
  await placeOrder(visitor, contact);
  await page.locator(".plain").waitFor();
  await stop("sold-out");
  await page.locator(".plain a").first().click();
  await page.waitForURL(/\/p\//);
  await stop("product-sold-out");
}

// waysToPay shows the choice, a way that leads elsewhere, and a transfer.
async function waysToPay(visitor, shop, goods, stop) {
  const { page, lang } = visitor;
  await openProduct(visitor, shop, await titleOf(visitor, shop, goods.manual));
  const no = await orderFrom(visitor, contact);
  await nameDevice(visitor);
  await page.goto(`${shop.url}/orders/${no}/pay?choose=1`);
  await stop("pay-choose");
  await chooseChannel(visitor, no, alipayPage[visitor.size][lang]);
  await stop("pay-leave");
  await chooseChannel(visitor, no, transfer[lang]);
  await stop("pay-transfer");
}

async function asides(visitor, shop, stop) {
  const { page } = visitor;
  await page.goto(shop.url + "/lookup");
  await stop("lookup");
  await page.goto(shop.url + "/orders/20260101AAAAAAAAAAAAAAAA");
  await stop("lookup-needed");
  await page.goto(shop.url + "/nowhere");
  await stop("not-found");
}
