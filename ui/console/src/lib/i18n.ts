import { createI18n } from "vue-i18n";
import en from "../locales/en.json";
import zh from "../locales/zh-CN.json";

export type Lang = "zh-CN" | "en";
const stored = "panshi.lang"; // all that this program keeps in the browser

function firstLang(): Lang {
  const kept = localStorage.getItem(stored);
  if (kept === "zh-CN" || kept === "en") return kept;
  return navigator.language.toLowerCase().startsWith("zh") ? "zh-CN" : "en";
}

export const i18n = createI18n({
  legacy: false,
  locale: firstLang(),
  fallbackLocale: false,
  messages: { "zh-CN": zh, en },
});

export const currentLang = (): Lang => i18n.global.locale.value as Lang;

export function setLang(lang: Lang) {
  i18n.global.locale.value = lang;
  document.documentElement.lang = lang;
  localStorage.setItem(stored, lang);
}

document.documentElement.lang = currentLang();

/** For code outside of components; templates use $t. */
export const t = (key: string, values: Record<string, unknown> = {}): string => i18n.global.t(key, values);

/** The text of a value the server names; the value itself if a later server has more of them. */
export const word = (group: string, value: string): string => {
  const key = `${group}.${value}`;
  return i18n.global.te(key) ? t(key) : value;
};

/** What merchants named in both languages, in the reader's; the Chinese name where there is no other. */
export const named = (of: { title: string; title_en?: string }): string => (currentLang() === "en" && of.title_en ? of.title_en : of.title);
