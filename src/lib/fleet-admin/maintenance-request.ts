import * as z from 'zod/mini';
import type { MaintenanceWindow } from '../db/schema.ts';
import { isTimeZone, parseInstant } from '../facts/wall-clock.ts';
import { orNull, plainText, readBy, usually } from '../parsing/fields.ts';
import { parse } from '../parsing/parse.ts';
import type { Problem } from '../parsing/problems.ts';
import type { MaintenanceLength } from '../views/bulk-words.ts';

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

/** What a page offers to choose from. */
export const REQUEST_OF: Readonly<Record<MaintenanceLength, MaintenanceRequest>> = {
  '1h': { for: '1h' },
  '4h': { for: '4h' },
  '1d': { for: '1d' },
  healthy: { untilHealthy: true },
  open: {},
};

export type NewWindow = Omit<MaintenanceWindow, 'id' | 'userId' | 'createdBy' | 'createdAt'>;

const MINUTE_MS = 60_000;
const UNIT_MINUTES: Readonly<Record<string, number>> = { m: 1, min: 1, h: 60, d: 1_440 };
const WEEKDAYS = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday'];
const DAY_MINUTES = 1_440;
const ONE_END = 'give one end: for, until, or until healthy';

/** Minutes of `90m`, `2h`, `1d`; null for anything else. */
function parseDuration(text: string): number | null {
  const [, count = '', unit = ''] = /^(\d{1,5})\s*(m|min|h|d)$/i.exec(text.trim()) ?? [];
  const minutes = Number(count) * (UNIT_MINUTES[unit.toLowerCase()] ?? 0);
  return minutes > 0 ? minutes : null;
}

const zone = readBy((text) => (isTimeZone(text) ? text : undefined), {
  title: 'time zone',
  description: 'an IANA name such as Europe/Oslo',
});

const reason = orNull(plainText(200));

const length = (longest: number, allowed: string) =>
  readBy((text) => {
    const minutes = parseDuration(text);
    return minutes !== null && minutes <= longest ? minutes : undefined;
  }, allowed);

const isOneEnd = ({ for: length, until, untilHealthy }: MaintenanceRequest): boolean =>
  [length, until, untilHealthy || undefined].filter((end) => end !== undefined).length <= 1;

/** What fields ask of one another is said even where one of them is wrong by itself. */
const together = (isRight: boolean, reason: string) =>
  z.refine<unknown>(() => isRight, { params: { reason }, when: () => true });

const weeklyRequest = (given: MaintenanceRequest) =>
  z
    .object({
      reason,
      timeZone: usually('UTC', zone),
      weekly: readBy((text) => parseWeekly(text) ?? undefined, 'a day and a time such as "sun 02:00"'),
      for: length(6 * DAY_MINUTES, 'with weekly, a length of up to 6 days, such as 2h'),
    })
    .check(together(isOneEnd(given), ONE_END));

const singleRequest = (given: MaintenanceRequest, now: Date) => {
  const { timeZone = 'UTC' } = given;
  const goesWithZone = given.timeZone === undefined || given.until !== undefined;
  return z
    .object({
      reason,
      timeZone: usually('UTC', zone),
      for: orNull(length(Infinity, 'a length such as 90m, 2h or 1d')),
      until: orNull(
        readBy((text) => {
          const end = isTimeZone(timeZone) ? parseInstant(text, timeZone) : null;
          return end !== null && end > now ? end : undefined;
        }, `a day or time in the future, such as 2026-12-24 or 2026-12-24T03:30 (in ${timeZone}) or 2026-12-24T03:30Z`),
      ),
      untilHealthy: z._default(z.boolean(), false),
    })
    .check(together(isOneEnd(given), ONE_END), together(goesWithZone, 'a time zone goes with weekly, or with until'));
};

/** Reads a request; gives the window, or every problem in it. */
export function parseMaintenance(
  given: MaintenanceRequest,
  now: Date,
): { readonly window: NewWindow } | { readonly problems: readonly Problem<keyof MaintenanceRequest>[] } {
  if (given.weekly !== undefined) {
    const parsed = parse(weeklyRequest(given), given);
    if ('problems' in parsed) return parsed;
    const { for: durationMinutes, weekly, timeZone, reason } = parsed.value;
    const window = { ...NOT_WEEKLY, ...weekly, reason, kind: 'weekly', timeZone, durationMinutes } as const;
    return { window: { ...window, startsAt: now, endsAt: null } };
  }
  const parsed = parse(singleRequest(given, now), given);
  if ('problems' in parsed) return parsed;
  const { for: minutes, until, untilHealthy, reason } = parsed.value;
  const endsAt = minutes === null ? until : new Date(now.getTime() + minutes * MINUTE_MS);
  const kind = untilHealthy ? 'until_healthy' : 'once';
  return { window: { ...NOT_WEEKLY, reason, kind, startsAt: now, endsAt } };
}

const NOT_WEEKLY = { weekday: null, startMinute: null, durationMinutes: null, timeZone: null, endedOccurrence: null };

function parseWeekly(text: string): { readonly weekday: number; readonly startMinute: number } | null {
  const [, day = '', hour = '', minute = ''] = /^([a-z]{3,9})\s+([01]?\d|2[0-3]):([0-5]\d)$/i.exec(text.trim()) ?? [];
  const weekday = WEEKDAYS.findIndex((name) => day !== '' && name.startsWith(day.toLowerCase()));
  return weekday < 0 ? null : { weekday, startMinute: Number(hour) * 60 + Number(minute) };
}
