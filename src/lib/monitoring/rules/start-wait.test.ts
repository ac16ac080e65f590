import { describe, expect, it } from 'vitest';
import type { UnitFacts } from '../../facts/unit-state.ts';
import { isWaitedFor, LONGEST_START_MS, startingSince, startUnderWay, type Start } from './start-wait.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const ago = (seconds: number): Date => new Date(NOW.getTime() - seconds * 1_000);
const UNIT: UnitFacts = {
  loadState: 'loaded',
  subState: 'start',
  result: 'success',
  invocationId: 'a',
  startTimeoutMs: 90_000,
  stateAgeMs: null,
  notInactiveMs: null,
};
/** The unit in a step that is so many seconds old, and out of `inactive` for as long or longer. */
const told = (stepS: number, notInactiveS = stepS, more: Partial<UnitFacts> = {}): UnitFacts => ({
  ...UNIT,
  stateAgeMs: stepS * 1_000,
  notInactiveMs: notInactiveS * 1_000,
  ...more,
});
const silent = (more: Partial<UnitFacts> = {}): UnitFacts => ({ ...UNIT, ...more });
const seen = (seconds: number, invocationId = 'a'): Start => ({ invocationId, since: ago(seconds), until: ago(0) });

/** Since how many seconds, and whether it is waited for. */
const wait = (unit: UnitFacts, before: Start | null = null): [number, boolean] | null => {
  const start = startUnderWay('activating', unit, before, NOW);
  return start && [(NOW.getTime() - start.since.getTime()) / 1_000, isWaitedFor(start, NOW)];
};
const UNLIMITED = { startTimeoutMs: Infinity };
const LONGEST_S = LONGEST_START_MS / 1_000;

describe('a start that is under way', () => {
  it.each<[string, UnitFacts, Start | null, [number, boolean] | null]>([
    ['first seen, and the host says for how long', told(40), null, [40, true]],
    ['first seen, and the host says nothing', silent(), null, [0, true]],
    ['seen before, and the host says nothing', silent(), seen(40), [40, true]],
    ['just under its timeout', told(89.999), null, [89.999, true]],
    ['at its timeout', told(90), null, [90, false]],
    ['just under its timeout, by what we saw alone', silent(), seen(89.999), [89.999, true]],
    ['at its timeout, by what we saw alone', silent(), seen(90), [90, false]],

    [
      'without a limit, just under the longest time',
      told(LONGEST_S - 0.001, LONGEST_S - 0.001, UNLIMITED),
      null,
      [599.999, true],
    ],
    ['without a limit, at the longest time', told(LONGEST_S, LONGEST_S, UNLIMITED), null, [600, false]],
    ['without a limit, by what we saw alone', silent(UNLIMITED), seen(LONGEST_S), [600, false]],
    ['with a limit of an hour', told(LONGEST_S, LONGEST_S, { startTimeoutMs: 3_600_000 }), null, [600, false]],
    ['with a limit that nobody knows', told(1, 1, { startTimeoutMs: null }), null, null],

    ['another one than the last look has seen', silent(), seen(80, 'b'), [0, true]],
    ['another one, and the host says for how long', told(10), seen(80, 'b'), [10, true]],
    ['of a systemd that has no names for starts', silent({ invocationId: '' }), seen(80, ''), [80, true]],

    // The wait before an automatic start is no part of it.
    ['an automatic one after a long wait', told(30, 200), null, [30, true]],
    ['the same at the next look', told(80, 250), seen(80), [80, true]],
    // Each step has the whole timeout, as systemd has it.
    ['in its second step', told(20, 105), seen(105), [105, true]],
    ['in its second step for too long', told(90, 175), seen(175), [175, false]],
    ['in ever new steps', told(20, LONGEST_S, UNLIMITED), seen(LONGEST_S), [600, false]],

    ['our clock was set forward meanwhile', told(60, 61), seen(7_200), [61, true]],
    ['our clock was set back meanwhile', told(60, 61), seen(-7_200), [60, true]],
    ['our clock was set back, and the host says nothing', silent(), seen(-7_200), [0, true]],
    ['we stood still meanwhile, and it is young all the same', told(40), seen(40), [40, true]],
    ['we stood still meanwhile, and its time is over', told(3_600), seen(3_600), [3_600, false]],
    ['we stood still meanwhile, and another one is under way', told(20), seen(3_600, 'b'), [20, true]],
  ])('%s', (_, unit, before, expected) => {
    expect(wait(unit, before)).toEqual(expected);
  });

  it.each(['condition', 'start-pre', 'start', 'start-post'])('is one in the step %s', (subState) => {
    expect(startUnderWay('activating', silent({ subState }), null, NOW)).not.toBeNull();
  });

  it.each([
    ['activating', 'auto-restart'],
    ['activating', 'auto-restart-queued'],
    ['deactivating', 'stop-sigterm'],
    ['inactive', 'dead'],
    ['failed', 'failed'],
  ])('is none while the unit is %s (%s)', (activeState, subState) => {
    expect(startUnderWay(activeState, told(5, 5, { subState }), seen(5), NOW)).toBeNull();
  });

  it('is said in words', () => {
    expect(startingSince({ since: ago(40.9) }, NOW)).toBe('starting since 40 s');
  });
});
