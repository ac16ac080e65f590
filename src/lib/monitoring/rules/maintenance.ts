import cronParser from 'cron-parser';
import type { MaintenanceWindow } from '../../db/schema.ts';

/** Since when a VPS is under maintenance, and until when as far as that is known. */
export type Maintenance = {
  readonly windowId: string;
  readonly since: Date;
  /** Null: until somebody ends it, or until the next healthy check. */
  readonly until: Date | null;
  readonly kind: MaintenanceWindow['kind'];
};

const MINUTE_MS = 60_000;

/** What this window says at `now`; null when it is not open then. */
function openPartOf(window: MaintenanceWindow, now: Date): Maintenance | null {
  const { id: windowId, kind, startsAt, endsAt } = window;
  if (now < startsAt || (endsAt !== null && now >= endsAt)) return null;
  if (kind !== 'weekly') return { windowId, kind, since: startsAt, until: endsAt };
  const occurrence = lastOccurrence(window, now);
  return occurrence && now < occurrence.until ? { windowId, kind, ...occurrence } : null;
}

/** The latest weekly beginning at or before `now`: wall-clock time of its zone, so that summer time does not move it. */
function lastOccurrence(window: MaintenanceWindow, now: Date): { readonly since: Date; readonly until: Date } | null {
  const { weekday, startMinute, durationMinutes, timeZone } = window;
  if (weekday === null || startMinute === null || durationMinutes === null) return null;
  const expression = `${startMinute % 60} ${Math.floor(startMinute / 60)} * * ${weekday}`;
  // One more than now: `prev` looks strictly before its date.
  const currentDate = new Date(now.getTime() + 1);
  const since = cronParser
    .parseExpression(expression, { currentDate, tz: timeZone ?? 'UTC' })
    .prev()
    .toDate();
  return { since, until: new Date(since.getTime() + durationMinutes * MINUTE_MS) };
}

/** Whether a VPS with these windows is under maintenance at `now`. Of several, the one that lasts longest. */
export function maintenanceAt(windows: readonly MaintenanceWindow[], now: Date): Maintenance | null {
  const lasts = ({ until }: Maintenance): number => until?.getTime() ?? Infinity;
  return windows
    .flatMap((window) => openPartOf(window, now) ?? [])
    .reduce<Maintenance | null>((longest, one) => (longest && lasts(longest) >= lasts(one) ? longest : one), null);
}
