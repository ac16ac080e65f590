import { describe, expect, it } from 'vitest';
import { isAhead, isWaiting } from './clock-jump.ts';

const T0 = Date.UTC(2026, 0, 1, 12);
const at = (ms: number): Date => new Date(T0 + ms);

describe('after a clock was set back', () => {
  it('what has happened lies ahead, unless by no more than a clock is corrected by', () => {
    expect(isAhead(at(0), at(0))).toBe(false);
    expect(isAhead(at(60_000), at(0))).toBe(false);
    expect(isAhead(at(60_001), at(0))).toBe(true);
    expect(isAhead(at(-1), at(0))).toBe(false);
  });

  it('a wait is over that would last longer than it can', () => {
    const minute = 60_000;
    expect(isWaiting(at(minute), at(0), minute)).toBe(true);
    expect(isWaiting(at(minute), at(minute), minute)).toBe(false);
    expect(isWaiting(at(minute), at(-minute), minute)).toBe(true);
    expect(isWaiting(at(minute), at(-minute - 1), minute)).toBe(false);
  });
});
