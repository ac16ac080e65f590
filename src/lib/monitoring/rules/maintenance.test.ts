import { describe, expect, it } from 'vitest';
import type { MaintenanceWindow } from '../../db/schema.ts';
import { maintenanceAt } from './maintenance.ts';

const at = (time: string): Date => new Date(`2026-${time}Z`);
const window = (more: Partial<MaintenanceWindow>): MaintenanceWindow => ({
  id: 'window-1',
  userId: 'user-1',
  kind: 'once',
  startsAt: at('03-01T10:00'),
  endsAt: null,
  weekday: null,
  startMinute: null,
  durationMinutes: null,
  timeZone: null,
  reason: null,
  createdBy: 'cli',
  createdAt: at('03-01T10:00'),
  ...more,
});
/** Each Sunday at two in the night, for three hours. */
const sundays = (timeZone: string): MaintenanceWindow =>
  window({ kind: 'weekly', startsAt: at('01-01T00:00'), weekday: 0, startMinute: 120, durationMinutes: 180, timeZone });

describe('maintenanceAt', () => {
  it('begins with the start of a window and ends with its end', () => {
    const twoHours = window({ endsAt: at('03-01T12:00') });
    expect(maintenanceAt([twoHours], at('03-01T09:59'))).toBeNull();
    expect(maintenanceAt([twoHours], at('03-01T10:00'))).toEqual({
      windowId: 'window-1',
      kind: 'once',
      since: at('03-01T10:00'),
      until: at('03-01T12:00'),
    });
    expect(maintenanceAt([twoHours], at('03-01T11:59:59.999'))).not.toBeNull();
    expect(maintenanceAt([twoHours], at('03-01T12:00'))).toBeNull();
  });

  it('goes on without an end until somebody ends it', () => {
    expect(maintenanceAt([window({})], at('12-31T10:00'))).toMatchObject({ until: null });
  });

  it('comes back each week', () => {
    const weekly = sundays('UTC');
    for (const day of ['03-08', '03-15'])
      expect(maintenanceAt([weekly], at(`${day}T04:59`))).toMatchObject({
        since: at(`${day}T02:00`),
        until: at(`${day}T05:00`),
      });
    expect(maintenanceAt([weekly], at('03-08T05:00'))).toBeNull();
    expect(maintenanceAt([weekly], at('03-08T01:59'))).toBeNull();
    expect(maintenanceAt([weekly], at('03-09T03:00'))).toBeNull();
  });

  it('is open from the very minute at which a weekly window begins', () => {
    expect(maintenanceAt([sundays('UTC')], at('03-08T02:00'))).not.toBeNull();
  });

  it('keeps to the clock on the wall when summer time begins', () => {
    const oslo = sundays('Europe/Oslo');
    // 22 March is winter time there (UTC+1), 5 April summer time (UTC+2).
    expect(maintenanceAt([oslo], at('03-22T01:00'))).not.toBeNull();
    expect(maintenanceAt([oslo], at('03-22T00:59'))).toBeNull();
    expect(maintenanceAt([oslo], at('04-05T00:00'))).not.toBeNull();
    expect(maintenanceAt([oslo], at('04-05T03:00'))).toBeNull();
  });

  it('lasts, of several windows, as long as the longest', () => {
    const short = window({ id: 'short', endsAt: at('03-01T11:00') });
    const long = window({ id: 'long', endsAt: at('03-01T14:00') });
    expect(maintenanceAt([short, long], at('03-01T10:30'))).toMatchObject({ windowId: 'long' });
    expect(maintenanceAt([short, window({ id: 'endless' }), long], at('03-01T10:30'))).toMatchObject({
      windowId: 'endless',
    });
  });
});
