import fc from 'fast-check';
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
  endedOccurrence: null,
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

  it('has begun when somebody said so, also after the clock, which was ahead then, was set back', () => {
    const begun = window({ createdAt: at('03-01T10:00:00.020') });
    expect(maintenanceAt([begun], at('03-01T08:00'))).not.toBeNull();
    const planned = window({ createdAt: at('03-01T07:00') });
    expect(maintenanceAt([planned], at('03-01T08:00'))).toBeNull();
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

  it('is over for this week where somebody has ended it, and comes back next week', () => {
    const ended = { ...sundays('UTC'), endedOccurrence: at('03-08T02:00') };
    expect(maintenanceAt([ended], at('03-08T04:59'))).toBeNull();
    expect(maintenanceAt([ended], at('03-15T02:00'))).not.toBeNull();
    expect(maintenanceAt([ended], at('03-01T04:59'))).not.toBeNull();
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

/** Zones whose clocks are changed by an hour, by half of one, at midnight, in the south, by a whole day, or never. */
const ZONES = [
  ...['Europe/Oslo', 'America/New_York', 'Pacific/Auckland', 'Australia/Lord_Howe', 'America/Havana', 'Asia/Beirut'],
  ...['America/Sao_Paulo', 'America/St_Johns', 'Africa/Casablanca', 'Antarctica/Troll', 'Pacific/Apia', 'Asia/Kolkata'],
];

describe('a weekly window in the night on which the clocks are changed', () => {
  it.each([
    // Zone, day and time, minutes; since and until.
    ['Europe/Oslo, forward: 02:00 is 03:00', 'Europe/Oslo', 0, '02:00', 120, '2026-03-29T01:00Z', '2026-03-29T03:00Z'],
    ['Europe/Oslo, forward: 02:30 is 03:30', 'Europe/Oslo', 0, '02:30', 60, '2026-03-29T01:30Z', '2026-03-29T02:30Z'],
    ['Europe/Oslo, forward, within it', 'Europe/Oslo', 0, '01:00', 120, '2026-03-29T00:00Z', '2026-03-29T02:00Z'],
    ['Europe/Oslo, back: the first 02:00', 'Europe/Oslo', 0, '02:00', 120, '2026-10-25T00:00Z', '2026-10-25T02:00Z'],
    ['Europe/Oslo, back, within it', 'Europe/Oslo', 6, '23:00', 360, '2026-10-24T21:00Z', '2026-10-25T03:00Z'],
    ['New York, forward', 'America/New_York', 0, '02:00', 60, '2026-03-08T07:00Z', '2026-03-08T08:00Z'],
    ['New York, back', 'America/New_York', 0, '01:30', 60, '2026-11-01T05:30Z', '2026-11-01T06:30Z'],
    ['Auckland, forward in September', 'Pacific/Auckland', 0, '02:30', 120, '2026-09-26T14:30Z', '2026-09-26T16:30Z'],
    ['Auckland, back in April', 'Pacific/Auckland', 0, '02:30', 120, '2026-04-04T13:30Z', '2026-04-04T15:30Z'],
    [
      'Lord Howe, half an hour forward',
      'Australia/Lord_Howe',
      0,
      '02:00',
      90,
      '2026-10-03T15:30Z',
      '2026-10-03T17:00Z',
    ],
    ['Lord Howe, half an hour back', 'Australia/Lord_Howe', 0, '01:45', 60, '2026-04-04T14:45Z', '2026-04-04T15:45Z'],
    ['Havana, forward at midnight', 'America/Havana', 0, '00:00', 120, '2026-03-08T05:00Z', '2026-03-08T07:00Z'],
    ['Havana, back to midnight', 'America/Havana', 0, '00:30', 60, '2026-11-01T04:30Z', '2026-11-01T05:30Z'],
    ['Sao Paulo, forward at midnight', 'America/Sao_Paulo', 0, '00:00', 60, '2018-11-04T03:00Z', '2018-11-04T04:00Z'],
    ['Sao Paulo, back over midnight', 'America/Sao_Paulo', 6, '23:30', 60, '2018-02-18T01:30Z', '2018-02-18T02:30Z'],
    // One minute of Sunday, then an hour of Saturday again.
    ['St. Johns, back over midnight', 'America/St_Johns', 0, '00:00', 120, '2010-11-07T02:30Z', '2010-11-07T04:30Z'],
    ['Samoa, without that Friday', 'Pacific/Apia', 5, '10:00', 60, '2011-12-30T20:00Z', '2011-12-30T21:00Z'],
  ])('%s', (_, timeZone, weekday, time, durationMinutes, since, until) => {
    const [hours = 0, minutes = 0] = time.split(':').map(Number);
    const startMinute = hours * 60 + minutes;
    const weekly = window({
      ...{ kind: 'weekly', startsAt: new Date(0), weekday, startMinute, durationMinutes, timeZone },
    });
    const isOpen = (iso: string, plusMs: number) =>
      maintenanceAt([weekly], new Date(Date.parse(iso) + plusMs)) !== null;
    expect(maintenanceAt([weekly], new Date(since))).toMatchObject({ since: new Date(since), until: new Date(until) });
    expect([-1, 0, 1].map((ms) => isOpen(since, ms))).toEqual([false, true, true]);
    expect([-1, 0, 1].map((ms) => isOpen(until, ms))).toEqual([true, false, false]);
    for (let minute = 0; minute < durationMinutes; minute++) expect(isOpen(since, minute * 60_000)).toBe(true);
  });

  it('has exactly one occurrence a week, as long as it says, in every zone', () => {
    const STEP_MINUTES = 15;
    const WEEKS = 3;
    const property = fc.property(
      fc.constantFrom(...ZONES),
      fc.integer({ min: 0, max: 6 }),
      fc.integer({ min: 0, max: 1_439 }),
      fc.integer({ min: STEP_MINUTES, max: 6 * 1_440 }),
      fc.date({ min: new Date('2000-01-01'), max: new Date('2037-01-01'), noInvalidDate: true }),
      (timeZone, weekday, startMinute, durationMinutes, from) => {
        const weekly = window({
          ...{ kind: 'weekly', startsAt: new Date(0), weekday, startMinute, durationMinutes, timeZone },
        });
        const openAt = (ms: number) => maintenanceAt([weekly], new Date(ms));
        const sinces = new Set<number>();
        for (let step = 0; step <= WEEKS * 7 * 24 * (60 / STEP_MINUTES); step++) {
          const open = openAt(from.getTime() + step * STEP_MINUTES * 60_000);
          if (open) sinces.add(open.since.getTime());
        }
        expect([WEEKS, WEEKS + 1]).toContain(sinces.size);
        let before = -Infinity;
        for (const since of [...sinces].toSorted((a, b) => a - b)) {
          const until = since + durationMinutes * 60_000;
          expect([since - 1, since, until - 1, until].map((ms) => openAt(ms)?.since.getTime() === since)).toEqual([
            ...[false, true, true, false],
          ]);
          expect(openAt(since)?.until?.getTime()).toBe(until);
          // A week, but for what the clocks were changed by: a day at most.
          if (before > -Infinity)
            expect(Math.abs(since - before - 7 * 24 * 60 * 60_000)).toBeLessThanOrEqual(86_400_000);
          before = since;
        }
      },
    );
    fc.assert(property, { numRuns: 40 });
  });
});
