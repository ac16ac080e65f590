import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { closedPieces, closesAtMs, parseRecent, recentText, STATE_LETTERS, type StoredSample } from './recent.ts';
import { spanPieces, type SampleState } from './spans.ts';

const HOUR = 3_600_000;
const sample = fc.record({
  atMs: fc.integer({ min: 0, max: HOUR }),
  state: fc.constantFrom(...(Object.keys(STATE_LETTERS) as SampleState[])),
  probeMs: fc.option(fc.integer({ min: 0, max: 100_000 })),
});

describe('recent samples as text', () => {
  it('read back what was written, each behind the time since the row began', () => {
    const beganAtMs = Date.parse('2026-06-15T12:17:00.123Z');
    fc.assert(
      fc.property(fc.array(sample), (given) => {
        const samples: StoredSample[] = given.map((one) => ({ ...one, atMs: beganAtMs + one.atMs }));
        const text = samples.map((one) => `${one.atMs - beganAtMs}${recentText(one)}`).join('');
        expect(parseRecent({ beganAtMs, samples: text })).toEqual(samples);
      }),
    );
    expect(recentText({ atMs: 0, state: 'healthy', probeMs: 84 })).toBe('h84,');
    expect(recentText({ atMs: 0, state: 'unknown', probeMs: null })).toBe('?,');
  });

  it.each(['0', '0h', '0x5,', 'h5,', '0h5,6', '0h5,,', '0.5h5,', ' 0h5,', '0h-5,'])('refuses %j', (samples) => {
    expect(() => parseRecent({ beganAtMs: 0, samples })).toThrow('not the recent samples');
  });
});

describe('a row of recent samples', () => {
  it('closes within an hour, and so that each minute of an hour has its share of the fleet', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 1e6 }), fc.integer({ min: 0, max: 2e12 }), (series, atMs) => {
        const closesMs = closesAtMs(series, atMs);
        expect(closesMs).toBeGreaterThan(atMs);
        expect(closesMs - atMs).toBeLessThanOrEqual(HOUR);
        expect(closesAtMs(series, closesMs)).toBe(closesMs + HOUR);
      }),
    );
    const minutes = Array.from({ length: 600 }, (_, series) => (closesAtMs(series, 0) / 60_000) % 60);
    expect([...Map.groupBy(minutes, (minute) => minute).values()].map(({ length }) => length)).toEqual(
      Array(60).fill(10),
    );
  });
});

it('counts the time until the next sample, and none for the last', () => {
  const samples = [
    { atMs: 0, state: 'healthy' },
    { atMs: 60_000, state: 'down' },
    { atMs: 600_000, state: 'healthy' },
  ] as const;
  expect(closedPieces(samples, 180_000)).toEqual([
    ...spanPieces(samples[0], 60_000, 180_000),
    ...spanPieces(samples[1], 240_000, 180_000),
  ]);
  expect(closedPieces(samples.slice(0, 1), 180_000)).toEqual([]);
  expect(closedPieces([], 180_000)).toEqual([]);
});
