// Another device, mistakes in forms, refusals; the language switch and the
// second shop.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { visit } from "./lib/browser.mjs";
import { opening } from "./lib/opening.mjs";
import {
  answerOf, button, buyNow, keepsake, noticed, openProduct, orderFrom, payInSecondTab, placeOrder, showKeys, shownKeys,
} from "./lib/steps.mjs";
import { assertFits, assertLanguage } from "./lib/text.mjs";

const { at, as, shows, openCard } = opening();
const contact = "buyer@example.com";

describe("an order on another device", () => {
  test("number and code open it, a wrong code does not", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    await openCard(visitor);
    const no = await orderFrom(visitor, contact);
    await payInSecondTab(visitor);
    await noticed(visitor, no);
    const keys = await shownKeys(visitor);
    const { code } = await keepsake(visitor);

    const other = await visit(at.browser, { lang: "zh-CN", size: "desk" });
    await shows(other, 404, await other.page.goto(`${at.shop.url}/orders/${no}`), t("shop.lookup.title"));
    await other.page.getByRole("link", { name: t("shop.nav.lookup") }).first().click();
    const wrong = (code.startsWith("A") ? "B" : "A") + code.slice(1);
    await shows(other, 404, await lookUp(other.page, t, no, wrong), t("shop.lookup.title"));
    await other.page.getByText(t("shop.lookup.wrong")).waitFor();
    assert.equal(await other.page.getByLabel(t("shop.order.no")).inputValue(), no, "the number was not kept");
    assert.equal(await other.page.getByLabel(t("shop.order.token")).inputValue(), "", "the code came back");
    await lookUp(other.page, t, no.toLowerCase(), ` ${code} `);
    await other.page.waitForURL(`${at.shop.url}/orders/${no}`);
    assert.deepEqual(await showKeys(other), keys);
    assert.ok(!other.record.urls.some((url) => url.includes(code)), "the code stands in an address");
    await other.leave();
  }));

  test("guessing ends with a page that says to wait", as({ lang: "en" }, async (visitor, page, t) => {
    let response;
    for (let i = 0; i < 30 && response?.status() !== 429; i++) {
      await page.goto(at.shop.url + "/lookup");
      response = await lookUp(page, t, "20260101AAAAAAAAAAAAAAAA", `guess${i}`);
    }
    await shows(visitor, 429, response, t("shop.fault.too_many.title"));
  }));
});

function lookUp(page, t, no, code) {
  return answerOf(page, async () => {
    await page.getByLabel(t("shop.order.no")).fill(no);
    await page.getByLabel(t("shop.order.token")).fill(code);
    await button(page, t("shop.lookup.go")).click();
  });
}

describe("mistakes in forms", () => {
  test("a wrong contact keeps what was typed", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    await openCard(visitor);
    await buyNow(visitor, 2);
    const response = await answerOf(page, () => placeOrder(visitor, "not@an@address"));
    await shows(visitor, 422, response, t("shop.checkout.title"));
    const field = page.getByLabel(t("shop.checkout.contact_label"));
    assert.equal(await field.inputValue(), "not@an@address");
    assert.equal(await field.getAttribute("aria-invalid"), "true");
    assert.match(await page.locator("#contact-problem").textContent(), /\p{Script=Han}/u);
    assert.equal(await page.locator("#quantity-0").inputValue(), "2");
    await placeOrder(visitor, contact);
    await page.waitForURL(/\/pay$/);
  }));

  test("a wrong quantity is told beside it", as({ lang: "en" }, async (visitor, page, t) => {
    await openCard(visitor);
    await buyNow(visitor);
    await page.locator("form.checkout").evaluate((form) => { form.noValidate = true; });
    await page.locator("#quantity-0").fill("0");
    await shows(visitor, 422, await answerOf(page, () => placeOrder(visitor, contact)), t("shop.checkout.title"));
    assert.ok(await page.locator("#quantity-0-problem").textContent());
    assert.equal(await page.getByLabel(t("shop.checkout.contact_label")).inputValue(), contact);
  }));

  test("another quantity shows the new total first", as({ lang: "en" }, async (visitor, page, t) => {
    await openCard(visitor);
    await buyNow(visitor);
    await page.locator("#quantity-0").fill("3");
    await shows(visitor, 200, await answerOf(page, () => placeOrder(visitor, contact)), t("shop.checkout.title"));
    await button(page, t("shop.checkout.place")).click();
    await page.waitForURL(/\/pay$/);
  }));

  test("a form sent twice is one order", as({ lang: "en" }, async (visitor, page, t) => {
    await openCard(visitor);
    await buyNow(visitor);
    await page.getByLabel(t("shop.checkout.contact_label")).fill(contact);
    const form = await page.locator("form.checkout").evaluate((f) => Object.fromEntries(new FormData(f)));
    const send = () => visitor.context.request.post(`${at.shop.url}/checkout`, { form, maxRedirects: 0 });
    const [first, second] = await Promise.all([send(), send()]);
    assert.equal(first.status(), 303);
    assert.equal(second.headers().location, first.headers().location, "a second order was made");
    await button(page, t("shop.checkout.place")).click();
    await page.waitForURL(at.shop.url + first.headers().location);
  }));

  test("a search: found, not found, too long", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    const { title } = await at.shop.product(at.cardID, "zh-CN");
    await page.goto(at.shop.url + "/");
    await page.getByRole("searchbox").fill(title);
    await page.getByRole("searchbox").press("Enter");
    await page.getByRole("heading", { name: title }).first().waitFor();
    await page.goto(at.shop.url + "/search?q=zzzzzz");
    await page.getByText(t("shop.search.empty")).waitFor();
    await shows(visitor, 422, await page.goto(at.shop.url + "/search?q=" + "长".repeat(400)), t("shop.search.title"));
  }));
});

