// A shop and a browser for the stories of one test file.

import assert from "node:assert/strict";
import { after, before } from "node:test";
import { launch, visit } from "./browser.mjs";
import { startShop } from "./shop.mjs";
import { openProduct } from "./steps.mjs";
import { assertFits, assertLanguage, text } from "./text.mjs";

/**
 * Opens a shop before the file's tests and closes it after them.
 * @returns at: the shop, the browser and the id of a product with many keys,
 * once the tests run; as, shows, openCard: see below
 */
export function opening() {
  const at = {};
  before(async () => {
    at.shop = await startShop();
    at.browser = await launch();
    at.cardID = (await at.shop.products()).find((p) => p.kind === "card" && p.available > 100).id;
  });
  after(async () => {
    await at.browser?.close();
    if (at.shop) assert.equal(await at.shop.stop(), 0, at.shop.log);
  });

  /** Makes a test of a story that a fresh visitor goes through; t gives texts. */
  const as = (options, story) => async () => {
    const visitor = await visit(at.browser, options);
    try {
      await story(visitor, visitor.page, (key, values) => text(visitor.lang, key, values));
    } finally {
      await visitor.leave();
    }
  };

  /** Fails unless the answer is this status and this page, whole and in its language. */
  const shows = async ({ page, lang }, status, response, heading) => {
    assert.equal(response.status(), status);
    await page.getByRole("heading", { level: 1, name: heading, exact: true }).waitFor();
    await assertLanguage(page, lang);
    await assertFits(page);
  };

  const openCard = async (visitor) => {
    const { title } = await at.shop.product(at.cardID, visitor.lang);
    await openProduct(visitor, at.shop, title);
  };
  return { at, as, shows, openCard };
}
