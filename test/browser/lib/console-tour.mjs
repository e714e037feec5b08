// A shop with something of everything that the console shows, and where its pages are.

import { buyPaid } from "./desk.mjs";
import { startShop } from "./shop.mjs";
import { setUp } from "./staff.mjs";

/** @returns the shop, its owner, a product of keys, an order that is paid, one that waits for work. */
export async function openConsole() {
  const shop = await startShop({ set: ["guard.limits=off"] });
  try {
    const owner = await setUp(shop, "chen", await shop.setupLink());
    const goods = await Promise.all((await shop.products()).map((p) => shop.product(p.id)));
    const one = (kind) => goods.find((p) => p.kind === kind && p.skus.length === 1 && p.skus[0].available > 100);
    const [card, manual] = [one("card"), one("manual")];
    const work = await buyPaid(shop, manual.skus[0].id);
    await buyPaid(shop, card.skus[0].id, { pay: false });
    const paid = await buyPaid(shop, card.skus[0].id, { quantity: 2 });
    await askForSomething(shop, owner);
    return { shop, owner, card, manual, paid, work };
  } catch (fault) {
    await shop.stop();
    throw fault;
  }
}

// An approval that waits: one account shall take no more than so much.
async function askForSomething(shop, owner) {
  const { token } = await shop.staffApi("/session", { login: owner.login, password: owner.password, code: owner.code(), mode: "bearer" });
  const accounts = await shop.staffApi("/payment_accounts", undefined, token);
  const rules = { max_amount: 500_000, reason: "大额订单改走对公转账" };
  await shop.staffApi(`/payment_accounts/${accounts.items[0].id}/rules`, rules, token);
}

/** The pages by name, as what follows /app/. */
export function pagesOf({ paid, work, card }) {
  return {
    home: "", orders: "orders", order: `orders/${paid}`, work: `orders/${work}`, products: "products", product: `products/${card.slug}`,
    "product-new": "product/new", cards: "cards", find: "find", holds: "holds", approvals: "approvals", accounts: "accounts", reconcile: "reconcile",
    alerts: "alerts", staff: "staff", audit: "audit", backup: "backup", me: "me", nowhere: "nowhere",
  };
}
