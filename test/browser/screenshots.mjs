// Pictures of every kind of page, phone and desk, both languages, into
// artifacts/; dark ones of the phone in Chinese.

import { mkdir, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { combinations, launch, visit } from "./lib/browser.mjs";
import { startShop } from "./lib/shop.mjs";
import { prepare, tour } from "./lib/tour.mjs";

const folder = fileURLToPath(new URL("artifacts/", import.meta.url));

async function main() {
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const shop = await startShop({ set: ["guard.limits=off"] });
  const browser = await launch();
  try {
    const goods = await prepare(shop);
    const looks = [...combinations(), { lang: "zh-CN", size: "phone", dark: true }];
    for (const look of looks) await photograph(browser, shop, goods, look);
  } finally {
    await browser.close();
    await shop.stop();
  }
  console.log(`pictures are in ${folder}`);
}

async function photograph(browser, shop, goods, { lang, size, dark = false }) {
  const visitor = await visit(browser, { lang, size, dark });
  let count = 0;
  await tour(visitor, shop, goods, async (stop) => {
    await visitor.page.evaluate(loadPictures);
    const name = [String(++count).padStart(2, "0"), stop, lang, size, ...(dark ? ["dark"] : [])].join("-");
    await visitor.page.screenshot({ path: `${folder}${name}.png`, fullPage: true });
  });
  await visitor.leave();
}

// loadPictures runs in the page: nobody scrolls, so lazy pictures would not come.
async function loadPictures() {
  const pictures = [...document.images];
  for (const picture of pictures) picture.loading = "eager";
  await Promise.all([document.fonts.ready, ...pictures.map((picture) => picture.decode())]);
}

await main();
