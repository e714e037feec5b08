// When it does not go straight: sold out, the payment platform down, cancelled,
// delivered by hand.

import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { opening } from "./lib/opening.mjs";
import {
  answerOf, assertCode, button, buyNow, noticed, openProduct, orderFrom, payInSecondTab, placeOrder, shownKeys,
} from "./lib/steps.mjs";
import { assertFits, assertLanguage } from "./lib/text.mjs";
import { buyUp } from "./lib/tour.mjs";

const { at, as, shows, openCard } = opening();
const contact = "buyer@example.com";

beforeEach(() => at.shop.faults({}));

describe("sold out", () => {
  test("somebody was quicker", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    const scarce = (await at.shop.products()).find((p) => p.available > 0 && p.available <= 20);
    const { title } = await at.shop.product(scarce.id, "zh-CN");
    await openProduct(visitor, at.shop, title);
    await buyNow(visitor);
    await buyUp(at.shop, scarce.id);
    const response = await answerOf(page, () => placeOrder(visitor, contact));
    await shows(visitor, 409, response, t("shop.soldout.title"));
    await page.getByRole("main").getByRole("link", { name: title }).click();
    await page.getByText(t("shop.product.none")).waitFor();
    assert.equal(await button(page, t("shop.product.buy")).count(), 0);
    await assertLanguage(page, "zh-CN");
    await page.goto(at.shop.url + "/search?q=" + encodeURIComponent(title));
    await page.locator(".card-none").getByText(t("shop.stock.none")).waitFor();
  }));
});

describe("payment busy", () => {
  test("the platform answers 5xx, then is well again", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    await at.shop.faults({ api: { status_5xx: 1000, paths: ["native"] } });
    await openCard(visitor);
    await orderFrom(visitor, contact);
    await page.getByRole("heading", { name: t("shop.busy.title") }).waitFor();
    await shows(visitor, 503, await page.reload(), t("shop.busy.title"));
    await at.shop.faults({});
    await page.getByRole("link", { name: t("shop.busy.retry") }).click();
    await assertCode(page);
  }));

  test("the platform hangs: the answer comes all the same", as({ lang: "en", size: "desk" }, async (visitor, page, t) => {
    await at.shop.faults({ api: { hang_ms: 60_000, paths: ["native"] } });
    await openCard(visitor);
    const start = Date.now();
    const no = await orderFrom(visitor, contact);
    await page.getByRole("heading", { name: t("shop.busy.title") }).waitFor();
    assert.ok(Date.now() - start < 9_000, "the buyer waited too long");
    await at.shop.faults({});
    await page.getByRole("link", { name: t("shop.busy.retry") }).click();
    await assertCode(page);
    await payInSecondTab(visitor);
    await noticed(visitor, no);
    assert.equal((await shownKeys(visitor)).length, 1);
  }));
});

describe("orders by other ways", () => {
  test("cancelled: closed, and the goods are back", as({ lang: "en" }, async (visitor, page, t) => {
    await openCard(visitor);
    const before = (await at.shop.product(at.cardID)).skus[0].available;
    const no = await orderFrom(visitor, contact, 2);
    await page.goto(`${at.shop.url}/orders/${no}`);
    await page.getByText(t("shop.order.cancel"), { exact: true }).click();
    await button(page, t("shop.order.cancel_yes")).click();
    await page.getByRole("heading", { name: t("shop.order.closed.title") }).waitFor();
    await assertLanguage(page, "en");
    assert.equal((await at.shop.product(at.cardID)).skus[0].available, before);
  }));

  test("delivered by hand: paid, and says who is at work", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    const { id } = (await at.shop.products()).find((p) => p.kind === "manual" && p.available > 20);
    await openProduct(visitor, at.shop, (await at.shop.product(id, "zh-CN")).title);
    const no = await orderFrom(visitor, contact);
    await payInSecondTab(visitor);
    await noticed(visitor, no);
    await page.getByRole("heading", { name: t("shop.order.paid.title") }).waitFor();
    await assertLanguage(page, "zh-CN");
    await assertFits(page);
    assert.equal(await button(page, t("shop.goods.show")).count(), 0);
  }));
});
