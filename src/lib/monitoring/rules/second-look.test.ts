import { describe, expect, it } from 'vitest';
import { isSecondLookInVain, isSeenTwice, secondLookDelayMs } from './second-look.ts';
import { UNCHECKED } from './transition.ts';
import type { Verdict } from './verdict.ts';

const SILENT: Verdict = { kind: 'unreachable', cause: 'timeout', message: 'no answer' };

describe('a second look', () => {
  it.each<[string, Verdict, Partial<typeof UNCHECKED>, boolean, boolean]>([
    ['is due to a VPS that was reachable and is silent', SILENT, { reachable: true }, false, true],
    ['also where the connection is refused', { ...SILENT, cause: 'refused' }, { reachable: true }, false, true],
    ['is not due to one that was silent before', SILENT, { reachable: false }, false, false],
    ['nor to one that was never looked at', SILENT, { reachable: null }, false, false],
    ['nor under maintenance', SILENT, { reachable: true }, true, false],
    [
      'nor where the login is refused: to ask again at once is what bans are made for',
      { ...SILENT, cause: 'auth_rejected' },
      { reachable: true },
      false,
      false,
    ],
    [
      'nor where the host shows another key',
      { ...SILENT, cause: 'host_key_changed' },
      { reachable: true },
      false,
      false,
    ],
    ['nor where all is well', { kind: 'healthy' }, { reachable: true }, false, false],
    [
      'nor where the fault is ours',
      { kind: 'inconclusive', cause: 'stalled', message: 'stood still' },
      { reachable: true },
      false,
      false,
    ],
  ])('%s', (_, verdict, before, maintenance, expected) => {
    const state = { ...UNCHECKED, ...before };
    const decision = { action: 'none', reason: 'not_called_for' } as const;
    expect(isSeenTwice({ check: { verdict, maintenance }, decision, vps: { state } })).toBe(expected);
  });

  it('is in vain where it is an outage of ours whatever it says', () => {
    expect([2, 3].map((silent) => isSecondLookInVain(silent, 7))).toEqual([false, true]);
    expect([39, 40].map((silent) => isSecondLookInVain(silent, 100))).toEqual([false, true]);
  });

  it('comes a quarter of a second to a second after the first', () => {
    expect([0, 0.5, 1].map(secondLookDelayMs)).toEqual([250, 625, 1_000]);
  });
});
