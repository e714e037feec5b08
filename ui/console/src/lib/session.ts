// Who is signed in. The proof itself is a cookie that no script can read.

import { computed, ref } from "vue";
import { client, Fault, take, type Schemas } from "../api/client";

const me = ref<Schemas["WhoAmI"]>();
export const who = computed(() => me.value);

export const can = (permission: string): boolean => me.value?.permissions?.includes(permission) ?? false;

export function forget() {
  me.value = undefined;
}

/** Asks the server once who this browser is; false: nobody. */
export async function resume(): Promise<boolean> {
  if (me.value) return true;
  try {
    me.value = await take(client.GET("/console/api/v1/session"));
    return true;
  } catch (fault) {
    if (fault instanceof Fault) return false; // signed out, or no server: signing in will tell which
    throw fault;
  }
}

export async function signIn(login: string, password: string, code: string) {
  const body = { login, password, mode: "cookie" as const, ...(code ? { code } : {}) };
  me.value = await take(client.POST("/console/api/v1/session", { body }));
}

export async function signOut() {
  await take(client.DELETE("/console/api/v1/session"));
  forget();
}
