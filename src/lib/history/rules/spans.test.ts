import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BUCKET_MS, RESOLUTIONS, spanPieces, uptime, type SampleState } from './spans.ts';

const at = (time: string): number => Date.parse(`2026-03-01T${time}Z`);
const VALID_MS = 180_000;
const tenMinutes = (state: SampleState, from: string, to: string, validMs = VALID_MS) =>
  spanPieces({ state, atMs: at(from) }, at(to), validMs)
    .filter(({ resolution }) => resolution === '10min')
    .map(({ startsAtMs, upMs, downMs }) => [new Date(startsAtMs).toISOString().slice(11, 16), upMs, downMs]);

describe('the time for which a sample stands', () => {
  it.each<[SampleState, [number, number] | null]>([
    ['healthy', [60_000, 0]],
    ['unhealthy', [0, 60_000]],
    ['down', [0, 60_000]],
    ['maintenance', null],
    ['unknown', null],
  ])('counts %s as %o', (state, counted) => {
    expect(tenMinutes(state, '12:01:00', '12:02:00')).toEqual(counted === null ? [] : [['12:00', ...counted]]);
  });

  it('ends with its validity; what is beyond is unknown', () => {
    expect(tenMinutes('healthy', '12:01:00', '12:04:00')).toEqual([['12:00', 180_000, 0]]);
    expect(tenMinutes('healthy', '12:01:00', '12:04:00.001')).toEqual([['12:00', 180_000, 0]]);
    expect(tenMinutes('down', '12:01:00', '23:00:00')).toEqual([['12:00', 0, 180_000]]);
  });

  it('is split at the borders of buckets, and one that ends on a border does not touch the next', () => {
    expect(tenMinutes('healthy', '12:09:30', '12:10:30')).toEqual([
      ['12:00', 30_000, 0],
      ['12:10', 30_000, 0],
    ]);
    expect(tenMinutes('healthy', '12:09:00', '12:10:00')).toEqual([['12:00', 60_000, 0]]);
    expect(tenMinutes('healthy', '12:10:00', '12:11:00')).toEqual([['12:10', 60_000, 0]]);
    expect(tenMinutes('down', '12:05:00', '12:32:00', 3_600_000)).toEqual([
      ['12:00', 0, 300_000],
      ['12:10', 0, 600_000],
      ['12:20', 0, 600_000],
      ['12:30', 0, 120_000],
    ]);
  });

  it('crosses hours and midnight in UTC', () => {
    const pieces = spanPieces({ state: 'healthy', atMs: at('23:59:00') }, Date.parse('2026-03-02T00:01:00Z'), VALID_MS);
    expect(
      pieces.map(({ resolution, startsAtMs, upMs }) => [resolution, new Date(startsAtMs).toISOString(), upMs]),
    ).toEqual([
      ['10min', '2026-03-01T23:50:00.000Z', 60_000],
      ['10min', '2026-03-02T00:00:00.000Z', 60_000],
      ['hour', '2026-03-01T23:00:00.000Z', 60_000],
      ['hour', '2026-03-02T00:00:00.000Z', 60_000],
      ['day', '2026-03-01T00:00:00.000Z', 60_000],
      ['day', '2026-03-02T00:00:00.000Z', 60_000],
    ]);
  });

  it.each([
    ['at the same time', '12:01:00'],
    ['earlier: the clock was set back', '11:00:00'],
  ])('is nothing when the next one is %s', (_, next) => {
    expect(tenMinutes('healthy', '12:01:00', next)).toEqual([]);
  });

  it('adds up to the same in all resolutions, within the buckets, wherever it begins and ends', () => {
    const time = fc.integer({ min: 0, max: 4 * BUCKET_MS.day });
    fc.assert(
      fc.property(time, time, fc.integer({ min: 1, max: BUCKET_MS.day }), (atMs, endMs, validMs) => {
        const pieces = spanPieces({ state: 'healthy', atMs }, endMs, validMs);
        for (const resolution of RESOLUTIONS) {
          const own = pieces.filter((piece) => piece.resolution === resolution);
          expect(own.reduce((sum, { upMs }) => sum + upMs, 0)).toBe(Math.max(0, Math.min(endMs - atMs, validMs)));
          for (const { upMs, startsAtMs } of own) {
            expect(upMs).toBeGreaterThan(0);
            expect(upMs).toBeLessThanOrEqual(BUCKET_MS[resolution]);
            expect(startsAtMs % BUCKET_MS[resolution]).toBe(0);
          }
        }
      }),
    );
  });
});

describe('uptime', () => {
  it.each([
    [0, 0, null],
    [1, 0, 1],
    [0, 1, 0],
    [3, 1, 0.75],
  ])('of %d up and %d down is %s', (upMs, downMs, expected) => {
    expect(uptime({ upMs, downMs })).toBe(expected);
  });
});
