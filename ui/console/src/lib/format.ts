import { currentLang } from "./i18n";

/** Minor units as people write them: 4900 CNY is ¥49.00. */
export function money(minor: number, currency = "CNY"): string {
  return new Intl.NumberFormat(currentLang(), { style: "currency", currency, currencyDisplay: "narrowSymbol" }).format(minor / 100);
}

/** What a person typed as an amount, in minor units; undefined if it is none. */
export function minorOf(text: string): number | undefined {
  const found = /^\s*(\d{1,10})(?:\.(\d{1,2}))?\s*$/.exec(text);
  if (!found) return undefined;
  return Number(found[1]) * 100 + Number((found[2] ?? "").padEnd(2, "0"));
}

/** Minor units as a person would type them into a field: 4900 is 49.00. */
export const typed = (minor: number): string => (minor / 100).toFixed(2);

export const count = (n: number): string => new Intl.NumberFormat(currentLang()).format(n);

/** The moment zero of the server: nothing happened yet. */
const never = (at?: string | null): boolean => !at || at.startsWith("0001-");

/** A moment in the time zone of who looks, the same figures in both languages: 2026-05-04 09:30:12. */
export function when(at?: string | null): string {
  if (!at || never(at)) return "—";
  const moment = new Date(at);
  const two = (n: number) => String(n).padStart(2, "0");
  const day = [moment.getFullYear(), two(moment.getMonth() + 1), two(moment.getDate())].join("-");
  return `${day} ${[moment.getHours(), moment.getMinutes(), moment.getSeconds()].map(two).join(":")}`;
}

/** A size for people: 1.5 MB. */
export function bytes(n: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  const step = n < 1 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(n) / 3));
  return `${(n / 1000 ** step).toFixed(step === 0 ? 0 : 1)} ${units[step]}`;
}

/** A length of time for people, in the largest unit that says enough. */
export function span(seconds: number): string {
  const [unit, n] = seconds < 120 ? ["second", seconds] as const : seconds < 7200 ? ["minute", seconds / 60] as const : seconds < 172_800 ? ["hour", seconds / 3600] as const : ["day", seconds / 86_400] as const;
  return new Intl.NumberFormat(currentLang(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 }).format(n);
}
