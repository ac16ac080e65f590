import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { advanceIncident, type IncidentState } from './incident.ts';
import type { RestartOutcome } from '../../provisioning/vps-status.ts';
import { restartFollows, type HealingDecision } from './healing.ts';
import { advance, endRestart, isUpAfter, UNCHECKED, type HealthState, type Transition } from './transition.ts';
import type { Verdict } from './verdict.ts';
import { announce, isDownTold } from './announcements.ts';

const MINUTE_MS = 60_000;
const T0 = Date.UTC(2026, 0, 1, 12);
const BREAKER = { maxConsecutiveFailures: 3, cooldownMs: 30 * MINUTE_MS };
type Healing =
  Extract<HealingDecision, { action: 'none' }> | { action: 'restart'; trial: boolean; outcome: RestartOutcome };
const NONE: Healing = { action: 'none', reason: 'not_called_for' };
const restart = (outcome: 'succeeded' | 'failed'): Healing => ({
  action: 'restart',
  trial: false,
  outcome: outcome === 'succeeded' ? { outcome } : { outcome, code: 'restart_failed', message: 'exit code 1' },
});

const HEALTHY: Verdict = { kind: 'healthy' };
const STOPPED: Verdict = {
  kind: 'not_active',
  cause: 'service_not_active',
  message: 'service not active: failed',
  transitional: false,
};
const unreachable = (cause: 'timeout' | 'auth_rejected' | 'host_key_changed'): Verdict => ({
  kind: 'unreachable',
  cause,
  message: cause,
});
const MASKED: Verdict = { kind: 'misconfigured', cause: 'unit_masked', message: 'masked' };
const NO_SUDO: Verdict = { kind: 'misconfigured', cause: 'sudo_refused', message: 'sudo refused' };
const ODD: Verdict = { kind: 'misconfigured', cause: 'odd_answer', message: 'Failed to connect to bus' };
const KEY_LOST: Verdict = { kind: 'inconclusive', cause: 'key_unreadable', message: 'key' };
const OUTAGE: Verdict = { kind: 'inconclusive', cause: 'outage', message: 'outage' };

type Step = { verdict: Verdict; healing?: Healing; maintenance?: boolean; minutes?: number; acknowledged?: boolean };
type World = {
  state: HealthState;
  incident: (IncidentState & { acknowledgedAt: Date | null }) | null;
  atMs: number;
  /** `kind` or `kind/occurrence`, in order; with the number of the incident in front. */
  told: string[];
  incidents: number;
};
const START: World = { state: UNCHECKED, incident: null, atMs: T0, told: [], incidents: 0 };

type Happening = Transition & {
  readonly follows: boolean;
  readonly maintenance: boolean;
  readonly acknowledged: boolean;
};

/** What has happened, through incident and rules, as the store does it. */
function conclude(
  world: World,
  { next, events, follows, maintenance, acknowledged }: Happening,
  downAfter: number,
): World {
  const at = new Date(world.atMs);
  const open = world.incident?.endedAt === null ? world.incident : null;
  const advanced = advanceIncident(open, events, { lookedAt: at, at, healthy: isUpAfter(events) });
  const acknowledgedAt = open?.acknowledgedAt ?? (acknowledged ? at : null);
  const incident = advanced && { ...advanced, acknowledgedAt };
  const incidents = world.incidents + (advanced && !open ? 1 : 0);
  const outcome = { at, before: world.state, next, events, incident, maintenance, restartFollows: follows };
  const { told, announcements } = announce(outcome, downAfter);
  const said = announcements.map(({ kind, occurrence }) => (occurrence === '' ? kind : `${kind}/${occurrence}`));
  return { state: { ...next, ...told }, incident, atMs: world.atMs, incidents, told: [...world.told, ...said] };
}

/** One look and, where a restart follows, its end. */
function live(world: World, step: Step, downAfter = 2): World {
  const { verdict, healing = NONE, maintenance = false, minutes = 1, acknowledged = false } = step;
  const now = { ...world, atMs: world.atMs + minutes * MINUTE_MS };
  const at = new Date(now.atMs);
  const decision: HealingDecision = healing.action === 'none' ? healing : { action: 'restart', trial: healing.trial };
  const look = { lookedAt: at, verdict, healing: decision, maintenance, probeMs: 40 };
  const seen = { ...advance(now.state, look, BREAKER), follows: restartFollows(decision), maintenance, acknowledged };
  const looked = conclude(now, seen, downAfter);
  if (healing.action === 'none') return looked;
  const end = { at, outcome: healing.outcome, trial: healing.trial, requested: false, maintenance };
  const ended = { ...endRestart(looked.state, end, BREAKER), follows: false, maintenance, acknowledged };
  return conclude(looked, ended, downAfter);
}
const run = (steps: readonly Step[], from = START): World => steps.reduce((world, step) => live(world, step), from);
const kinds = ({ told }: World): string[] => told.map((said) => said.replace(/\/.*/, ''));
const times = (count: number, step: Step): Step[] => Array.from({ length: count }, () => step);

