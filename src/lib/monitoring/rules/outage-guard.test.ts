import { describe, expect, it } from 'vitest';
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
