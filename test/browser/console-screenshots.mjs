// Pictures of every page of the console, phone and desk, both languages, into
// artifacts/console/. Names of pages as arguments make it show those alone.

import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { combinations, launch, visit } from "./lib/browser.mjs";
import { open, signIn } from "./lib/desk.mjs";
import { openConsole, pagesOf } from "./lib/console-tour.mjs";

const folder = fileURLToPath(new URL("artifacts/console/", import.meta.url));
const wanted = process.argv.slice(2);

async function photograph(browser, shop, at, { lang, size }) {
  const visitor = await visit(browser, { lang, size });
  const shoot = (name) => visitor.page.screenshot({ path: `${folder}${name}-${lang}-${size}.png`, fullPage: true });
  await visitor.page.goto(`${shop.console}/`);
  await visitor.page.locator("#login").waitFor();
  await shoot("sign-in");
  await signIn(visitor, shop, at.owner);
  for (const [name, path] of Object.entries(pagesOf(at))) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    await open(visitor, shop, path);
    await shoot(name);
  }
  if (visitor.record.complaints.length > 0) console.log(lang, size, visitor.record.complaints);
  await visitor.leave();
}

await rm(folder, { recursive: true, force: true });
await mkdir(folder, { recursive: true });
const browser = await launch();
const at = await openConsole();
try {
  for (const look of combinations()) await photograph(browser, at.shop, at, look);
} finally {
  await browser.close();
  await at.shop.stop();
}
console.log(`pictures are in ${folder}`);
