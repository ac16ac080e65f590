import type { MaintenanceWindow } from '../db/schema.ts';
import { wallTimeInWords } from '../facts/wall-clock.ts';
import { maintenanceAt } from '../monitoring/rules/maintenance.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const timeIn = (timeZone: string, at: Date): string => {
  const utc = `${wallTimeInWords('UTC', at)} UTC`;
  return timeZone === 'UTC' ? utc : `${utc} (${wallTimeInWords(timeZone, at)} in ${timeZone})`;
};
const twoDigits = (value: number): string => String(value).padStart(2, '0');

/**
 * `is under maintenance until 2026-12-24 03:30 UTC (2026-12-24 04:30 in Europe/Oslo) (new disk)`, or what a window will be,
 * or was. `timeZone`: that of the reader.
 */
export function describeWindow(window: MaintenanceWindow, now: Date, timeZone: string): string {
  const reason = window.reason === null ? '' : ` (${window.reason})`;
  if (window.kind === 'weekly') {
    const { weekday, startMinute, durationMinutes } = window;
    const minute = startMinute ?? 0;
    const time = `${twoDigits(Math.floor(minute / 60))}:${twoDigits(minute % 60)}`;
    const open = maintenanceAt([window], now) === null ? '' : ', open now';
    return `is under maintenance every ${WEEKDAYS[weekday ?? 0]} at ${time} ${window.timeZone ?? 'UTC'} for ${durationMinutes} min${open}${reason}`;
  }
  if (window.endsAt !== null && window.endsAt <= now)
    return `was under maintenance until ${timeIn(timeZone, window.endsAt)}${reason}`;
  const until =
    window.kind === 'until_healthy'
      ? 'until the next healthy check'
      : window.endsAt === null
        ? 'until it is ended'
        : `until ${timeIn(timeZone, window.endsAt)}`;
  return `is under maintenance ${until}${reason}`;
}
