// The whole purchase with JavaScript switched off.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { assertClean } from "./lib/browser.mjs";
import { opening } from "./lib/opening.mjs";
import { assertCode, orderFrom, payInSecondTab, showKeys } from "./lib/steps.mjs";
import { text } from "./lib/text.mjs";

const { at, as, openCard } = opening();

describe("without JavaScript: order, pay, read the key", () => {
  for (const [lang, size] of [["zh-CN", "phone"], ["en", "desk"]]) {
    test(`${lang}, ${size}`, as({ lang, size, scripts: false }, async (visitor, page, t) => {
      const { shop } = at;
      await openCard(visitor);
      const no = await orderFrom(visitor, "13800138000");
      await assertCode(page);
      const seen = await page.evaluate(() => document.body.innerText);
      assert.ok(seen.includes(t("shop.pay.noscript")), "the page does not say how it goes on");
      await payInSecondTab(visitor);
      await settled(visitor, shop, no);
      const [key] = await showKeys(visitor);
      assert.match(key, /\S{6,}/);
      assert.equal(new URL(page.url()).pathname, `/orders/${no}/reveal`);
      const copies = page.locator("[data-copy]"); // they would do nothing
      assert.ok((await copies.count()) > 0);
      for (const copy of await copies.all()) assert.equal(await copy.isVisible(), false);
      assertClean(visitor.record, [shop.url, shop.sandbox]);
    }));
  }
});

// settled reloads the pay page as its own refresh does, until the shop leads
// on to the order.
async function settled({ page, lang }, shop, no) {
  const end = Date.now() + 15_000;
  const shown = page.getByRole("heading", { name: text(lang, "shop.order.delivered.title"), exact: true });
  do {
    await page.waitForTimeout(300);
    await page.goto(`${shop.url}/orders/${no}/pay`);
  } while ((await shown.count()) === 0 && Date.now() < end);
  assert.equal(new URL(page.url()).pathname, `/orders/${no}`);
}
