import type { MaintenanceWindow } from '../db/schema.ts';
import { maintenanceAt } from '../monitoring/rules/maintenance.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const utc = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** `is under maintenance until 2026-12-24 03:30 UTC (new disk)`, or what a window will be, or was. */
export function describeWindow(window: MaintenanceWindow, now: Date): string {
  const reason = window.reason === null ? '' : ` (${window.reason})`;
  if (window.kind === 'weekly') {
    const { weekday, startMinute, durationMinutes, timeZone } = window;
    const minute = startMinute ?? 0;
    const time = `${twoDigits(Math.floor(minute / 60))}:${twoDigits(minute % 60)}`;
    const open = maintenanceAt([window], now) === null ? '' : ', open now';
    return `is under maintenance every ${WEEKDAYS[weekday ?? 0]} at ${time} ${timeZone ?? 'UTC'} for ${durationMinutes} min${open}${reason}`;
  }
  if (window.endsAt !== null && window.endsAt <= now)
    return `was under maintenance until ${utc(window.endsAt)}${reason}`;
  const until =
    window.kind === 'until_healthy'
      ? 'until the next healthy check'
      : window.endsAt === null
        ? 'until it is ended'
        : `until ${utc(window.endsAt)}`;
  return `is under maintenance ${until}${reason}`;
}
