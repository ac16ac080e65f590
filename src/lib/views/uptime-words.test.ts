import { describe, expect, it } from 'vitest';
import { checksInWords, dayInWords, gradeOf, percentInWords, uptimeFigures } from './uptime-words.ts';

const NOW = new Date('2026-11-25T19:20:00Z');
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A VPS that is watched for so long, all of it known unless `knownMs` says less, and was not running for `downMs`. */
function figures(watchedMs: number | null, downMs: number, knownMs = Infinity): string[] {
  const over = (lengthMs: number) => {
    const ms = Math.min(watchedMs ?? 0, lengthMs, knownMs);
    return { upMs: ms - downMs, downMs, uptime: ms === 0 ? null : (ms - downMs) / ms };
  };
  const windows = { '24h': over(DAY_MS), '7d': over(7 * DAY_MS), '30d': over(30 * DAY_MS), '90d': over(90 * DAY_MS) };
  const watchedSince = watchedMs === null ? null : new Date(NOW.getTime() - watchedMs);
  return uptimeFigures({ ...windows, watchedSince }, NOW).map(({ value, note }) =>
    [value, note].filter((part) => part !== null).join(' '),
  );
}

describe('the uptime of a VPS that is watched', () => {
  it.each<[string, Parameters<typeof figures>, string[]]>([
    ['not at all yet', [null, 0], ['', '', '', '']],
    ['for six minutes, not running in any of them', [6 * MINUTE_MS, 6 * MINUTE_MS], ['since 19:14 UTC', '', '', '']],
    ['for a minute less than an hour', [59 * MINUTE_MS, 0], ['since 18:21 UTC', '', '', '']],
    ['for an hour', [HOUR_MS, 6 * MINUTE_MS], ['90.00 % since 18:20 UTC', '', '', '']],
    ['for two days', [2 * DAY_MS, HOUR_MS], ['95.83 %', '97.91 % since 19:20 UTC on 23 November', '', '']],
    ['for 90 days', [90 * DAY_MS, 0], ['100 %', '100 %', '100 %', '100 %']],
    ['for 90 days but for what is pruned', [89 * DAY_MS, 0], ['100 %', '100 %', '100 %', '100 %']],
    ['for a year, but hardly ever seen', [365 * DAY_MS, 0, 5 * MINUTE_MS], ['', '', '', '']],
  ])('%s', (_, args, expected) => {
    expect(figures(...args)).toEqual(expected);
  });
});

describe('uptime in words', () => {
  it.each([
    [1, '100 %', 'up'],
    [0.999999, '99.99 %', 'dented'],
    [0.99, '99.00 %', 'dented'],
    [0.98999, '98.99 %', 'broken'],
    [0, '0.00 %', 'broken'],
    [null, 'no data', 'unknown'],
  ])('%s is %s and drawn as %s', (uptime, words, grade) => {
    expect(percentInWords(uptime)).toBe(words);
    const upMs = (uptime ?? 0) * DAY_MS;
    expect(gradeOf({ uptime, upMs, downMs: uptime === null ? 0 : DAY_MS - upMs })).toBe(grade);
  });

  it('draws no whole day of five minutes that are known', () => {
    expect(gradeOf({ upMs: 5 * MINUTE_MS, downMs: 0, uptime: 1 })).toBe('unknown');
    expect(gradeOf({ upMs: 0, downMs: 5 * MINUTE_MS, uptime: 0 })).toBe('broken');
  });

  it('calls an interruption of seconds short, however little is known of the day', () => {
    expect(gradeOf({ upMs: 6_000, downMs: 4_000, uptime: 0.6 })).toBe('dented');
    expect(gradeOf({ upMs: MINUTE_MS, downMs: MINUTE_MS, uptime: 0.5 })).toBe('broken');
  });

  it('says of a day how long it was not running', () => {
    const bar = { day: '2026-11-14', upMs: 86_400_000 - 600_000, downMs: 600_000, uptime: 1 - 600 / 86_400 };
    expect(dayInWords(bar)).toBe('14 Nov: 99.30 %, not running for 10 min');
    expect(dayInWords({ ...bar, downMs: 0, uptime: 1 })).toBe('14 Nov: 100 %');
    expect(dayInWords({ ...bar, upMs: 0, downMs: 300_000, uptime: 0 })).toBe(
      '14 Nov: not running for 5 min in the 5 min that are known',
    );
    expect(dayInWords({ ...bar, upMs: 300_000, downMs: 0, uptime: 1 })).toBe(
      '14 Nov: running in the 5 min that are known',
    );
  });

  it('counts what the last checks found', () => {
    const checks = (...states: ('healthy' | 'unhealthy' | 'down')[]) => states.map((state) => ({ state }));
    expect(checksInWords([])).toBe('No check yet.');
    expect(checksInWords(checks('healthy', 'healthy'))).toBe('All of the last 2 checks found it running.');
    expect(checksInWords(checks('healthy', 'down', 'down', 'unhealthy'))).toBe(
      '1 of the last 4 checks found it running; 1 not running, 2 no answer.',
    );
  });
});
