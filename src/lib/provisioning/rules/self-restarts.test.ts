import { describe, expect, it } from 'vitest';
import { selfRestartsBetween } from './self-restarts.ts';

describe('restarts by systemd itself', () => {
  it.for([
    [0, 3, 3],
    [3, 3, 0],
    // Somebody has restarted it, and systemd twice since.
    [7, 2, 2],
    [7, 0, 0],
  ])('from %i to %i are %i', ([before = 0, after = 0, expected]) => {
    expect(selfRestartsBetween(before, after)).toBe(expected);
  });
});
