// The one way to the server: typed by its own description, errors as the server words them.

import createClient, { type Middleware } from "openapi-fetch";
import { currentLang, t } from "../lib/i18n";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];
export type ProblemBody = Schemas["Problem"];

/** Fault is what went wrong, in words for a person and with what support needs. */
export class Fault extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly requestId = "",
    readonly fields: Record<string, string> = {},
  ) {
    super(message);
  }
}

const inLanguage: Middleware = {
  onRequest({ request }) {
    request.headers.set("Accept-Language", currentLang());
    return request;
  },
};

const client = createClient<paths>({ baseUrl: "/" });
client.use(inLanguage);

/** What to do when the server no longer knows this session. */
let signedOut: () => void = () => {};
export function whenSignedOut(then: () => void) {
  signedOut = then;
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** Gives the body of a good answer, or throws a Fault. */
async function take<T>(answer: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await answer;
  } catch {
    throw new Fault(0, "no_connection", t("fault.no_connection"));
  }
  if (got.response.ok) return got.data as T;
  throw faultOf(got.response.status, got.error);
}

/** Reads a problem document; what is none was written by something between us and the shop. */
export function faultOf(status: number, body: unknown): Fault {
  const problem = (body ?? {}) as Partial<ProblemBody>;
  if (!problem.code) return new Fault(status, "http_" + status, t("fault.strange", { status }));
  const fields: Record<string, string> = {};
  for (const field of problem.errors ?? []) fields[field.field] ??= field.detail;
  if (status === 401 && problem.code !== "sign_in_failed" && problem.code !== "second_factor_required") signedOut();
  return new Fault(status, problem.code, problem.detail ?? problem.code, problem.instance, fields);
}

/** A key that makes a repeated press one deed. Not randomUUID: browsers offer that on secure origins only. */
export const newKey = () => Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");

export { client, take };
