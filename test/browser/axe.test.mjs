// Every kind of page through axe-core: WCAG 2 A and AA, both languages, phone
// and desk, light, and the contrast of dark.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { faults, rules } from "./lib/axe.mjs";
import { languages, launch, visit, widths } from "./lib/browser.mjs";
import { startShop } from "./lib/shop.mjs";
import { assertFits, assertLanguage } from "./lib/text.mjs";
import { prepare, tour } from "./lib/tour.mjs";

const contrast = { runOnly: { type: "rule", values: ["color-contrast"] } };

describe("accessibility", () => {
  let shop, browser, goods;

  before(async () => {
    shop = await startShop({ set: ["guard.limits=off"] });
    browser = await launch();
    goods = await prepare(shop);
  });
  after(async () => {
    await browser?.close();
    if (shop) assert.equal(await shop.stop(), 0, shop.log);
  });

  for (const lang of languages) {
    test(lang, async () => {
      const visitor = await visit(browser, { lang });
      const found = [];
      const inspect = async (where, options) => {
        found.push(...(await faults(visitor.page, options)).map((fault) => `${where}: ${fault}`));
      };
      await tour(visitor, shop, goods, async (stop) => {
        await assertLanguage(visitor.page, lang);
        for (const size of ["desk", "phone"]) {
          await visitor.page.setViewportSize(widths[size]);
          await assertFits(visitor.page);
          await inspect(`${stop}, ${size}`, rules);
        }
        if (lang !== languages[0]) return; // colours are the same in the other
        await visitor.page.emulateMedia({ colorScheme: "dark" });
        await inspect(`${stop}, dark`, contrast);
        await visitor.page.emulateMedia({ colorScheme: "light" });
      });
      assert.deepEqual(found, []);
      await visitor.leave();
    });
  }
});
