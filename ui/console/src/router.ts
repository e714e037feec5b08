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
