import type { MaintenanceWindow } from '../../db/schema.ts';
import { CLOCK_SLACK_MS, isAhead } from '../../facts/clock-jump.ts';
import { instantOf, wallTimeAt } from '../../facts/wall-clock.ts';

/** Since when a VPS is under maintenance, and until when as far as that is known. */
export type Maintenance = {
  readonly windowId: string;
  readonly since: Date;
  /** Null: until somebody ends it, or until the next healthy check. */
  readonly until: Date | null;
  readonly kind: MaintenanceWindow['kind'];
};

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
const WEEK_MS = 7 * DAY_MS;

/** What this window says at `now`; null when it is not open then. */
function openPartOf(window: MaintenanceWindow, now: Date): Maintenance | null {
  const { id: windowId, kind, startsAt, endsAt } = window;
  if (!hasBegun(window, now) || (endsAt !== null && now >= endsAt)) return null;
  if (kind !== 'weekly') return { windowId, kind, since: startsAt, until: endsAt };
  const occurrence = occurrenceAt(window, now);
  const isEnded = occurrence?.since.getTime() === window.endedOccurrence?.getTime();
  return occurrence && !isEnded ? { windowId, kind, ...occurrence } : null;
}

/** What began when somebody said so has begun, although the clock, which was ahead then, has been set back since. */
const hasBegun = ({ startsAt, createdAt }: MaintenanceWindow, now: Date): boolean =>
  now >= startsAt || (isAhead(startsAt, now) && Math.abs(startsAt.getTime() - createdAt.getTime()) <= CLOCK_SLACK_MS);

/**
 * The occurrence of a weekly window that holds `now`. It begins by the clocks of its zone and lasts as long as it lasts:
 * when they are changed within it, its end is another one on the wall, and it is neither longer nor shorter. Each week
 * has one.
 */
function occurrenceAt(window: MaintenanceWindow, now: Date): { readonly since: Date; readonly until: Date } | null {
  const { weekday, startMinute, durationMinutes } = window;
  if (weekday === null || startMinute === null || durationMinutes === null) return null;
  const timeZone = window.timeZone ?? 'UTC';
  const durationMs = durationMinutes * MINUTE_MS;
  const wallMs = wallTimeAt(timeZone, now.getTime());
  const midnightMs = Math.floor(wallMs / DAY_MS) * DAY_MS;
  const daysAgo = (new Date(midnightMs).getUTCDay() - weekday + 7) % 7;
  const latestMs = midnightMs - daysAgo * DAY_MS + startMinute * MINUTE_MS;
  // That of tomorrow, too: clocks that were set back over midnight show the day before again.
  for (const startMs of daysAgo === 6 ? [latestMs, latestMs + WEEK_MS] : [latestMs, latestMs - WEEK_MS]) {
    // Clocks are changed by a day at most (Samoa, 2011): most instants are too far away to look any closer.
    if (wallMs - startMs > durationMs + DAY_MS || startMs - wallMs > DAY_MS) continue;
    const sinceMs = instantOf(timeZone, startMs);
    const untilMs = sinceMs + durationMs;
    if (sinceMs <= now.getTime() && now.getTime() < untilMs)
      return { since: new Date(sinceMs), until: new Date(untilMs) };
  }
  return null;
}

/** Whether a VPS with these windows is under maintenance at `now`. Of several, the one that lasts longest. */
export function maintenanceAt(windows: readonly MaintenanceWindow[], now: Date): Maintenance | null {
  const lasts = ({ until }: Maintenance): number => until?.getTime() ?? Infinity;
  return windows
    .flatMap((window) => openPartOf(window, now) ?? [])
    .reduce<Maintenance | null>((longest, one) => (longest && lasts(longest) >= lasts(one) ? longest : one), null);
}
