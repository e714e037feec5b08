// What a buyer does, step by step. Every step ends on its page, loaded.

import assert from "node:assert/strict";
import { sandboxText, text } from "./text.mjs";

export const button = (page, name) => page.getByRole("button", { name, exact: true });

/** Gives the answer to a press that sends a form; after a redirect, the last one. */
export async function answerOf(page, press) {
  const navigation = (r) => r.request().isNavigationRequest() && (r.status() < 300 || r.status() >= 400);
  const [response] = await Promise.all([page.waitForResponse(navigation), press()]);
  await page.waitForLoadState();
  return response;
}

/** Opens the home page and follows its link to a product. */
export async function openProduct(visitor, shop, title) {
  const { page } = visitor;
  await page.goto(shop.url + "/");
  const link = page.getByRole("main").getByRole("link", { name: title, exact: true });
  const more = page.getByRole("link", { name: text(visitor.lang, "shop.list.more"), exact: true });
  while ((await link.count()) === 0) await more.click();
  await link.click();
  await page.getByRole("heading", { level: 1, name: title, exact: true }).waitFor();
}

/** From a product's page to the checkout form. */
export async function buyNow(visitor, quantity = 1) {
  const { page, lang } = visitor;
  if (quantity !== 1) await page.locator("#quantity").fill(String(quantity));
  await button(page, text(lang, "shop.product.buy")).click();
  await page.waitForURL(/\/checkout\?/);
}

/** Fills the checkout form and sends it. */
export async function placeOrder(visitor, contact) {
  const { page, lang } = visitor;
  await page.getByLabel(text(lang, "shop.checkout.contact_label")).fill(contact);
  await button(page, text(lang, "shop.checkout.place")).click();
}

/**
 * From a product's page to the code to pay.
 * @returns {Promise<string>} the order's number
 */
export async function orderFrom(visitor, contact, quantity = 1) {
  await buyNow(visitor, quantity);
  await placeOrder(visitor, contact);
  await visitor.page.waitForURL(/\/orders\/[0-9A-Z]+\/pay$/);
  return orderNo(visitor.page);
}

export function orderNo(page) {
  const found = new URL(page.url()).pathname.match(/^\/orders\/([0-9A-Z]+)/);
  assert.ok(found, `${page.url()} is no order's page`);
  return found[1];
}

/** Fails unless a code that a phone can read stands on the pay page. */
export async function assertCode(page) {
  const code = page.locator(".qr svg");
  const box = await code.boundingBox();
  assert.ok(box && box.width >= 200 && Math.abs(box.width - box.height) < 1, "the code is too small to scan");
  const [paper, ink] = await code.evaluate((svg) => [...svg.querySelectorAll("path")].map((p) => getComputedStyle(p).fill));
  assert.equal(paper, "rgb(255, 255, 255)");
  assert.notEqual(ink, paper);
  const size = Number((await code.getAttribute("viewBox")).split(" ")[2]);
  assert.ok(size >= 29, "a code with its quiet zone has 29 modules or more");
}

/**
 * Pays on the sandbox's page, in a second tab as with a second device, and
 * closes the tab.
 * @param check is called with the tab before paying and after it
 */
export async function payInSecondTab(visitor, check = async () => {}) {
  const { page, context, lang } = visitor;
  const opened = context.waitForEvent("page");
  await page.getByRole("link", { name: text(lang, "shop.pay.sandbox"), exact: true }).click({ modifiers: ["ControlOrMeta"] });
  const tab = await opened;
  await tab.waitForLoadState();
  await check(tab);
  await tab.getByRole("button", { name: sandboxText(lang, "pay") }).click();
  await tab.getByRole("heading", { name: sandboxText(lang, "paid_title") }).waitFor();
  await check(tab);
  await tab.close();
}

/** Has the visitor's browser call itself a phone's from now on, if the screen is one. */
export async function nameDevice({ context, page, size }) {
  if (size !== "phone") return;
  const userAgent = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0 Mobile Safari/537.36";
  const session = await context.newCDPSession(page);
  await session.send("Emulation.setUserAgentOverride", { userAgent });
}

/** Goes from any page to an order's pay page of the named way to pay. */
export async function chooseChannel({ page, lang }, no, name) {
  await page.goto(new URL(`/orders/${no}/pay?choose=1`, page.url()).href);
  await page.getByRole("radio", { name, exact: true }).check();
  await button(page, text(lang, "shop.channels.go")).click();
  await page.waitForURL(/\/pay\?channel=/);
}

/** Waits until the pay page has noticed the payment by itself and moved on. */
export async function noticed(visitor, no) {
  await visitor.page.waitForURL(new RegExp(`/orders/${no}(#goods)?$`), { timeout: 15_000 });
}

/** Asks for the keys by the button, if they are not shown yet. */
export async function showKeys(visitor) {
  await button(visitor.page, text(visitor.lang, "shop.goods.show")).click();
  return shownKeys(visitor);
}

/** Waits for the keys and reads them. */
export async function shownKeys({ page }) {
  await page.locator("[data-good]").first().waitFor();
  return page.locator("[data-good]").allTextContents();
}

/** The number and the look-up code that the order's page tells to keep. */
export async function keepsake({ page }) {
  return { no: await page.locator("#order-no").textContent(), code: await page.locator("#order-token").textContent() };
}
