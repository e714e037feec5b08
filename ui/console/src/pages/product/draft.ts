// A product as it is being edited: amounts and counts as people type them.

import type { Schemas } from "../../api/client";
import { minorOf, typed } from "../../lib/format";

export interface SkuDraft {
  code: string;
  title: string;
  title_en: string;
  price: string;
  on: boolean;
  position: number;
  limited: boolean;
  /** What the server keeps; missing for one that is new. */
  stored?: Schemas["SkuView"];
}

export type Draft = Omit<Schemas["ProductBody"], "$schema" | "skus" | "position" | "per_order_limit" | "per_contact_limit"> & {
  slug: string;
  position: string;
  per_order_limit: string;
  per_contact_limit: string;
  skus: SkuDraft[];
};

export const emptySku = (): SkuDraft => ({ code: "", title: "", title_en: "", price: "", on: true, position: 0, limited: false });

const skuDraft = (s: Schemas["SkuView"]): SkuDraft => ({
  code: s.code, title: s.title, title_en: s.title_en, price: typed(s.price), on: s.on, position: s.position, limited: s.stock === "counted", stored: s,
});

/** Begins with what is stored, or with a new product. */
export function draftOf(p?: Schemas["ProductView"]): Draft {
  return {
    slug: p?.slug ?? "", kind: p?.kind ?? "card", category: p?.category ?? "", title: p?.title ?? "", title_en: p?.title_en ?? "",
    summary: p?.summary ?? "", summary_en: p?.summary_en ?? "", description: p?.description ?? "", description_en: p?.description_en ?? "",
    image: p?.image ?? "", on: p?.on ?? false, position: String(p?.position ?? 0),
    per_order_limit: String(p?.per_order_limit ?? 0), per_contact_limit: String(p?.per_contact_limit ?? 0),
    skus: p ? (p.skus ?? []).map(skuDraft) : [emptySku()],
  };
}

const wholeOf = (text: string): number | undefined => (/^\s*\d{1,7}\s*$/.test(text) ? Number(text) : undefined);

/** What to send; undefined while something is missing or no number. */
export function bodyOf(draft: Draft): Schemas["ProductBody"] | undefined {
  const [position, perOrder, perContact] = [draft.position, draft.per_order_limit, draft.per_contact_limit].map(wholeOf);
  const prices = draft.skus.map((s) => minorOf(s.price));
  const incomplete = !draft.title.trim() || !draft.slug.trim() || draft.skus.some((s) => !s.code.trim()) || prices.some((p) => !p);
  if (incomplete || position === undefined || perOrder === undefined || perContact === undefined) return undefined;
  const { slug: _, ...words } = draft;
  return {
    ...words, position, per_order_limit: perOrder, per_contact_limit: perContact,
    skus: draft.skus.map((s, i) => ({
      code: s.code.trim(), title: s.title, title_en: s.title_en, price: prices[i]!, currency: "CNY", on: s.on, position: s.position, limited: s.limited,
    })),
  };
}