const DOWN = { verdict: unreachable('timeout') };
const FAILED = { verdict: STOPPED, healing: restart('failed') };
const HEALED = { verdict: STOPPED, healing: restart('succeeded') };
const UP = { verdict: HEALTHY };

describe('the customer', () => {
  it('hears of an outage after the second failed check, once, and once of its end', () => {
    expect(kinds(run([DOWN]))).toEqual([]);
    expect(kinds(run([DOWN, DOWN]))).toEqual(['down']);
    expect(kinds(run([...times(10, DOWN), UP, UP]))).toEqual(['down', 'circuit_opened', 'up', 'circuit_closed']);
  });

  it('hears nothing of a failure that has passed before it was told', () => {
    expect(kinds(run([DOWN, UP, DOWN, UP]))).toEqual([]);
  });

  it('is told of a restart that worked, at most once an hour', () => {
    const world = run([UP, HEALED, UP, HEALED]);
    expect(kinds(world)).toEqual(['recovered']);
    expect(kinds(run([{ ...HEALED, minutes: 60 }], world))).toEqual(['recovered', 'recovered']);
  });

  it('is told of a recovery within the hour when the last one lies in the future: the clock was set back', () => {
    const world = run([HEALED]);
    expect(kinds(run([{ ...HEALED, minutes: -30 }], world))).toEqual(['recovered', 'recovered']);
    expect(kinds(run([{ ...HEALED, minutes: -1 }], world))).toEqual(['recovered']);
  });

  it('is told "back up", not "recovered", when the outage was told before', () => {
    expect(kinds(run([FAILED, FAILED, HEALED]))).toEqual(['down', 'up']);
  });

  it('hears nothing new during maintenance, but of the end of what was told before', () => {
    const world = run([DOWN, DOWN]);
    expect(kinds(run(times(5, { ...DOWN, maintenance: true })))).toEqual([]);
    expect(
      kinds(
        run(
          [
            { ...DOWN, maintenance: true },
            { ...UP, maintenance: true },
          ],
          world,
        ),
      ),
    ).toEqual(['down', 'up']);
  });

  it('is not told twice after the monitor was started anew: what was told is in the row', () => {
    const { state, incident, atMs } = run([DOWN, DOWN]);
    expect(kinds(run([DOWN, DOWN, UP], { ...START, state, incident, atMs }))).toEqual([
      'circuit_opened',
      'up',
      'circuit_closed',
    ]);
  });

  it('hears nothing of a host that lets us in, but not check: that is for admins', () => {
    expect(kinds(run(times(5, { verdict: NO_SUDO })))).toEqual(['access_rejected', 'circuit_opened']);
    expect(kinds(run([...times(5, { verdict: ODD }), UP]))).toEqual([
      'configuration_fault',
      'circuit_opened',
      'circuit_closed',
    ]);
    expect(kinds(run([DOWN, { verdict: NO_SUDO }]))).toEqual(['access_rejected']);
  });

  it('hears of what else befalls such a host when that has been seen as often as usual', () => {
    const world = run(times(5, { verdict: NO_SUDO }));
    expect(kinds(run([DOWN], world)).slice(2)).toEqual([]);
    expect(kinds(run([DOWN, DOWN, UP], world)).slice(2)).toEqual(['down', 'up', 'circuit_closed']);
    expect(kinds([DOWN].reduce((from, step) => live(from, step, 1), world)).slice(2)).toEqual(['down']);
  });

  it('is not moved by sweeps that say nothing', () => {
    expect(kinds(run([UP, ...times(5, { verdict: OUTAGE }), UP]))).toEqual([]);
    expect(kinds(run([DOWN, DOWN, ...times(5, { verdict: OUTAGE }), UP]))).toEqual(['down', 'up']);
  });
});

