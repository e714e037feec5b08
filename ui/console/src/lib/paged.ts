// A list that the server gives page by page. What is shown stays while the next page is on its way.

import { computed, onMounted, ref, shallowRef } from "vue";
import { Fault } from "../api/client";

interface Page<T> {
  items: T[] | null;
  next_cursor?: string;
}

export function usePaged<T>(fetch: (cursor: string) => Promise<Page<T>>) {
  const items = shallowRef<T[]>([]);
  const fault = ref<Fault>();
  const loading = ref(true);
  const before = ref<string[]>([]); // cursors of the pages that lead here
  const here = ref("");
  const next = ref("");
  let asked = 0;

  async function show(cursor: string) {
    const mine = ++asked;
    loading.value = true;
    try {
      const page = await fetch(cursor);
      if (mine !== asked) return false; // somebody has changed the filter since
      items.value = page.items ?? [];
      next.value = page.next_cursor ?? "";
      here.value = cursor;
      fault.value = undefined;
      return true;
    } catch (error) {
      if (mine === asked) fault.value = faultFrom(error);
      return false;
    } finally {
      if (mine === asked) loading.value = false;
    }
  }

  async function forward() {
    const from = here.value;
    if (next.value && (await show(next.value))) before.value.push(from);
  }
  async function back() {
    const to = before.value.at(-1);
    if (to !== undefined && (await show(to))) before.value.pop();
  }
  /** From the first page, for another filter. */
  async function restart() {
    before.value = [];
    await show("");
  }
  const reload = () => show(here.value);

  onMounted(restart);
  return {
    items, fault, loading, forward, back, restart, reload,
    hasNext: computed(() => next.value !== ""),
    hasBack: computed(() => before.value.length > 0),
  };
}

export type Paged = ReturnType<typeof usePaged<unknown>>;

/** One thing that a page shows. */
export function useLoaded<T>(fetch: () => Promise<T>) {
  const value = shallowRef<T>();
  const fault = ref<Fault>();
  const loading = ref(true);
  async function reload() {
    loading.value = true;
    try {
      value.value = await fetch();
      fault.value = undefined;
    } catch (error) {
      fault.value = faultFrom(error);
    } finally {
      loading.value = false;
    }
  }
  onMounted(reload);
  return { value, fault, loading, reload };
}

/** A deed: busy while it runs, and what it failed with. True when it was done. */
export function useDeed() {
  const busy = ref(false);
  const fault = ref<Fault>();
  async function run(deed: () => Promise<unknown>): Promise<boolean> {
    if (busy.value) return false;
    busy.value = true;
    fault.value = undefined;
    try {
      await deed();
      return true;
    } catch (error) {
      fault.value = faultFrom(error);
      return false;
    } finally {
      busy.value = false;
    }
  }
  return { busy, fault, run };
}

/** Faults are shown; anything else is a mistake in this program and belongs to the console. */
export function faultFrom(error: unknown): Fault {
  if (error instanceof Fault) return error;
  throw error;
}
