import type { MaintenanceWindow } from '../db/schema.ts';
import { wallTimeInWords } from '../facts/wall-clock.ts';
import type { FleetRow } from './fleet-read.ts';
import { maintenanceAt } from '../monitoring/rules/maintenance.ts';

const WEEKDAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

const timeIn = (timeZone: string, at: Date): string => {
  const utc = `${wallTimeInWords('UTC', at)} UTC`;
  return timeZone === 'UTC' ? utc : `${utc} (${wallTimeInWords(timeZone, at)} in ${timeZone})`;
};
const twoDigits = (value: number): string => String(value).padStart(2, '0');

/** What is true after somebody has ended maintenance, or deleted a window (`cancelled`). `ended`: there was some to end. */
export function describeEnd(
  { host, maintenanceSince, maintenanceUntil }: Pick<FleetRow, 'host' | 'maintenanceSince' | 'maintenanceUntil'>,
  done: { readonly cancelled: string | null; readonly ended: boolean },
  timeZone: string,
): string {
  const deleted = done.cancelled === null ? '' : `The window ${done.cancelled} of ${host} is deleted. `;
  if (maintenanceSince !== null) {
    const until = maintenanceUntil === null ? 'until it is ended' : `until ${timeIn(timeZone, maintenanceUntil)}`;
    return `${deleted}${host} is still under maintenance ${until}.`;
  }
  if (done.cancelled !== null) return `${deleted}${host} is not under maintenance.`;
  return done.ended ? `Maintenance of ${host} has ended.` : `${host} was not under maintenance.`;
}

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
    const isOn = (one: MaintenanceWindow): boolean => maintenanceAt([one], now) !== null;
    const open = isOn(window) ? ', open now' : isOn({ ...window, endedOccurrence: null }) ? ', ended for this time' : '';
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