describe('admins', () => {
  it('hear of a circuit once, and daily while it stays open, until somebody has acknowledged', () => {
    const opened = run(times(3, FAILED));
    expect(kinds(opened)).toEqual(['down', 'circuit_opened']);
    const nextDays = run([{ ...DOWN, minutes: 24 * 60 }, DOWN, { ...DOWN, minutes: 24 * 60 }], opened);
    expect(nextDays.told.slice(2)).toEqual([
      'circuit_reminder/day-1',
      'circuit_reminder/day-1',
      'circuit_reminder/day-2',
    ]);
    const acknowledged = run([{ ...DOWN, acknowledged: true }, { ...DOWN, minutes: 24 * 60 }, UP], opened);
    expect(kinds(acknowledged).slice(2)).toEqual(['up', 'circuit_closed']);
  });

  it.each([
    ['host_key_changed', { verdict: unreachable('host_key_changed') }],
    ['configuration_fault', { verdict: MASKED }],
    ['configuration_fault', { verdict: KEY_LOST }],
  ] as const)('hear of %s when it begins, not at every check', (kind, step) => {
    expect(kinds(run([UP, step, step])).filter((one) => one === kind)).toEqual([kind]);
  });

  it.each([
    ['host_key_changed', { verdict: unreachable('host_key_changed') }],
    ['configuration_fault', { verdict: MASKED }],
    ['configuration_fault', { verdict: KEY_LOST }],
  ] as const)('hear of %s that began under maintenance once that is over', (kind, step) => {
    const during = run([UP, { ...step, maintenance: true }, { ...step, maintenance: true }]);
    expect(kinds(during)).toEqual([]);
    expect(kinds(run([step, step], during)).filter((one) => one === kind)).toEqual([kind]);
  });

  it('hear of a refused login from the second in a row on, once, whatever comes between', () => {
    const refused = { verdict: unreachable('auth_rejected') };
    const told = (...steps: Step[]) => kinds(run([UP, ...steps])).filter((kind) => kind === 'access_rejected');
    // A host that boots, with its /etc/nologin for a moment.
    expect(told(refused, UP, refused, UP)).toEqual([]);
    expect(told(refused, DOWN, UP)).toEqual([]);
    expect(told(refused, refused)).toEqual(['access_rejected']);
    expect(told(refused, DOWN, refused)).toEqual(['access_rejected']);
    expect(told(refused, refused, refused, refused)).toEqual(['access_rejected']);
    // In another incident it is told anew.
    expect(told(refused, refused, UP, refused, refused)).toEqual(['access_rejected', 'access_rejected']);
  });

  it('hear of a refused login that began under maintenance once that is over', () => {
    const refused = { verdict: unreachable('auth_rejected') };
    const during = run([UP, { ...refused, maintenance: true }, { ...refused, maintenance: true }]);
    expect(kinds(during)).toEqual([]);
    expect(kinds(run([refused], during))).toContain('access_rejected');
  });

  it('hear of a restart that sudo refuses as of refused access, once, and the customer as of a stopped service', () => {
    const refused: Healing = {
      action: 'restart',
      trial: false,
      outcome: { outcome: 'failed', code: 'restart_refused', message: 'restart not permitted' },
    };
    const step = { verdict: STOPPED, healing: refused };
    expect(kinds(run([UP, step]))).toEqual(['access_rejected']);
    expect(kinds(run([UP, step, step, step]))).toEqual(['access_rejected', 'down', 'circuit_opened']);
  });

  it('hear of a crash loop by its name', () => {
    const spent: Healing = { action: 'none', reason: 'budget_spent' };
    expect(kinds(run([UP, { verdict: STOPPED, healing: spent }]))).toEqual(['crash_loop']);
  });
});

describe('over any sequence of checks', () => {
  const step = fc.record<Step>({
    verdict: fc.constantFrom<Verdict[]>(HEALTHY, STOPPED, unreachable('timeout'), MASKED, OUTAGE, KEY_LOST),
    maintenance: fc.boolean(),
    acknowledged: fc.boolean(),
    minutes: fc.constantFrom(-30, 0, 1, 1, 1, 10, 90),
  });
  const withHealing = (one: Step, outcome: 'succeeded' | 'failed' | null): Step =>
    one.verdict.kind === 'not_active' && outcome !== null && !one.maintenance
      ? { ...one, healing: restart(outcome) }
      : one;
  const steps = fc.array(
    fc.tuple(step, fc.constantFrom('succeeded', 'failed', null)).map(([one, outcome]) => withHealing(one, outcome)),
    { maxLength: 60 },
  );

  it('down and up take turns, never two downs in one incident, and recovery is told if down was', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 1, max: 4 }), (sequence, downAfter) => {
        let world = START;
        let toldDown = false;
        const downIn = new Set<number>();
        for (const one of sequence) {
          const before = world.told.length;
          world = live(world, one, downAfter);
          for (const said of world.told.slice(before)) {
            if (said === 'down') {
              expect(toldDown).toBe(false);
              expect(downIn.has(world.incidents)).toBe(false);
              downIn.add(world.incidents);
              toldDown = true;
            }
            if (said === 'up') {
              expect(toldDown).toBe(true);
              toldDown = false;
            }
          }
          expect(isDownTold(world.state)).toBe(toldDown);
          // Whoever was told of the outage hears of its end with the first healthy check.
          if (one.verdict.kind === 'healthy') expect(toldDown).toBe(false);
        }
      }),
      { numRuns: 500 },
    );
  });
});
