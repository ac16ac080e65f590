import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addProbe,
  changeProbes,
  countProbes,
  formatHistogram,
  mergeHistograms,
  parseHistogram,
  quantile,
  RELATIVE_ERROR,
} from './probe-histogram.ts';

const of = (durations: readonly number[]): string => durations.reduce(addProbe, '');
/** From what is measured on loopback to what a timeout can bring. */
const duration = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 3_600_000 }));

describe('a histogram of probe durations', () => {
  it('finds each quantile within the relative error it promises', () => {
    const share = fc.constantFrom(0, 0.5, 0.95, 1);
    fc.assert(
      fc.property(fc.array(duration, { minLength: 1, maxLength: 200 }), share, (durations, q) => {
        const sorted = durations.toSorted((a, b) => a - b);
        // Less than a millisecond counts as one.
        const exact = Math.max(1, sorted[Math.floor(q * (sorted.length - 1))] ?? NaN);
        const found = quantile(parseHistogram(of(durations)), q) ?? NaN;
        expect(Math.abs(found - exact) / exact).toBeLessThanOrEqual(RELATIVE_ERROR + 1e-9);
      }),
    );
  });

  it('merges to what it would be if all had gone into one', () => {
    fc.assert(
      fc.property(fc.array(duration), fc.array(duration), (first, second) => {
        expect(formatHistogram(mergeHistograms([of(first), of(second)]))).toBe(of([...first, ...second]));
      }),
    );
  });

  it('is the same text whatever the order of the probes, and reads back what it has written', () => {
    fc.assert(
      fc.property(fc.array(duration), (durations) => {
        const text = of(durations);
        expect(of(durations.toReversed())).toBe(text);
        expect(formatHistogram(parseHistogram(text))).toBe(text);
        expect(countProbes(parseHistogram(text))).toBe(durations.length);
      }),
    );
  });

  it('is the same whether probes come one by one or together', () => {
    fc.assert(
      fc.property(fc.array(duration), fc.array(duration), (before, more) => {
        const together = more.map((ms) => ({ ms, count: 1 }) as const);
        expect(changeProbes(of(before), together)).toBe(of([...before, ...more]));
      }),
    );
  });

  it('takes a probe out again without a trace', () => {
    fc.assert(
      fc.property(fc.array(duration), duration, (durations, ms) => {
        expect(changeProbes(addProbe(of(durations), ms), [{ ms, count: -1 }])).toBe(of(durations));
      }),
    );
    expect(changeProbes('', [{ ms: 5, count: -1 }])).toBe('');
  });

  it('stays small: a day of checks around 80 ms is some 50 letters', () => {
    const day = Array.from({ length: 1440 }, (_, index) => 60 + ((index * 37) % 60));
    expect(of(day).length).toBeLessThan(50);
  });

  it('knows no quantile of nothing', () => {
    expect(quantile(parseHistogram(''), 0.5)).toBeNull();
  });

  it.each(['5', 'a0', 'A', 'Z', 'a b', 'a1;', 'é', 'a-1'])('refuses %j: only a bug could have written that', (text) => {
    expect(() => parseHistogram(text)).toThrow('not a histogram');
  });

  it.each([NaN, -1, Infinity])('refuses a duration of %d', (ms) => {
    expect(() => addProbe('', ms)).toThrow(RangeError);
  });
});
