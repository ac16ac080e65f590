import { resolve } from '$app/paths';
import type { FleetListRow } from '$lib/views/fleet-list';
import { fleetSearch, WINDOW_ROWS, type FleetQuery } from '$lib/views/fleet-query';
import { SvelteMap, SvelteSet } from 'svelte/reactivity';

/** While someone scrolls fast, what flies past is not worth a request. */
const SETTLE_MS = 60;
/** Rows beyond what is seen, so that they are there when they come into view. */
const AHEAD_ROWS = 60;

type TimeName = { [Name in keyof FleetListRow]: Date extends FleetListRow[Name] ? Name : never }[keyof FleetListRow];
/** All of them, or it does not compile: JSON has no times. */
const TIME_NAMES: Readonly<Record<TimeName, true>> = {
  maintenanceSince: true,
  startingSince: true,
  startingUntil: true,
  maintenanceUntil: true,
  healingPausedSince: true,
  halfOpenAt: true,
  knownUntil: true,
  lastCheckAt: true,
  authRetryAt: true,
};
const TIMES = new Set(Object.keys(TIME_NAMES));
const revive = (text: string): readonly FleetListRow[] =>
  JSON.parse(text, (key, value: unknown) =>
    typeof value === 'string' && TIMES.has(key) ? new Date(value) : value,
  ) as readonly FleetListRow[];

/** The rows of a long list as far as they have been wanted: read window by window, and again when they are old. */
export class FleetWindows {
  readonly #rows = new SvelteMap<number, readonly FleetListRow[]>();
  readonly #fresh = new SvelteSet<number>();
  readonly #loading = new SvelteSet<number>();
  #query: FleetQuery | null = null;
  #wanted: readonly [first: number, last: number] = [0, 0];
  #given = -1;
  #settle: ReturnType<typeof setTimeout> | undefined;

  at(index: number): FleetListRow | null {
    return this.#rows.get(windowOf(index))?.[index % WINDOW_ROWS] ?? null;
  }

  /** The page has been read anew: with another query nothing of this is true any more, otherwise it is only old. */
  renew(query: FleetQuery, given: number): void {
    const isSame = this.#query !== null && searchOf(this.#query) === searchOf(query);
    if (!isSame) this.#rows.clear();
    this.#fresh.clear();
    this.#query = query;
    this.#given = given;
    this.#read();
  }

  /** These rows are in view. */
  want(first: number, last: number): void {
    this.#wanted = [Math.max(0, first - AHEAD_ROWS), last + AHEAD_ROWS];
    clearTimeout(this.#settle);
    this.#settle = setTimeout(() => this.#read(), SETTLE_MS);
  }

  #read(): void {
    const [first, last] = this.#wanted;
    for (let offset = windowOf(first); offset < last; offset += WINDOW_ROWS)
      if (offset !== this.#given && !this.#fresh.has(offset) && !this.#loading.has(offset)) void this.#load(offset);
  }

  async #load(offset: number): Promise<void> {
    const query = this.#query;
    if (query === null) return;
    this.#loading.add(offset);
    // Without an answer the rows stay as they are; the next reading of the page asks again.
    const rows = await readRows(query, offset).catch(() => null);
    this.#loading.delete(offset);
    if (this.#query === null || searchOf(this.#query) !== searchOf(query)) {
      this.#read();
      return;
    }
    if (rows === null) return;
    this.#rows.set(offset, rows);
    this.#fresh.add(offset);
  }
}

async function readRows(query: FleetQuery, offset: number): Promise<readonly FleetListRow[] | null> {
  const response = await fetch(`${resolve('/fleet/rows')}${fleetSearch(query, { offset })}`);
  return response.ok ? revive(await response.text()) : null;
}

const windowOf = (index: number): number => Math.floor(index / WINDOW_ROWS) * WINDOW_ROWS;
const searchOf = (query: FleetQuery): string => fleetSearch(query, { offset: 0 });
