import { describe, expect, it } from 'vitest';
import { checksInWords, dayInWords, gradeOf, percentInWords } from './uptime-words.ts';

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
    expect(gradeOf({ uptime })).toBe(grade);
  });

  it('says of a day how long it was not running', () => {
    const bar = { day: '2026-11-14', upMs: 86_400_000 - 600_000, downMs: 600_000, uptime: 1 - 600 / 86_400 };
    expect(dayInWords(bar)).toBe('14 Nov: 99.30 %, not running for 10 min');
    expect(dayInWords({ ...bar, downMs: 0, uptime: 1 })).toBe('14 Nov: 100 %');
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
