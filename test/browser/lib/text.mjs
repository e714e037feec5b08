// What stands on a page, and whether it is in the page's language.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const catalogues = Object.fromEntries(
  ["zh-CN", "en"].map((lang) => [lang, read(`../../../internal/i18n/catalogues/shop.${lang}.json`)]),
);
const sandboxTexts = Object.fromEntries(
  ["zh-CN", "en"].map((lang) => [lang, read(`../../../sandbox/assets/text.${lang}.json`)]),
);

function read(name) {
  return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"));
}

/** A text of the shop's catalogue with its {names} filled in. */
export function text(lang, key, values = {}) {
  const found = catalogues[lang][key];
  assert.ok(found, `no text ${key} in ${lang}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? `{${name}}`);
}

/** A text of the sandbox's pages. */
export function sandboxText(lang, key) {
  return sandboxTexts[lang][key];
}

const han = /\p{Script=Han}/u;
const letters = /\p{L}{2,}/u;
const anyKey = /\b(?:shop|error|sandbox)\.[a-z_]+\.[a-z_.]+/;

/**
 * Fails if the page is not in its language: its lang attribute, its title, a
 * name of a catalogue key instead of a text, Chinese on an English page or
 * none where a Chinese page speaks.
 */
export async function assertLanguage(page, lang) {
  const seen = await page.evaluate(collect);
  const where = new URL(page.url()).pathname;
  assert.equal(seen.lang, lang, `lang of ${where}`);
  for (const line of [seen.title, ...seen.spoken, ...seen.all]) {
    assert.doesNotMatch(line, anyKey, `a catalogue key shows on ${where}`);
    assert.doesNotMatch(line, /\{\w+\}|%!|undefined|\[object/, `an unfilled text shows on ${where}`);
    if (lang === "en") assert.doesNotMatch(line, han, `Chinese on the English ${where}`);
  }
  if (lang === "en") return;
  const silent = seen.spoken.filter((line) => letters.test(line) && !han.test(line));
  assert.deepEqual(silent, [], `not Chinese on ${where}`);
}

// collect runs in the page. What is marked as another language (the language
// switch), code, what merchants and buyers wrote (.theirs), and the name by which
// the sandbox knows a merchant are nobody's text.
function collect() {
  const lang = document.documentElement.lang;
  const foreign = (element) => element.closest("code, pre, script, style, noscript, .language, .merchant, .theirs")
    || element.closest("[lang]").lang !== lang;
  const all = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walk.nextNode()) {
    const line = walk.currentNode.data.trim();
    if (line && !foreign(walk.currentNode.parentElement)) all.push(line);
  }
  const spoken = [];
  for (const element of document.querySelectorAll("button, label, legend, h1, h2, summary, .help, .lead, dt, .button")) {
    const line = element.textContent.trim().replace(/\s+/g, " ");
    if (line && !foreign(element)) spoken.push(line);
  }
  for (const element of document.querySelectorAll("[aria-label], [placeholder], img[alt]")) {
    for (const name of ["aria-label", "placeholder", "alt"]) {
      if (element.getAttribute(name)) spoken.push(element.getAttribute(name));
    }
  }
  return { lang, title: document.title, all, spoken };
}

/** Fails if the page is wider than its screen, or a text is cut off. */
export async function assertFits(page) {
  const found = await page.evaluate(() => {
    const root = document.documentElement;
    const wide = root.scrollWidth > root.clientWidth ? [`page ${root.scrollWidth} > ${root.clientWidth}`] : [];
    for (const element of document.querySelectorAll("h1, h2, h3, p, button, a.button, code, dd, .price, .stock")) {
      const style = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      if (box.width <= 1 || style.visibility === "hidden") continue; // for screen readers only
      const clipped = style.overflowX !== "visible" && element.scrollWidth > element.clientWidth + 1;
      const outside = box.right > root.clientWidth + 1 && !element.closest(".rail");
      if (clipped || outside) wide.push(`${element.tagName} ${element.className}: ${element.textContent.trim().slice(0, 40)}`);
    }
    return wide;
  });
  assert.deepEqual(found, [], `cut or too wide on ${new URL(page.url()).pathname}`);
}

const consoleTexts = Object.fromEntries(
  ["zh-CN", "en"].map((lang) => [lang, read(`../../../ui/console/src/locales/${lang}.json`)]),
);

/** A text of the console's catalogue with its {names} filled in. */
export function consoleText(lang, key, values = {}) {
  const found = key.split(".").reduce((part, name) => part?.[name], consoleTexts[lang]);
  assert.equal(typeof found, "string", `no text ${key} in ${lang}`);
  return found.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? `{${name}}`);
}
