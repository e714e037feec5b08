// Every kind of page through axe-core: WCAG 2 A and AA, both languages, phone
// and desk, light, and the contrast of dark.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, describe, test } from "node:test";
import { languages, launch, visit, widths } from "./lib/browser.mjs";
import { startShop } from "./lib/shop.mjs";
import { assertFits, assertLanguage } from "./lib/text.mjs";
import { prepare, tour } from "./lib/tour.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const rules = { runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] } };
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

// faults runs axe in the page. The browser's own channel brings it in, so the
// page's content security policy stays as it is.
async function faults(page, options) {
  if (!(await page.evaluate(() => "axe" in globalThis))) await page.evaluate(axe);
  const { violations } = await page.evaluate((o) => globalThis.axe.run(document, o), options);
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id} ${n.target.join(" ")} ${n.failureSummary.replace(/\s+/g, " ")}`));
}
