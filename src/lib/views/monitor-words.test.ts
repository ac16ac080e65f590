import { describe, expect, it } from 'vitest';
import type { MonitorState } from '../db/schema.ts';
import { CALM } from '../monitoring/monitor-state.ts';
import { monitorNotices } from './monitor-words.ts';

const NOW = new Date('2026-06-15T12:00:00Z');
const AGO = new Date('2026-06-15T11:48:00Z');
const OUTAGE = { outageSince: AGO, outageUnreachable: 40, outageReachableBefore: 48 };
const titles = (state: Partial<MonitorState>, fault: string | null = null): string[] =>
  monitorNotices({ ...CALM, ...state }, fault, NOW).map(({ kind, title }) => `${kind}: ${title}`);

describe('what an admin has to know of the monitor', () => {
  it.each([
    ['nothing, where all is well', {}, null, []],
    ['an outage, once', OUTAGE, '40 of 48', ['problem: 40 of 48 VPSs became unreachable at once.']],
    [
      'that an outage was accepted',
      { ...OUTAGE, outageAcceptedAt: NOW },
      null,
      ['info: The outage is taken for real.'],
    ],
    ['a fault', {}, 'the disk is full', ['problem: Fault of the monitor:']],
    ['that healing is off', { healing: 'off', healingSince: AGO }, null, ['info: Healing is off.']],
    [
      'that healing pauses',
      { healing: 'paused', pauseStopped: 12, pauseFleet: 20 },
      null,
      ['problem: Healing pauses: 12 of 20 services stopped at once.'],
    ],
    [
      'all of it, the worst first',
      { ...OUTAGE, healing: 'off' },
      null,
      ['problem: 40 of 48 VPSs became unreachable at once.', 'info: Healing is off.'],
    ],
  ] as [string, Partial<MonitorState>, string | null, string[]][])('is %s', (_, state, fault, expected) => {
    expect(titles(state, fault)).toEqual(expected);
  });

  it('says since when, and what to do', () => {
    const [notice] = monitorNotices({ ...CALM, ...OUTAGE }, null, NOW);
    expect(notice?.text).toContain('for 12 min');
    expect(notice?.text).toContain('wardround outage accept');
  });
});
