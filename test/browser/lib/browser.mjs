// Chromium, visitors to the shop, and a record of what their browser did.

import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync",
];

export const widths = {
  phone: { width: 390, height: 844 },
  desk: { width: 1280, height: 900 },
};
export const languages = ["zh-CN", "en"];

/** Every screen in every language, as [{lang, size, name}]. */
export function combinations() {
  return languages.flatMap((lang) => Object.keys(widths).map((size) => ({ lang, size, name: `${lang}, ${size}` })));
}

/** Starts a headless Chromium with an empty profile. */
export function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true, args: flags });
}

/**
 * A person with a fresh browser: no cookies, one language, one screen.
 * Close it with visitor.leave().
 */
export async function visit(browser, { lang = "en", size = "phone", scripts = true, dark = false } = {}) {
  const context = await browser.newContext({
    locale: lang, viewport: widths[size], javaScriptEnabled: scripts, colorScheme: dark ? "dark" : "light",
    hasTouch: size === "phone", timezoneId: "Asia/Shanghai", reducedMotion: "reduce",
  });
  context.setDefaultTimeout(10_000);
  const record = observe(context);
  const page = await context.newPage();
  return { context, page, record, lang, size, leave: () => context.close() };
}

// observe notes every request and everything that a browser complains about.
function observe(context) {
  const record = { urls: [], complaints: [], off: false };
  const complain = (text) => record.off || record.complaints.push(text);
  context.on("request", (request) => record.urls.push(request.url()));
  context.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText;
    if (reason !== "net::ERR_ABORTED") complain(`failed: ${request.url()} ${reason}`); // aborted: the buyer went on
  });
  context.on("response", (response) => {
    if (response.status() >= 400) complain(`${response.status()}: ${response.url()}`);
  });
  context.on("weberror", (fault) => complain(`exception: ${fault.error()}`));
  // What breaks the content security policy is an error on the console too.
  context.on("console", (message) => {
    const { url } = message.location();
    const icon = url.endsWith("/favicon.ico"); // the sandbox has none, and browsers ask
    if (["error", "warning"].includes(message.type()) && !icon) complain(`console: ${message.text()} ${url}`);
  });
  return record;
}

/** Fails if a browser complained or spoke to anybody but these origins. */
export function assertClean(record, origins) {
  record.off = true; // closing the page may cut a request short
  assert.deepEqual(record.complaints, [], "the browser complained");
  const strangers = record.urls.filter((url) => !url.startsWith("data:") && !origins.includes(new URL(url).origin));
  assert.deepEqual(strangers, [], "requests to other origins");
}

/**
 * Fails if a secret stands in an address, in anything that scripts store or in
 * a cookie but its own.
 */
export async function assertSecret(visitor, secret, ownCookie = "") {
  for (const form of [secret, encodeURIComponent(secret)]) {
    assert.ok(!visitor.record.urls.some((url) => url.includes(form)), "a secret stands in an address");
    assert.ok(!visitor.page.url().includes(form), "a secret stands in the page's address");
  }
  const stored = await visitor.page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.equal(stored, "[{},{}]", "scripts stored something");
  for (const cookie of await visitor.context.cookies()) {
    assert.ok(cookie.httpOnly, `cookie ${cookie.name} is open to scripts`);
    assert.equal(cookie.sameSite, "Lax", `cookie ${cookie.name}`);
    assert.ok(cookie.name === ownCookie || !cookie.value.includes(secret), `cookie ${cookie.name} holds a secret`);
  }
}
