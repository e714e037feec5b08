// Ways to pay that lead elsewhere: Alipay's code and pages, WeChat Pay in a
// phone's browser, a transfer that staff confirm.

import assert from "node:assert/strict";
import { before, describe, test } from "node:test";
import { assertClean } from "./lib/browser.mjs";
import { opening } from "./lib/opening.mjs";
import { assertCode, chooseChannel, nameDevice, noticed, orderFrom, payInSecondTab, shownKeys } from "./lib/steps.mjs";
import { assertFits, assertLanguage, sandboxText, text } from "./lib/text.mjs";
import { takeTransfers } from "./lib/tour.mjs";

const { at, as, openCard } = opening();
const contact = "buyer@example.com";

const names = {
  precreate: { "zh-CN": "支付宝", en: "Alipay" },
  wap: { "zh-CN": "支付宝（手机网页）", en: "Alipay (phone browser)" },
  page: { "zh-CN": "支付宝（电脑网页）", en: "Alipay (web page)" },
  h5: { "zh-CN": "微信支付（手机浏览器）", en: "WeChat Pay (phone browser)" },
};

/** Orders a key and chooses a way to pay; ends on its page. */
async function orderBy(visitor, channel) {
  await openCard(visitor);
  const no = await orderFrom(visitor, contact);
  await nameDevice(visitor);
  await chooseChannel(visitor, no, channel);
  await assertLanguage(visitor.page, visitor.lang);
  await assertFits(visitor.page);
  return no;
}

describe("Alipay's code", () => {
  test("is scanned like the other one", as({ lang: "zh-CN", size: "desk" }, async (visitor) => {
    const no = await orderBy(visitor, names.precreate["zh-CN"]);
    await assertCode(visitor.page);
    await payInSecondTab(visitor);
    await noticed(visitor, no);
    assert.equal((await shownKeys(visitor)).length, 1);
    assertClean(visitor.record, [at.shop.url, at.shop.sandbox]);
  }));
});

describe("a platform's own page", () => {
  for (const [method, lang, size] of [
    ["wap", "zh-CN", "phone"], ["wap", "en", "phone"], ["h5", "zh-CN", "phone"], ["h5", "en", "phone"],
    ["page", "zh-CN", "desk"], ["page", "en", "desk"],
  ]) {
    test(`${method}, ${lang}`, as({ lang, size }, async (visitor, page, t) => {
      const no = await orderBy(visitor, names[method][lang]);
      await page.getByRole("link", { name: t("shop.pay.leave", { channel: names[method][lang] }), exact: true }).click();
      await page.getByRole("button", { name: sandboxText("zh-CN", "pay") }).or(page.getByRole("button", { name: sandboxText("en", "pay") })).click();
      const back = page.getByRole("link", { name: sandboxText("zh-CN", "back") }).or(page.getByRole("link", { name: sandboxText("en", "back") }));
      await back.click();
      await noticed(visitor, no);
      assert.equal((await shownKeys(visitor)).length, 1);
      await assertLanguage(page, lang);
      await assertFits(page);
      assertClean(visitor.record, [at.shop.url, at.shop.sandbox]);
    }));
  }
});

describe("a transfer", () => {
  before(() => takeTransfers(at.shop));

  test("shows where to, and waits for staff", as({ lang: "zh-CN" }, async (visitor, page, t) => {
    await orderBy(visitor, "对公转账");
    await page.getByRole("heading", { level: 1, name: t("shop.pay.title_transfer"), exact: true }).waitFor();
    const words = await page.locator("pre").textContent();
    assert.match(words, /6222 0000 0000 0000[^]*\n\n[0-9A-Z]{10,32}$/, "the number to name is not there");
    assert.equal(await page.locator(".qr").count(), 0);
    assert.equal(await page.getByRole("link", { name: text("zh-CN", "shop.pay.sandbox") }).count(), 0);
  }));
});
