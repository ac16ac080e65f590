import { describe, expect, it } from 'vitest';
import { parseSettings } from '../config.ts';
import { DEFAULTS } from '../variables.ts';
import { thresholdsOf } from './threshold-words.ts';
import { exactDuration } from '../facts/time-words.ts';

describe('exactDuration', () => {
  it.each([
    [0, '0 ms'],
    [100, '100 ms'],
    [1_500, '1.5 s'],
    [90_000, '90 s'],
    [1_800_000, '30 min'],
    [7_200_000, '2 h'],
    [86_400_000, '1 day'],
    [604_800_000, '7 days'],
  ])('%i ms is %s', (ms, words) => {
    expect(exactDuration(ms)).toBe(words);
  });
});

describe('the thresholds in force', () => {
  it('name variables that there are', () => {
    for (const { variable } of thresholdsOf(parseSettings({}))) expect(Object.keys(DEFAULTS)).toContain(variable);
  });
});
