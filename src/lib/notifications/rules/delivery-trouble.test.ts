import { describe, expect, it } from 'vitest';
import type { SendResult } from '../../facts/delivery.ts';
import { advanceTrouble, isWorthTelling, type Trouble } from './delivery-trouble.ts';

const T0 = Date.UTC(2026, 10, 24, 14);
const at = (minutes: number): Date => new Date(T0 + minutes * 60_000);
type Result = Exclude<SendResult, { outcome: 'sent' }>;
const RETRY: Result = { outcome: 'retry', reason: 'connection refused' };
const REFUSED: Result = { outcome: 'rejected', reason: 'status 404' };
const GONE: Result = { outcome: 'rejected', reason: 'status 410', isGone: true };

/** One result after the other, at these minutes. */
const run = (results: readonly (readonly [Result, number])[], mayBeSwitchedOff = true): Trouble =>
  results.reduce<Trouble | null>(
    (before, [result, minutes]) => advanceTrouble(before, result, { now: at(minutes), mayBeSwitchedOff }),
    null,
  ) ?? { since: at(0), failures: 0, refusals: 0, reason: '', toldAt: null, switchedOffAt: null };

describe('the trouble with a way to send', () => {
  it('begins with the first attempt that failed, and tells the last reason', () => {
    expect(
      run([
        [RETRY, 0],
        [REFUSED, 1],
        [RETRY, 2],
      ]),
    ).toEqual({
      ...{ since: at(0), failures: 2, refusals: 1, reason: 'connection refused', toldAt: null, switchedOffAt: null },
    });
  });

  it('is told after three failures that have lasted for five minutes, and once', () => {
    const three = run([
      [RETRY, 0],
      [RETRY, 1],
      [RETRY, 2],
    ]);
    expect(isWorthTelling(three, new Date(at(5).getTime() - 1))).toBe(false);
    expect(isWorthTelling(three, at(5))).toBe(true);
    expect(
      isWorthTelling(
        run([
          [RETRY, 0],
          [RETRY, 1],
        ]),
        at(60),
      ),
    ).toBe(false);
    expect(isWorthTelling({ ...three, toldAt: at(5) }, at(60))).toBe(false);
  });

  it('switches a target off that has refused three messages, or says that it is gone; that is told at once', () => {
    expect(
      run([
        [REFUSED, 0],
        [REFUSED, 1],
      ]).switchedOffAt,
    ).toBeNull();
    const off = run([
      [REFUSED, 0],
      [RETRY, 1],
      [REFUSED, 2],
      [REFUSED, 3],
    ]);
    expect(off.switchedOffAt).toEqual(at(3));
    expect(isWorthTelling(off, at(3))).toBe(true);
    expect(run([[GONE, 0]]).switchedOffAt).toEqual(at(0));
    expect(
      run([
        [GONE, 0],
        [REFUSED, 9],
      ]).switchedOffAt,
    ).toEqual(at(0));
  });

  it('switches nothing off that must stay on', () => {
    expect(
      run(
        [
          [GONE, 0],
          [GONE, 1],
          [GONE, 2],
        ],
        false,
      ),
    ).toMatchObject({ refusals: 3, switchedOffAt: null });
  });

  it('that began by a clock that has been set back since begins anew', () => {
    expect(
      run([
        [RETRY, 120],
        [RETRY, 0],
      ]).since,
    ).toEqual(at(0));
  });
});
