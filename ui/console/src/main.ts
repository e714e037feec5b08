import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/element.css";
import { createApp } from "vue";
import { whenSignedOut } from "./api/client";
import App from "./App.vue";
import { i18n } from "./lib/i18n";
import { forget } from "./lib/session";
import { router } from "./router";

whenSignedOut(() => {
  forget();
  if (router.currentRoute.value.name !== "sign-in") {
    void router.push({ name: "sign-in", query: { to: router.currentRoute.value.fullPath } });
  }
});

createApp(App).use(i18n).use(router).mount("#app");
