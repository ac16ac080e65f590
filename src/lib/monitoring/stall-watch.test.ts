import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { watchStalls, type StallWatch } from './stall-watch.ts';

let stalls: StallWatch;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'Date', 'performance'] });
  stalls = watchStalls();
});
afterEach(() => {
  stalls.stop();
  vi.useRealTimers();
});
/** The clock goes on, and no timer has its turn: as while a machine sleeps. */
const standStill = (durationMs: number): void => void vi.setSystemTime(Date.now() + durationMs);

it('a process that goes on, and one that is busy for a moment, have not stood still', () => {
  const startMs = performance.now();
  vi.advanceTimersByTime(60_000);
  standStill(1_500);
  vi.advanceTimersByTime(1_000);
  expect(stalls.stalledSince(startMs)).toBe(false);
});

it('a standstill concerns what began before it, also when nothing has looked since', () => {
  const startMs = performance.now();
  vi.advanceTimersByTime(1_000);
  standStill(5_000);
  expect(stalls.stalledSince(startMs)).toBe(true);
  vi.advanceTimersByTime(1_000);
  expect(stalls.stalledSince(startMs)).toBe(true);
  expect(stalls.stalledSince(performance.now())).toBe(false);
});
