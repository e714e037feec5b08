// What stands in the rail, in the order of use.

interface Link {
  name: string;
  needs?: string;
}

export const sections: { title: string; links: Link[] }[] = [
  { title: "", links: [{ name: "home" }] },
  {
    title: "section.sell",
    links: [
      { name: "orders", needs: "orders.read" },
      { name: "products", needs: "products.read" },
      { name: "cards", needs: "cards.import" },
      { name: "find", needs: "orders.read" },
    ],
  },
  {
    title: "section.money",
    links: [
      { name: "holds", needs: "orders.read" },
      { name: "approvals", needs: "approvals.read" },
      { name: "accounts", needs: "payments.read" },
      { name: "reconcile", needs: "reconcile.read" },
    ],
  },
  {
    title: "section.shop",
    links: [
      { name: "alerts", needs: "alerts.read" },
      { name: "backup", needs: "backup.read" },
      { name: "staff", needs: "staff.read" },
      { name: "audit", needs: "audit.read" },
    ],
  },
];
