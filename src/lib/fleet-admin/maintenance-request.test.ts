import { describe, expect, it } from 'vitest';
import { inTerminal } from '../parsing/problems.ts';
import { parseMaintenance, type MaintenanceRequest } from './maintenance-request.ts';

const NOW = new Date('2026-11-24T12:00Z');
const endOf = (request: MaintenanceRequest): string | null | undefined => {
  const parsed = parseMaintenance(request, NOW);
  return 'window' in parsed ? (parsed.window.endsAt?.toISOString() ?? null) : undefined;
};
const problemsOf = (request: MaintenanceRequest): readonly string[] => {
  const parsed = parseMaintenance(request, NOW);
  return 'problems' in parsed ? inTerminal(parsed.problems) : [];
};

describe('parseMaintenance', () => {
  it('reads an end as midnight of a day, or as a time, by the clocks of the zone', () => {
    expect(endOf({ until: '2026-12-24', timeZone: 'Europe/Oslo' })).toBe('2026-12-23T23:00:00.000Z');
    expect(endOf({ until: '2026-12-24T03:30', timeZone: 'Europe/Oslo' })).toBe('2026-12-24T02:30:00.000Z');
    expect(endOf({ until: '2026-12-24T03:30Z', timeZone: 'Europe/Oslo' })).toBe('2026-12-24T03:30:00.000Z');
    expect(endOf({ until: '2026-12-24' })).toBe('2026-12-24T00:00:00.000Z');
    expect(endOf({ for: '90m' })).toBe('2026-11-24T13:30:00.000Z');
    expect(endOf({})).toBeNull();
  });

  it.each(['12/24/2026', '2027-02-31T00:00Z', '2026-11-24T12:00Z', '2026-11-23'])('refuses the end %s', (until) => {
    expect(problemsOf({ until, timeZone: 'Europe/Oslo' })).toEqual([
      `until is "${until}"; allowed: a day or time in the future, such as 2026-12-24 or 2026-12-24T03:30 (in Europe/Oslo) or 2026-12-24T03:30Z`,
    ]);
  });

  it('takes the day of a weekly window by its name or the beginning of it', () => {
    for (const [day, weekday] of [
      ['sun', 0],
      ['Monday', 1],
      ['thurs', 4],
    ] as const)
      expect(parseMaintenance({ weekly: `${day} 02:05`, for: '2h' }, NOW)).toMatchObject({
        window: { kind: 'weekly', weekday, startMinute: 125, durationMinutes: 120, timeZone: 'UTC' },
      });
    for (const weekly of ['sunny 02:00', 'su 02:00', 'sun 24:00', 'sun 2', '02:00', ' 02:00'])
      expect(problemsOf({ weekly, for: '2h' })).toEqual([
        `weekly is ${JSON.stringify(weekly)}; allowed: a day and a time such as "sun 02:00"`,
      ]);
  });

  it('names everything that is wrong', () => {
    expect(problemsOf({ weekly: 'sun 02:00', for: '7d', timeZone: 'Europe/Atlantis' })).toEqual([
      'time zone is "Europe/Atlantis"; allowed: an IANA name such as Europe/Oslo',
      'for is "7d"; allowed: with weekly, a length of up to 6 days, such as 2h',
    ]);
    expect(problemsOf({ for: '1h', timeZone: 'Europe/Oslo' })).toEqual(['a time zone goes with weekly, or with until']);
    expect(problemsOf({ for: '1h', untilHealthy: true })).toEqual(['give one end: for, until, or until healthy']);
    expect(problemsOf({ for: '1x', until: 'noon', reason: 'a\u0000b', timeZone: 'UTC' })).toEqual([
      'give one end: for, until, or until healthy',
      String.raw`reason is "a\u0000b"; allowed: up to 200 printable characters`,
      'for is "1x"; allowed: a length such as 90m, 2h or 1d',
      'until is "noon"; allowed: a day or time in the future, such as 2026-12-24 or 2026-12-24T03:30 (in UTC) or 2026-12-24T03:30Z',
    ]);
    expect(problemsOf({ weekly: 'sun 02:00' })).toEqual([
      'for is missing; allowed: with weekly, a length of up to 6 days, such as 2h',
    ]);
  });
});
