// What staff do in the console, step by step, and a shop with something to do.

import assert from "node:assert/strict";
import { consoleText } from "./text.mjs";

/** Buys one item as a guest and pays it at the sandbox. @returns the order's number */
export async function buyPaid(shop, sku, { pay = true, quantity = 1 } = {}) {
  const order = await shop.api("/orders", { body: { lines: [{ sku_id: sku, quantity }], contact: { email: "buyer.of.things@example.com" } } });
  if (!pay) return order.order_no;
  const channel = (await shop.api("/payment_channels")).items[0].id;
  const { order_no: no, access_token: token } = order;
  const payment = await shop.api(`/orders/${no}/payments`, { body: { channel }, token });
  await shop.pay(payment.payment_no);
  for (let tries = 0; tries < 100; tries++) {
    const { status } = await shop.api(`/orders/${no}`, { token });
    if (status !== "pending") return no;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`order ${no} is not paid`);
}

/** Signs in at the door, password first and the code when it is asked for. */
export async function signIn({ page, lang }, shop, staff) {
  const t = (key) => consoleText(lang, key);
  await page.goto(`${shop.console}/`);
  await page.getByLabel(t("sign_in.login"), { exact: true }).fill(staff.login);
  await page.getByLabel(t("sign_in.password"), { exact: true }).fill(staff.password);
  await page.getByRole("button", { name: t("sign_in.next"), exact: true }).click();
  await page.getByLabel(t("sign_in.code"), { exact: true }).fill(staff.code());
  await page.getByRole("button", { name: t("sign_in.send"), exact: true }).click();
  await page.getByRole("heading", { level: 1, name: t("nav.home"), exact: true }).waitFor();
}

/** Opens a page of the console as one who types its address, and waits for what it shows. */
export async function open({ page }, shop, path) {
  await page.goto(`${shop.console}/app/${path}`);
  await settled(page);
}

/** Waits until nothing is on its way any more. */
export async function settled(page) {
  await page.locator("main h1").first().waitFor();
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"], main [role="status"]'));
}

/** Fails if something on a surface does not fit into it. */
export async function assertNoSpill(page) {
  const spilt = await page.evaluate(() => [...document.querySelectorAll(".slab, .el-dialog")].filter((e) => e.scrollWidth > e.clientWidth + 1)
    .map((e) => e.textContent.trim().slice(0, 60)));
  assert.deepEqual(spilt, [], `too wide for its place on ${page.url()}`);
}

/** The control with a label in the visitor's language. */
export const field = ({ page, lang }, key) => page.getByLabel(consoleText(lang, key), { exact: true });

/** The button with a text in the visitor's language. */
export const press = ({ page, lang }, key, values) => page.getByRole("button", { name: consoleText(lang, key, values), exact: true });

/**
 * Fails if a browser complained of anything but what is its way to tell that
 * nobody is signed in, spoke to another origin, or if scripts store more than
 * the language or can read the session.
 */
export async function assertKept({ page, context, record }, shop, secrets) {
  const asked = `${shop.console}/console/api/v1/session`;
  const expected = (line) => line === `401: ${asked}` || (line.includes("status of 401") && line.endsWith(asked));
  assert.deepEqual(record.complaints.filter((line) => !expected(line)), [], "the browser complained");
  const strangers = record.urls.filter((url) => !url.startsWith("data:") && new URL(url).origin !== shop.console);
  assert.deepEqual(strangers, [], "requests to other origins");
  const kept = await page.evaluate(() => [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie]);
  assert.deepEqual([kept[0].filter((key) => key !== "panshi.lang"), kept[1], kept[2]], [[], [], ""], "scripts store something");
  for (const cookie of await context.cookies()) assert.ok(cookie.httpOnly && cookie.sameSite === "Strict", `cookie ${cookie.name}`);
  for (const secret of secrets) {
    assert.ok(!record.urls.some((url) => decodeURIComponent(url).includes(secret)), "a secret stands in an address");
  }
}
