import type { MaintenanceWindow } from '../db/schema.ts';
import { isPlainText } from '../facts/plain-text.ts';
import { isTimeZone, parseInstant } from '../facts/wall-clock.ts';

/** A maintenance window as a person describes it: everything as typed. */
export type MaintenanceRequest = {
  /** How long: `90m`, `2h`, `1d`. */
  readonly for?: string;
  /** Until when: a day, which is its midnight, or a time of ISO 8601; by the clocks of `timeZone` where it says no zone. */
  readonly until?: string;
  readonly untilHealthy?: boolean;
  /** Weekly: `sun 02:00`. */
  readonly weekly?: string;
  /** IANA name, for `weekly` and `until`; UTC when nothing is said. */
  readonly timeZone?: string;
  readonly reason?: string;
};

export type NewWindow = Omit<MaintenanceWindow, 'id' | 'userId' | 'createdBy' | 'createdAt'>;

const MINUTE_MS = 60_000;
const UNIT_MINUTES: Readonly<Record<string, number>> = { m: 1, min: 1, h: 60, d: 1_440 };
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const LONGEST_WEEKLY_MINUTES = 6 * 1_440;
const LONGEST_REASON = 200;

/** Minutes of `90m`, `2h`, `1d`; null for anything else. */
export function parseDuration(text: string): number | null {
  const [, count = '', unit = ''] = /^(\d{1,5})\s*(m|min|h|d)$/i.exec(text.trim()) ?? [];
  const minutes = Number(count) * (UNIT_MINUTES[unit.toLowerCase()] ?? 0);
  return minutes > 0 ? minutes : null;
}

/** Reads a request; gives the window, or every problem in it: what was given, what is allowed. */
export function parseMaintenance(
  given: MaintenanceRequest,
  now: Date,
): { readonly window: NewWindow } | { readonly problems: readonly string[] } {
  const problems: string[] = [];
  const refuse = (what: string, value: string, allowed: string): null => {
    problems.push(`${what} is ${JSON.stringify(value)}; allowed: ${allowed}`);
    return null;
  };
  const ends = [given.for, given.until, given.untilHealthy || undefined].filter((end) => end !== undefined);
  if (ends.length > 1) problems.push('give one end: for, until, or until healthy');
  const minutes =
    given.for === undefined ? null : (parseDuration(given.for) ?? refuse('for', given.for, 'such as 90m, 2h or 1d'));
  const reason = given.reason?.trim() || null;
  if (reason !== null && (reason.length > LONGEST_REASON || !isPlainText(reason)))
    refuse('reason', reason, `up to ${LONGEST_REASON} printable characters`);
  const timeZone = given.timeZone ?? 'UTC';
  if (!isTimeZone(timeZone)) refuse('time zone', timeZone, 'an IANA name such as Europe/Oslo');
  const base = { ...NOT_WEEKLY, reason };

  if (given.weekly !== undefined) {
    const weekly = parseWeekly(given.weekly) ?? refuse('weekly', given.weekly, 'a day and a time such as "sun 02:00"');
    if (given.for === undefined || (minutes !== null && minutes > LONGEST_WEEKLY_MINUTES))
      refuse('for', given.for ?? '', 'with weekly, a length of up to 6 days, such as 2h');
    if (weekly === null || problems.length > 0) return { problems };
    const window = { ...base, ...weekly, kind: 'weekly', timeZone, durationMinutes: minutes } as const;
    return { window: { ...window, startsAt: now, endsAt: null } };
  }
  if (given.timeZone !== undefined && given.until === undefined)
    problems.push('a time zone goes with weekly, or with until');
  const until = given.until === undefined || !isTimeZone(timeZone) ? null : parseInstant(given.until, timeZone);
  if (given.until !== undefined && !(until !== null && until > now))
    refuse(
      'until',
      given.until,
      `a day or time in the future, such as 2026-12-24 or 2026-12-24T03:30 (in ${timeZone}) or 2026-12-24T03:30Z`,
    );
  if (problems.length > 0) return { problems };
  const endsAt = minutes === null ? until : new Date(now.getTime() + minutes * MINUTE_MS);
  return { window: { ...base, kind: given.untilHealthy ? 'until_healthy' : 'once', startsAt: now, endsAt } };
}

const NOT_WEEKLY = { weekday: null, startMinute: null, durationMinutes: null, timeZone: null, endedOccurrence: null };

function parseWeekly(text: string): { readonly weekday: number; readonly startMinute: number } | null {
  const [, day = '', hour = '', minute = ''] = /^([a-z]{3,9})\s+([01]?\d|2[0-3]):([0-5]\d)$/i.exec(text.trim()) ?? [];
  const weekday = WEEKDAYS.findIndex((name) => day !== '' && name.startsWith(day.toLowerCase()));
  return weekday < 0 ? null : { weekday, startMinute: Number(hour) * 60 + Number(minute) };
}
