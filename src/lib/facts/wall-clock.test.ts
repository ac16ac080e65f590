import { describe, expect, it } from 'vitest';
import { instantOf, isTimeZone, parseInstant, wallTimeAt, wallTimeInWords } from './wall-clock.ts';

describe('a wall clock', () => {
  it.each([
    ['UTC', '2026-07-01T12:00Z', '2026-07-01 12:00'],
    ['Europe/Oslo', '2026-07-01T12:00Z', '2026-07-01 14:00'],
    ['Asia/Kathmandu', '2026-07-01T12:00Z', '2026-07-01 17:45'],
    ['America/St_Johns', '2026-01-01T00:00Z', '2025-12-31 20:30'],
    ['Pacific/Kiritimati', '2026-01-01T12:00Z', '2026-01-02 02:00'],
    // Not yet whole minutes in those days: https://data.iana.org/time-zones/tzdb/africa
    ['Africa/Monrovia', '1970-01-01T00:44:30Z', '1970-01-01 00:00'],
  ])('in %s shows at %s %s', (timeZone, at, shown) => {
    expect(wallTimeInWords(timeZone, new Date(at))).toBe(shown);
    expect(instantOf(timeZone, wallTimeAt(timeZone, Date.parse(at)))).toBe(Date.parse(at));
  });

  it('is known by the name of its zone', () => {
    expect(['Europe/Oslo', 'UTC'].map(isTimeZone)).toEqual([true, true]);
    expect(['Europe/Atlantis', '', 'local'].map(isTimeZone)).toEqual([false, false, false]);
  });
});

describe('parseInstant', () => {
  it.each([
    ['2026-12-24', '2026-12-23T23:00:00.000Z'],
    ['2026-07-01', '2026-06-30T22:00:00.000Z'],
    ['2026-12-24T03:30', '2026-12-24T02:30:00.000Z'],
    [' 2026-12-24 03:30 ', '2026-12-24T02:30:00.000Z'],
    ['2026-12-24T03:30:15', '2026-12-24T02:30:15.000Z'],
    ['2026-12-24T03:30Z', '2026-12-24T03:30:00.000Z'],
    ['2026-12-24t03:30z', '2026-12-24T03:30:00.000Z'],
    ['2026-12-24T03:30+05:30', '2026-12-23T22:00:00.000Z'],
    ['2026-12-24T03:30-0500', '2026-12-24T08:30:00.000Z'],
    ['2028-02-29', '2028-02-28T23:00:00.000Z'],
    // The night in which 02:30 never comes, and that in which it comes twice.
    ['2026-03-29T02:30', '2026-03-29T01:30:00.000Z'],
    ['2026-10-25T02:30', '2026-10-25T00:30:00.000Z'],
  ])('reads %j in Europe/Oslo as %s', (text, instant) => {
    expect(parseInstant(text, 'Europe/Oslo')?.toISOString()).toBe(instant);
  });

  it('reads a day as midnight of the zone that is given, or as its first moment where there is no midnight', () => {
    expect(parseInstant('2026-12-24', 'UTC')).toEqual(new Date('2026-12-24T00:00Z'));
    expect(parseInstant('2026-12-24', 'America/New_York')).toEqual(new Date('2026-12-24T05:00Z'));
    expect(parseInstant('2026-03-08', 'America/Havana')).toEqual(new Date('2026-03-08T05:00Z'));
  });

  it.each([
    ...['12/24/2026', '24.12.2026', '2027-02-31T00:00Z', '2027-02-29', '2026-13-01', '2026-00-10', '2026-12-24T24:00'],
    ...['2026-12-24T3:30', '2026-12-24T03:60', '2026-12-24T03:30:61', '2026-12-24T03:30 Z', '2026-12-24T03:30+99:00'],
    ...['2026-12-24Z', 'tomorrow', '1798070400000', '', '26-12-24', '0001-01-01T00:00Zx'],
  ])('refuses %j', (text) => {
    expect(parseInstant(text, 'Europe/Oslo')).toBeNull();
  });
});
