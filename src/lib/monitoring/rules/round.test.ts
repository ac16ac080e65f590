import { describe, expect, it } from 'vitest';
import type { HealingDecision } from './healing.ts';
import {
  hasMassStopRule,
  isMassStop,
  newRound,
  restartCap,
  seeBatch,
  settle,
  type NewsRules,
  type RequestRules,
  type Round,
  type RoundRules,
  type Seen,
  type Step,
  type SweepRules,
} from './round.ts';
import { UNCHECKED, type HealthState } from './transition.ts';
import type { Verdict } from './verdict.ts';

describe('healing limits', () => {
  it.each([
    [1, null, 5],
    [50, null, 5],
    [59, null, 5],
    [60, null, 6],
    [1_000, null, 100],
    [1_000, 7, 7],
    [10, 0, 0],
  ])('a fleet of %i with the setting %s may have %i restarts a sweep', (fleet, configured, expected) => {
    expect(restartCap(fleet, configured)).toBe(expected);
  });

  it('takes more than half for a mass stop, in fleets of ten and more', () => {
    expect([5, 6].map((stopped) => isMassStop(stopped, 10))).toEqual([false, true]);
    expect([9, 10].map(hasMassStopRule)).toEqual([false, true]);
  });
});

type Look = Seen & { readonly name: string };

const HEALTHY: Verdict = { kind: 'healthy' };
const STOPPED: Verdict = { kind: 'not_active', cause: 'service_not_active', message: 'stopped', transitional: false };
const SILENT: Verdict = { kind: 'unreachable', cause: 'timeout', message: 'no answer' };
const GIVEN_UP: Verdict = { kind: 'inconclusive', cause: 'aborted', message: 'the monitor is stopping' };
const RESTART: HealingDecision = { action: 'restart', trial: false };
const NONE: HealingDecision = { action: 'none', reason: 'not_called_for' };

const AT = new Date('2026-06-15T12:00:00Z');
const look = (
  name: string,
  verdict: Verdict,
  decision: HealingDecision = verdict === STOPPED ? RESTART : NONE,
): Look => ({
  name,
  check: { verdict, maintenance: false },
  decision,
  vps: { state: { ...UNCHECKED, reachable: true, status: 'healthy', lastCheckAt: AT } },
});
/** As it was before. */
const after = (before: Partial<HealthState>, one: Look): Look => ({
  ...one,
  vps: { state: { ...UNCHECKED, reachable: true, lastCheckAt: AT, ...before } },
});
const many = (count: number, verdict: Verdict): Look[] =>
  Array.from({ length: count }, (_, at) => look(`${at}`, verdict));

const SWEEP: SweepRules = { kind: 'sweep', fleet: 20, cap: 5, healing: 'on' };
const REQUEST: RequestRules = { kind: 'request', asked: 1, restart: false, cap: 5, healing: 'on' };
const said = (steps: readonly Step<Look>[]): string[] =>
  steps.map((step) => ('reason' in step ? `${step.do} ${step.reason}` : step.do));
const see = (looks: readonly Look[], rules: RoundRules = SWEEP, round: Round<Look> = newRound()) =>
  seeBatch(round, looks, rules);
const COUNTS = { silenceCounts: true, unseen: 0 };

describe('a round', () => {
  it('records what is well, heals what has stopped, and lets silence wait for the end', () => {
    const { round, steps } = see([look('a', HEALTHY), look('b', STOPPED), look('c', HEALTHY), look('d', SILENT)]);
    expect(said(steps)).toEqual(['record not_called_for', 'heal', 'record not_called_for']);
    expect(said(settle(round, SWEEP, COUNTS).steps)).toEqual(['record not_called_for']);
    expect(said(settle(round, SWEEP, { ...COUNTS, silenceCounts: false }).steps)).toEqual(['doubt']);
  });

  it('drops a look that was given up', () => {
    expect(said(see([look('a', GIVEN_UP)]).steps)).toEqual(['drop']);
  });

  it.each([
    ['off', 'withhold healing_off'],
    ['paused', 'withhold healing_paused'],
  ] as const)('withholds restarts, and says why, while healing is %s', (healing, expected) => {
    expect(
      said(see([look('a', STOPPED), look('b', HEALTHY), look('c', HEALTHY)], { ...SWEEP, healing }).steps)[0],
    ).toBe(expected);
  });

  it('sends no more restarts than its cap, over all batches together', () => {
    const first = see([...many(3, HEALTHY), ...many(2, STOPPED)], { ...SWEEP, cap: 3 });
    const second = see([...many(3, HEALTHY), ...many(2, STOPPED)], { ...SWEEP, cap: 3 }, first.round);
    expect([...said(first.steps), ...said(second.steps)].filter((one) => !one.startsWith('record'))).toEqual([
      'heal',
      'heal',
      'heal',
      'withhold restart_cap',
    ]);
  });

  it('holds restarts while most of what it has seen has stopped, and sends them when the rest is well', () => {
    const first = see(many(5, STOPPED));
    expect(first.steps).toEqual([]);
    const { round } = see(many(15, HEALTHY), SWEEP, first.round);
    expect(said(settle(round, SWEEP, COUNTS).steps)).toEqual(Array<string>(5).fill('heal'));
  });

  it('pauses healing when more than half of the fleet has stopped', () => {
    const { round } = see([...many(11, STOPPED), ...many(9, HEALTHY)]);
    const { steps, pause } = settle(round, SWEEP, COUNTS);
    expect(pause).toEqual({ stopped: 11, fleet: 20 });
    expect(new Set(said(steps))).toEqual(new Set(['withhold healing_paused']));
  });

  it.each<[string, Partial<HealthState>, string]>([
    ['were healthy', { status: 'healthy' }, 'withhold healing_paused'],
    ['were starting after that', { status: 'unhealthy', lastErrorCode: 'service_starting' }, 'withhold healing_paused'],
    [
      'were starting after a failure',
      { status: 'unhealthy', lastErrorCode: 'service_starting', consecutiveFailures: 1 },
      'heal',
    ],
    ['had never been looked at', { status: 'healthy', lastCheckAt: null }, 'heal'],
    ['had stopped before', { status: 'unhealthy', lastErrorCode: 'service_not_active' }, 'heal'],
  ])('takes it for a mass stop or not where services %s that are all stopped now', (_, before, expected) => {
    const { round, steps } = see(many(20, STOPPED).map((one) => after(before, one)));
    expect(said([...steps, ...settle(round, SWEEP, COUNTS).steps])[0]).toBe(expected);
  });

  it.each([
    ['healing is off', { ...SWEEP, healing: 'off' }, RESTART, 'withhold healing_off'],
    ['healing is paused', { ...SWEEP, healing: 'paused' }, RESTART, 'withhold healing_paused'],
    ['nothing may be restarted anyway', SWEEP, { action: 'none', reason: 'circuit_open' }, 'record circuit_open'],
  ] as const)('pauses nothing when the whole fleet has stopped while %s', (_, rules, decision, expected) => {
    const { round, steps } = see(
      Array.from({ length: 20 }, (__, at) => look(`${at}`, STOPPED, decision)),
      rules,
    );
    expect(new Set(said(steps))).toEqual(new Set([expected]));
    expect(settle(round, rules, COUNTS)).toEqual({ steps: [], pause: null });
  });

  it('waits for a sweep that sees the whole fleet where the unseen could make it a mass stop', () => {
    const { round } = see([...many(9, STOPPED), ...many(3, HEALTHY)]);
    const { steps, pause } = settle(round, SWEEP, { ...COUNTS, unseen: 8 });
    expect([pause, new Set(said(steps))]).toEqual([null, new Set(['withhold fleet_unseen'])]);
  });
});