describe("refusals", () => {
  for (const lang of ["zh-CN", "en"]) {
    test(`not found: ${lang}`, as({ lang }, async (visitor, page, t) => {
      for (const path of ["/nowhere", "/p/nothing", "/c/nothing", "/a/b/c"]) {
        await shows(visitor, 404, await page.goto(at.shop.url + path), t("shop.fault.not_found.title"));
      }
      await page.getByRole("link", { name: t("shop.nav.home"), exact: true }).click();
      await page.waitForURL(at.shop.url + "/");
    }));
  }

  test("a form of another site", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    const elsewhere = "http://elsewhere.localhost/";
    const body = `<form method="post" action="${at.shop.url}/lookup"><button>send</button></form>`;
    await page.route(elsewhere, (route) => route.fulfill({ contentType: "text/html", body }));
    await page.goto(elsewhere);
    const response = await answerOf(page, () => button(page, "send").click());
    await shows(visitor, 403, response, t("shop.fault.refused.title"));
  }));

  test("an address that only takes forms", as({ lang: "en" }, async (visitor, page) => {
    await openCard(visitor);
    const no = await orderFrom(visitor, contact);
    const response = await page.goto(`${at.shop.url}/orders/${no}/reveal`);
    assert.ok([404, 405].includes(response.status()), `${response.status()}`);
    await assertLanguage(page, "en");
  }));
});

describe("whose shop, which language", () => {
  test("the second merchant shows its own goods and sells them", as({ lang: "en" }, async (visitor, page, t) => {
    const second = `http://qingfeng.localhost:${at.shop.port}`;
    const titlesOf = async (url) => {
      await page.goto(url);
      return page.locator(".card h3").allTextContents();
    };
    const [ours, theirs] = [await titlesOf(at.shop.url + "/"), await titlesOf(second + "/")];
    assert.ok(theirs.length > 0);
    assert.deepEqual(theirs.filter((title) => ours.includes(title)), [], "goods of the first merchant");
    await assertLanguage(page, "en");
    await shows(visitor, 404, await page.goto(`${second}/p/${(await at.shop.product(at.cardID)).slug}`), t("shop.fault.not_found.title"));
    await page.goto(second + "/");
    await page.locator(".card h3 a").first().click();
    const no = await orderFrom(visitor, contact);
    await payInSecondTab(visitor);
    await noticed(visitor, no);
    assert.ok((await shownKeys(visitor))[0].length > 20, "the text that was bought");
    await assertFits(page);
    assert.equal((await page.goto(`${at.shop.url}/orders/${no}`)).status(), 404, "its order shows in the first shop");
  }));

  test("the switch stays on the page and is remembered", as({ lang: "zh-CN", size: "desk" }, async (visitor, page) => {
    await openCard(visitor);
    const here = page.url();
    await page.getByRole("link", { name: "English", exact: true }).click();
    await page.waitForURL(here);
    await assertLanguage(page, "en");
    await page.goto(at.shop.url + "/");
    await assertLanguage(page, "en");
    await page.getByRole("link", { name: "中文", exact: true }).click();
    await assertLanguage(page, "zh-CN");
  }));
});
