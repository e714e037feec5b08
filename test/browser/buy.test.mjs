// The main job in a real browser: from the home page to a key in the clipboard,
// on a phone and at a desk, in both languages.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClean, assertSecret, combinations } from "./lib/browser.mjs";
import { opening } from "./lib/opening.mjs";
import {
  assertCode, buyNow, keepsake, noticed, openProduct, orderNo, payInSecondTab, placeOrder, showKeys, shownKeys,
} from "./lib/steps.mjs";
import { assertFits, assertLanguage, text } from "./lib/text.mjs";

const { at, as } = opening();

describe("buying a key", () => {
  const sold = new Set();

  for (const { lang, size, name } of combinations()) {
    test(name, as({ lang, size }, async (visitor) => {
      const { shop } = at;
      await visitor.context.grantPermissions(["clipboard-read", "clipboard-write"], { origin: shop.url });
      const key = await buy(visitor, shop, (await shop.product(at.cardID, lang)).title);
      assert.ok(!sold.has(key), "a key was sold twice");
      sold.add(key);
      await assertSecret(visitor, key);
      assertClean(visitor.record, [shop.url, shop.sandbox]);
      assert.ok(!shop.log.includes(key), "the key stands in the log");
    }));
  }
});

async function buy(visitor, shop, title) {
  const { page, lang } = visitor;
  const check = async (tab = page) => {
    await assertLanguage(tab, lang);
    await assertFits(tab);
  };
  await page.goto(shop.url + "/");
  await check();
  await openProduct(visitor, shop, title);
  await check();
  await buyNow(visitor);
  await check();
  await placeOrder(visitor, "buyer@example.com");
  await page.waitForURL(/\/pay$/);
  const no = orderNo(page);
  await assertCode(page);
  await check();
  await payInSecondTab(visitor, check);
  await noticed(visitor, no);
  const [key] = await shownKeys(visitor); // who comes from paying sees it at once
  await check();
  return again(visitor, key, check);
}

// again comes back to the order later: the key is hidden, is the same when it
// is asked for, and goes into the clipboard.
async function again(visitor, key, check) {
  const { page, lang } = visitor;
  await page.reload();
  assert.equal(await page.getByText(key).count(), 0, "the key shows before it is asked for");
  await check();
  assert.deepEqual(await showKeys(visitor), [key]);
  await check();
  const { no, code } = await keepsake(visitor);
  await page.evaluate(() => navigator.clipboard.writeText("something else"));
  await page.locator("#goods li").getByRole("button", { name: text(lang, "shop.copy.key"), exact: true }).click();
  await page.getByRole("button", { name: text(lang, "shop.copy.done") }).waitFor();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), key);
  await assertSecret(visitor, code, `order_${no}`);
  return key;
}