describe('a look on news', () => {
  const NEWS: NewsRules = { kind: 'news', fleet: 20, cap: 5, healing: 'on' };
  const seeNews = (looks: readonly Look[], before = { stopped: 0, restarts: 0 }, rules = NEWS) =>
    see(looks, rules, newRound(before));

  it('heals at once, and leaves to the next sweep what does not answer', () => {
    const { round, steps } = seeNews([look('a', STOPPED), look('b', SILENT), look('c', HEALTHY)]);
    expect(said(steps)).toEqual(['heal', 'drop', 'record not_called_for']);
    expect(settle(round, NEWS, COUNTS)).toEqual({ steps: [], pause: null });
  });

  it('sends no more restarts than its cap leaves after those of the last interval', () => {
    expect(said(seeNews(many(3, STOPPED), { stopped: 3, restarts: 3 }).steps)).toEqual([
      'heal',
      'heal',
      'withhold restart_cap',
    ]);
  });

  it('pauses healing when more than half of the fleet has stopped within the interval, whoever saw that', () => {
    const { round, steps } = seeNews(many(2, STOPPED), { stopped: 9, restarts: 0 });
    expect(steps).toEqual([]);
    const settled = settle(round, NEWS, COUNTS);
    expect(settled.pause).toEqual({ stopped: 11, fleet: 20 });
    expect(said(settled.steps)).toEqual(['withhold healing_paused', 'withhold healing_paused']);
    expect(said(seeNews(many(2, STOPPED), { stopped: 8, restarts: 0 }).steps)).toEqual(['heal', 'heal']);
  });

  it('knows no mass stop in small fleets', () => {
    expect(said(seeNews(many(4, STOPPED), { stopped: 0, restarts: 0 }, { ...NEWS, fleet: 4 }).steps)).toEqual(
      Array<string>(4).fill('heal'),
    );
  });

  it.each([
    ['off', 'withhold healing_off'],
    ['paused', 'withhold healing_paused'],
  ] as const)('withholds restarts while healing is %s', (healing, expected) => {
    expect(said(seeNews([look('a', STOPPED)], undefined, { ...NEWS, healing }).steps)).toEqual([expected]);
  });
});

describe('a sweep after news', () => {
  it('counts what has stopped and was restarted before it', () => {
    const { round } = see([...many(9, STOPPED), ...many(9, HEALTHY)], SWEEP, newRound({ stopped: 2, restarts: 1 }));
    expect(settle(round, SWEEP, COUNTS).pause).toEqual({ stopped: 11, fleet: 20 });
    const { steps } = see(
      [...many(5, HEALTHY), look('a', STOPPED)],
      { ...SWEEP, cap: 1 },
      newRound({ stopped: 0, restarts: 1 }),
    );
    expect(said(steps).at(-1)).toBe('withhold restart_cap');
  });
});

describe('what an admin has asked for', () => {
  it('restarts whatever has answered, and records what has not', () => {
    const rules = { ...REQUEST, restart: true };
    expect(said(see([look('a', HEALTHY)], rules).steps)).toEqual(['restart']);
    expect(said(see([look('a', STOPPED, { action: 'none', reason: 'circuit_open' })], rules).steps)).toEqual([
      'restart',
    ]);
    const { round } = see([look('a', SILENT)], rules);
    expect(said(settle(round, rules, COUNTS).steps)).toEqual(['record not_called_for']);
  });

  it('does not judge the fleet: of many that have stopped none is restarted, and the reason is the true one', () => {
    const rules = { ...REQUEST, asked: 12 };
    const { round } = see(many(12, STOPPED), rules);
    const { steps, pause } = settle(round, rules, COUNTS);
    expect([pause, new Set(said(steps))]).toEqual([null, new Set(['withhold fleet_unseen'])]);
  });
});
