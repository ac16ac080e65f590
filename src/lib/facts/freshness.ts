/** Who is to sweep, as far as the database and this process can tell. */
export type Watcher =
  /** `since`: when that process began to. */
  | { readonly kind: 'active'; readonly pid: number; readonly since: Date }
  /** It was to, and has not been heard of for longer than it may be silent. */
  | { readonly kind: 'silent'; readonly pid: number }
  | { readonly kind: 'nobody' };

/** What is known of the sweeps: what a page needs beside the state of the fleet, to say how old that is. */
export type Watch = {
  /** When the last sweep ended that was completed and saved; null: there has been none. */
  readonly sweptAt: Date | null;
  /** How long a sweep, and a single look, tells how things are. */
  readonly validMs: number;
  readonly watcher: Watcher;
  /** Whether a sweep goes on, in whichever process. */
  readonly isSweeping: boolean;
  /** Why the last attempt at a sweep came to nothing; null: it did not, or nobody knows. */
  readonly trouble: string | null;
  /** What is wrong where the database is not the one any more that was opened; null: it is. */
  readonly gone: string | null;
};

export type Why =
  | { readonly kind: 'gone' | 'trouble'; readonly text: string }
  /** `cut_off`: the page itself hears nothing from its server. */
  | { readonly kind: 'nobody' | 'cut_off' }
  /** `slow`: it is there, but no sweep of it comes to an end. */
  | { readonly kind: 'silent' | 'slow'; readonly pid: number };

/** How old what is shown of the fleet is. */
export type Freshness =
  | { readonly kind: 'fresh' }
  /** Old, but a server has just begun to sweep. `lastAt` null: there has been no sweep before. */
  | { readonly kind: 'starting'; readonly lastAt: Date | null; readonly isSweeping: boolean }
  /** `since` null: there has never been a sweep. */
  | { readonly kind: 'stale'; readonly since: Date | null; readonly why: Why };

/** Whether what was so at `at` still says how things are. A time that is yet to come was written by a clock set back since. */
const holds = (at: Date, validMs: number, now: Date): boolean => Math.abs(now.getTime() - at.getTime()) <= validMs;

/**
 * The one rule of how long a fleet counts as known: three intervals from the last sweep that was completed and saved. A
 * server that has just begun to sweep has as long for its first one. `isCutOff`: whether an open page has lost the server
 * from which it has all this.
 */
export function freshnessOf(
  { sweptAt, validMs, watcher, isSweeping, trouble, gone }: Watch,
  now: Date,
  isCutOff = false,
): Freshness {
  if (gone !== null) return { kind: 'stale', since: sweptAt, why: { kind: 'gone', text: gone } };
  if (sweptAt !== null && holds(sweptAt, validMs, now)) return { kind: 'fresh' };
  if (isCutOff) return { kind: 'stale', since: sweptAt, why: { kind: 'cut_off' } };
  if (trouble !== null) return { kind: 'stale', since: sweptAt, why: { kind: 'trouble', text: trouble } };
  if (watcher.kind !== 'active') return { kind: 'stale', since: sweptAt, why: watcher };
  return holds(watcher.since, validMs, now)
    ? { kind: 'starting', lastAt: sweptAt, isSweeping }
    : { kind: 'stale', since: sweptAt, why: { kind: 'slow', pid: watcher.pid } };
}

type LookTimes = { readonly lastCheckAt: Date | null; readonly authRetryAt: Date | null };

/**
 * Until when the last look at one VPS tells how it is; after refused logins that is until the next one is due, as nobody
 * looks before. Null: there was none, or its time is yet to come.
 */
export function knownUntil({ lastCheckAt, authRetryAt }: LookTimes, validMs: number, now: Date): Date | null {
  if (lastCheckAt === null || lastCheckAt.getTime() - now.getTime() > validMs) return null;
  return new Date(Math.max(lastCheckAt.getTime(), authRetryAt?.getTime() ?? 0) + validMs);
}

/** Whether what was last seen of a VPS still stands, by its `knownUntil`. */
export const isKnown = (vps: { readonly knownUntil: Date | null }, now: Date): boolean =>
  vps.knownUntil !== null && now <= vps.knownUntil;
