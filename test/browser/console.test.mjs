// What staff do in the console, at a desk and on a phone, in both languages.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { faults } from "./lib/axe.mjs";
import { combinations, languages, launch, visit, widths } from "./lib/browser.mjs";
import { openConsole, pagesOf } from "./lib/console-tour.mjs";
import { assertKept, assertNoSpill, buyPaid, field, open, press, settled, signIn } from "./lib/desk.mjs";
import { setUp } from "./lib/staff.mjs";
import { assertFits, assertLanguage, consoleText } from "./lib/text.mjs";

describe("console", () => {
  let at, browser, second;

  before(async () => {
    at = await openConsole();
    second = await setUp(at.shop, "zhou", await at.shop.setupLink());
    browser = await launch();
  });
  after(async () => {
    await browser?.close();
    if (at) assert.equal(await at.shop.stop(), 0, at.shop.log);
  });

  /** Makes a test of a story that a fresh visitor goes through. */
  const as = (options, story) => async () => {
    const visitor = await visit(browser, options);
    try {
      await story(visitor, visitor.page, (key, values) => consoleText(visitor.lang, key, values));
      await assertKept(visitor, at.shop, ["buyer.of.things", at.owner.password]);
    } finally {
      await visitor.leave();
    }
  };

  for (const look of combinations()) {
    test(`signs in, finds an order by its number and opens it (${look.name})`, as(look, async (visitor, page, t) => {
      await page.goto(`${at.shop.console}/`);
      await page.keyboard.press("Tab"); // the language
      await field(visitor, "sign_in.login").focus();
      await page.keyboard.type(at.owner.login);
      await page.keyboard.press("Tab");
      await page.keyboard.type(at.owner.password);
      await page.keyboard.press("Enter");
      await field(visitor, "sign_in.code").waitFor();
      await page.waitForFunction(() => document.activeElement?.id === "code");
      await page.keyboard.type(at.owner.code());
      await page.keyboard.press("Enter");
      await page.getByRole("heading", { level: 1, name: t("nav.home"), exact: true }).waitFor();
      visitor.record.complaints.length = 0; // the first password alone is answered by 401
      if (look.size === "phone") await press(visitor, "shell.menu").click();
      await page.getByRole("link", { name: t("nav.orders"), exact: true }).click();
      await page.getByRole("searchbox").or(field(visitor, "orders.number")).first().fill(at.paid.toLowerCase());
      await press(visitor, "orders.find").click();
      await page.getByRole("heading", { level: 1, name: `${t("order.title")} ${at.paid}`, exact: true }).waitFor();
      await page.getByText(t("action.order_settled"), { exact: true }).waitFor();
      assert.equal(await page.getByText("buyer.of.things").count(), 0, "the contact is masked");
    }));
  }

  test("a wrong password says so, with the request's id, and keeps what was typed", as({ lang: "en", size: "phone" }, async (visitor, page) => {
    await page.goto(`${at.shop.console}/app/orders`);
    await field(visitor, "sign_in.login").fill("nobody-here");
    await field(visitor, "sign_in.password").fill("a password of nobody");
    await press(visitor, "sign_in.next").click();
    const fault = page.getByRole("alert");
    await fault.waitFor();
    assert.match(await fault.textContent(), /sign_in_failed/);
    assert.match(await fault.textContent(), /[0-9a-f]{8}-[0-9a-f]{4}/, "the id of the request");
    assert.equal(await field(visitor, "sign_in.login").inputValue(), "nobody-here");
    visitor.record.complaints.length = 0;
  }));

  test("a link to another site after sign-in leads nowhere", as({ lang: "en", size: "desk" }, async (visitor, page, t) => {
    await page.goto(`${at.shop.console}/app/sign-in?to=//example.com/`);
    await field(visitor, "sign_in.login").fill(at.owner.login);
    await field(visitor, "sign_in.password").fill(at.owner.password);
    await press(visitor, "sign_in.next").click();
    await field(visitor, "sign_in.code").fill(at.owner.code());
    await press(visitor, "sign_in.send").click();
    await page.getByRole("heading", { level: 1, name: t("nav.home"), exact: true }).waitFor();
    assert.equal(new URL(page.url()).origin, at.shop.console);
    visitor.record.complaints.length = 0;
  }));

  test("imports keys: a bad file first, then the good one", as({ lang: "zh-CN", size: "desk" }, async (visitor, page, t) => {
    await entered(visitor, at.owner);
    await open(visitor, at.shop, `cards?sku=${at.card.skus[0].code}`);
    const picker = page.locator("#file");
    await picker.setInputFiles({ name: "bad.txt", mimeType: "text/plain", buffer: Buffer.from([0xff, 0xfe, 0x41, 0x00]) });
    await press(visitor, "cards.check").click();
    await page.getByRole("alert").waitFor();
    assert.match(await page.getByRole("alert").textContent(), /file_utf16/);
    visitor.record.complaints.length = 0;

    const keys = ["WEB-0001-AAAA", "WEB-0002-BBBB", "WEB-0001-AAAA", "x".repeat(5000)];
    await picker.setInputFiles({ name: "keys.txt", mimeType: "text/plain", buffer: Buffer.from(keys.join("\n")) });
    await press(visitor, "cards.check").click();
    await page.getByRole("heading", { name: t("report.checked"), exact: true }).waitFor();
    assert.deepEqual(await page.locator(".sums dd").allTextContents(), ["4", "2", "1", "1"]);
    assert.equal(await page.getByText("WEB-0001").count(), 0, "no key is shown");
    await press(visitor, "cards.store", { n: "2" }).click();
    await page.getByRole("heading", { name: t("report.stored"), exact: true }).waitFor();
    assert.ok(!visitor.record.urls.some((url) => url.includes("WEB-")));
  }));

  test("delivers by hand and shows a contact, which is recorded", as({ lang: "en", size: "phone" }, async (visitor, page, t) => {
    await entered(visitor, at.owner);
    await open(visitor, at.shop, `orders/${at.work}`);
    await press(visitor, "order.deliver").click();
    await field(visitor, "deliver.content").fill("the work, done");
    await page.getByRole("dialog").getByRole("button", { name: t("order.deliver"), exact: true }).click();
    await page.getByText(t("action.order_delivered_by_hand"), { exact: true }).waitFor();
    await press(visitor, "order.reveal").click();
    await page.getByText("buyer.of.things@example.com", { exact: true }).waitFor();
    await page.reload();
    await page.getByText(t("action.order_contact_revealed"), { exact: true }).waitFor();
    assert.equal(await page.getByText("buyer.of.things").count(), 0);
  }));

  test("a refund above the limit is asked by one and approved by another in a second browser", async () => {
    const sku = at.manual.skus[0];
    const no = await buyPaid(at.shop, sku.id, { quantity: Math.ceil(100_001 / sku.price) });
    const maker = await visit(browser, { lang: "zh-CN", size: "desk" });
    const checker = await visit(browser, { lang: "en", size: "phone" });
    await entered(maker, at.owner);
    await open(maker, at.shop, `orders/${no}`);
    await press(maker, "order.refund").click();
    const dialog = maker.page.getByRole("dialog");
    await field(maker, "order.reason").fill("买家改变主意");
    await dialog.locator("button[type=submit]").click();
    await press(maker, "approvals.request").click();
    await dialog.waitFor({ state: "hidden" });
    maker.record.complaints.length = 0; // 409 approval_required

    await entered(checker, second);
    await open(checker, at.shop, "approvals");
    const row = checker.page.getByRole("row").filter({ hasText: "买家改变主意" });
    await row.getByRole("button").click();
    await checker.page.getByRole("dialog").getByText(no, { exact: true }).waitFor();
    await field(checker, "sign_in.code").fill(second.code());
    await press(checker, "approvals.approve").click();
    await checker.page.getByRole("dialog").waitFor({ state: "hidden" });

    await maker.page.reload();
    await maker.page.getByText(consoleText("zh-CN", "action.refund_promised"), { exact: true }).waitFor();
    await assertKept(maker, at.shop, [at.owner.password]);
    await assertKept(checker, at.shop, [second.password]);
    await Promise.all([maker.leave(), checker.leave()]);
  });

  for (const lang of languages) {
    test(`every page: axe, its language, its width (${lang})`, as({ lang, size: "desk" }, async (visitor, page) => {
      const found = [];
      const inspect = async (name) => {
        await assertLanguage(page, lang);
        for (const size of ["desk", "phone"]) {
          await page.setViewportSize(widths[size]);
          await assertFits(page);
          await assertNoSpill(page);
          found.push(...(await faults(page)).map((fault) => `${name}, ${size}: ${fault}`));
        }
        await page.setViewportSize(widths.desk);
      };
      await page.goto(`${at.shop.console}/`);
      await field(visitor, "sign_in.login").waitFor();
      await inspect("sign-in");
      await entered(visitor, at.owner);
      for (const [name, path] of Object.entries(pagesOf(at))) {
        await open(visitor, at.shop, path);
        await inspect(name);
      }
      await open(visitor, at.shop, `orders/${at.paid}`);
      await press(visitor, "order.refund").click();
      await page.getByRole("dialog").waitFor();
      await inspect("refund");
      await open(visitor, at.shop, "approvals");
      await press(visitor, "approvals.look").first().click();
      await page.getByRole("dialog").waitFor();
      await inspect("approval");
      assert.deepEqual(found, []);
    }));
  }

  // entered signs in; what a browser says of the steps to it is no complaint.
  async function entered(visitor, staff) {
    await signIn(visitor, at.shop, staff);
    await settled(visitor.page);
    visitor.record.complaints.length = 0;
  }
});
