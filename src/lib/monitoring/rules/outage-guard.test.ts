import { describe, expect, it } from 'vitest';
import { hasMassStopRule, isMassStop, restartCap } from './round.ts';
import { looksLikeOurOutage, looksLikeOurOutageInPart } from './outage-guard.ts';

describe('looksLikeOurOutage', () => {
  it.each([
    [0, 0, false],
    [2, 2, false],
    [3, 3, true],
    [7, 2, false],
    [7, 3, true],
    [10, 3, false],
    [10, 4, true],
    [24, 9, false],
    [24, 10, true],
    [1_000, 399, false],
    [1_000, 400, true],
  ])('of %i that were reachable, %i lost at once: %s', (reachableBefore, lost, expected) => {
    expect(looksLikeOurOutage({ reachableBefore, lost })).toBe(expected);
  });
});

describe('looksLikeOurOutageInPart', () => {
  it.each([
    [0, 0, 20, null],
    [12, 2, 8, null],
    [12, 8, 8, true],
    [18, 0, 2, false],
    [499, 1, 1, false],
    [499, 210, 1, true],
    [7, 3, 0, true],
    [7, 2, 0, false],
  ])('of %i that were reachable, %i lost at once, %i not seen: %s', (reachableBefore, lost, unseen, expected) => {
    expect(looksLikeOurOutageInPart({ reachableBefore, lost }, unseen)).toBe(expected);
  });
});

describe('healing limits', () => {
  it.each([
    [1, null, 5],
    [50, null, 5],
    [59, null, 5],
    [60, null, 6],
    [1_000, null, 100],
    [1_000, 7, 7],
    [10, 0, 0],
  ])('a fleet of %i with the setting %s may have %i restarts a sweep', (fleet, configured, expected) => {
    expect(restartCap(fleet, configured)).toBe(expected);
  });

  it('takes more than half for a mass stop, in fleets of ten and more', () => {
    expect([5, 6].map((stopped) => isMassStop(stopped, 10))).toEqual([false, true]);
    expect([9, 10].map(hasMassStopRule)).toEqual([false, true]);
  });
});
