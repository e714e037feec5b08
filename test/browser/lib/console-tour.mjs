// A shop with something of everything that the console shows, and where its pages are.

import { buyPaid } from "./desk.mjs";
import { startShop } from "./shop.mjs";
import { setUp } from "./staff.mjs";

/** @returns the shop, its owner, an order that is paid, one that waits, and a product. */
export async function openConsole() {
  const shop = await startShop({ set: ["guard.limits=off"] });
  const owner = await setUp(shop, "chen", await shop.setupLink());
  const card = (await shop.products()).find((p) => p.kind === "card" && p.available > 100);
  const { skus } = await shop.product(card.id);
  const paid = await buyPaid(shop, skus[0].id);
  const open = await buyPaid(shop, skus[0].id, { pay: false });
  return { shop, owner, card, sku: skus[0], paid, open };
}

/** The pages by name, as what follows /app/. */
export function pagesOf({ paid }) {
  return { home: "", orders: "orders", order: `orders/${paid}`, me: "me", nowhere: "nowhere" };
}
