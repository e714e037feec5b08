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
    ],
  },
  {
    title: "section.money",
    links: [
    ],
  },
  { title: "section.shop", links: [{ name: "alerts", needs: "alerts.read" }] },
];
