import { createRouter, createWebHistory, type RouteRecordRaw } from "vue-router";
import { t } from "./lib/i18n";
import { can, resume } from "./lib/session";

declare module "vue-router" {
  interface RouteMeta {
    title: string;
    /** What one must hold to see the page; nothing: to be signed in. */
    needs?: string;
    open?: boolean;
  }
}

const pages: RouteRecordRaw[] = [
  { path: "", name: "home", component: () => import("./pages/HomePage.vue"), meta: { title: "nav.home" } },
  { path: "orders", name: "orders", component: () => import("./pages/OrdersPage.vue"), meta: { title: "nav.orders", needs: "orders.read" } },
  { path: "orders/:no", name: "order", component: () => import("./pages/OrderPage.vue"), props: true, meta: { title: "order.title", needs: "orders.read" } },
  { path: "products", name: "products", component: () => import("./pages/ProductsPage.vue"), meta: { title: "nav.products", needs: "products.read" } },
  { path: "products/:slug", name: "product", component: () => import("./pages/ProductPage.vue"), props: true, meta: { title: "product.title", needs: "products.read" } },
  { path: "product/new", name: "product-new", component: () => import("./pages/ProductPage.vue"), meta: { title: "product.new", needs: "products.write" } },
  { path: "cards", name: "cards", component: () => import("./pages/CardsPage.vue"), meta: { title: "nav.cards", needs: "cards.import" } },
  { path: "find", name: "find", component: () => import("./pages/FindPage.vue"), meta: { title: "nav.find", needs: "orders.read" } },
  { path: "holds", name: "holds", component: () => import("./pages/HoldsPage.vue"), meta: { title: "nav.holds", needs: "orders.read" } },
  { path: "approvals", name: "approvals", component: () => import("./pages/ApprovalsPage.vue"), meta: { title: "nav.approvals", needs: "approvals.read" } },
  { path: "accounts", name: "accounts", component: () => import("./pages/AccountsPage.vue"), meta: { title: "nav.accounts", needs: "payments.read" } },
  { path: "reconcile", name: "reconcile", component: () => import("./pages/ReconcilePage.vue"), meta: { title: "nav.reconcile", needs: "reconcile.read" } },
  { path: "reconcile/:id", name: "day", component: () => import("./pages/DayPage.vue"), props: true, meta: { title: "day.title", needs: "reconcile.read" } },
  { path: "alerts", name: "alerts", component: () => import("./pages/AlertsPage.vue"), meta: { title: "nav.alerts", needs: "alerts.read" } },
  { path: "staff", name: "staff", component: () => import("./pages/StaffPage.vue"), meta: { title: "nav.staff", needs: "staff.read" } },
  { path: "audit", name: "audit", component: () => import("./pages/AuditPage.vue"), meta: { title: "nav.audit", needs: "audit.read" } },
  { path: "backup", name: "backup", component: () => import("./pages/BackupPage.vue"), meta: { title: "nav.backup", needs: "backup.read" } },
  { path: "me", name: "me", component: () => import("./pages/MePage.vue"), meta: { title: "nav.me" } },
  { path: ":rest(.*)*", name: "nowhere", component: () => import("./pages/NowherePage.vue"), meta: { title: "nowhere.title" } },
];

export const router = createRouter({
  history: createWebHistory("/app/"),
  routes: [
    { path: "/sign-in", name: "sign-in", component: () => import("./pages/SignInPage.vue"), meta: { title: "sign_in.title", open: true } },
    { path: "/", component: () => import("./components/AppShell.vue"), children: pages },
  ],
  scrollBehavior: (_to, _from, saved) => saved ?? { top: 0 },
});

router.beforeEach(async (to) => {
  if (to.meta.open) return true;
  if (!(await resume())) return { name: "sign-in", query: to.fullPath === "/" ? {} : { to: to.fullPath } };
  if (to.meta.needs && !can(to.meta.needs)) return { name: "nowhere", params: { rest: ["not-allowed"] } };
  return true;
});

router.afterEach((to) => {
  document.title = `${t(to.meta.title)} · ${t("brand.name")}`;
});
