import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnitFacts } from '../../facts/unit-state.ts';
import { WITHHELD, type Withheld } from '../../facts/withheld.ts';
import type { RestartOutcome } from '../../provisioning/vps-status.ts';
import { decideHealing, type HealingDecision } from './healing.ts';
import { authRetryAt, isLoginBackedOff } from './login-backoff.ts';
import {
  advance,
  closeLostRestart,
  endRestart,
  resetCircuit,
  UNCHECKED,
  type Check,
  type HealthState,
  type Transition,
} from './transition.ts';
import type { Verdict } from './verdict.ts';

const MINUTE_MS = 60_000;
const T0 = Date.UTC(2026, 0, 1, 12);
const at = (minutes: number): Date => new Date(T0 + minutes * MINUTE_MS);
const BREAKER = { maxConsecutiveFailures: 3, cooldownMs: 30 * MINUTE_MS };

const HEALTHY: Verdict = { kind: 'healthy' };
const NOT_ACTIVE: Verdict = {
  kind: 'not_active',
  cause: 'service_not_active',
  message: 'service not active: failed',
  transitional: false,
};
const REFUSED: Verdict = { kind: 'unreachable', cause: 'refused', message: 'the host refused the connection' };
const LOGIN_REFUSED: Verdict = { kind: 'unreachable', cause: 'auth_rejected', message: 'the host refused the login' };
const MASKED: Verdict = { kind: 'misconfigured', cause: 'unit_masked', message: 'the service is masked' };
const ACTIVATING: Verdict = { kind: 'in_transition', cause: 'service_in_transition', message: 'service is activating' };
const KEY_LOST: Verdict = { kind: 'inconclusive', cause: 'key_unreadable', message: 'the private key cannot be read' };

/** A decision together with what becomes of it. */
type Healing =
  | Extract<HealingDecision, { action: 'none' }>
  | { action: 'restart'; trial: boolean; outcome: RestartOutcome; requested?: boolean };

const NONE: Healing = { action: 'none', reason: 'not_called_for' };
const none = (reason: Extract<Healing, { action: 'none' }>['reason']): Healing => ({ action: 'none', reason });
const FAILED: RestartOutcome = {
  outcome: 'failed',
  code: 'restart_failed',
  message: 'restart failed with exit code 1',
};
const restart = (outcome: RestartOutcome, trial = false): Healing => ({ action: 'restart', trial, outcome });

type Step = Omit<Check, 'healing'> & { readonly healing: Healing };
const check = (minutes: number, verdict: Verdict, healing: Healing = NONE, more: Partial<Step> = {}): Step => ({
  lookedAt: at(minutes),
  verdict,
  healing,
  maintenance: false,
  probeMs: 40,
  ...more,
});
/** A look and, where a restart follows, its end. */
function live(state: HealthState, { healing, ...look }: Step): Transition {
  if (healing.action === 'none') return advance(state, { ...look, healing }, BREAKER);
  const { trial, outcome, requested = false } = healing;
  const decision: HealingDecision = requested ? { action: 'none', reason: 'on_request' } : { action: 'restart', trial };
  const seen = advance(state, { ...look, healing: decision }, BREAKER);
  const { lookedAt, maintenance } = look;
  const ended = endRestart(seen.next, { at: lookedAt, outcome, trial, requested, maintenance }, BREAKER);
  return { next: ended.next, events: [...seen.events, ...ended.events] };
}
const run = (checks: readonly Step[], from: HealthState = UNCHECKED): { state: HealthState; events: string[] } =>
  checks.reduce(
    ({ state, events }, one) => {
      const { next, events: now } = live(state, one);
      return { state: next, events: [...events, ...now.map((event) => event.kind)] };
    },
    { state: from, events: [] as string[] },
  );
const failedThreeTimes = (): HealthState =>
  run([0, 1, 2].map((minute) => check(minute, NOT_ACTIVE, restart(FAILED)))).state;

describe('resetCircuit', () => {
  it('closes the circuit and forgets the streak, the wait after refused logins and nothing else', () => {
    const open = { ...failedThreeTimes(), authFailures: 4, authRetryAt: at(40) };
    expect(open.circuitState).toBe('open');
    expect(resetCircuit(open, at(5))).toEqual({
      ...open,
      status: 'unhealthy',
      circuitState: 'closed',
      circuitOpenedAt: null,
      circuitReason: null,
      circuitResetAt: at(5),
      consecutiveFailures: 0,
      authFailures: 0,
      authRetryAt: null,
    });
    expect(resetCircuit({ ...open, reachable: false }, at(5)).status).toBe('down');
    expect(resetCircuit({ ...UNCHECKED, lastHealthyAt: at(1) }, at(5)).status).toBe('healthy');
  });
});

describe('a restart by hand of a service that was fine', () => {
  it('counts as a healthy check and is no recovery', () => {
    const { state, events } = run([
      check(0, HEALTHY, { action: 'restart', trial: true, requested: true, outcome: { outcome: 'succeeded' } }),
    ]);
    expect(events).toEqual(['healthy', 'restarted_on_request']);
    expect(state).toMatchObject({ status: 'healthy', totalFailures: 0, totalRecoveries: 0 });
  });
});

describe('advance', () => {
  it('counts a healthy check and forgets the last error', () => {
    const { state } = run([check(0, REFUSED), check(1, HEALTHY)]);
    expect(state).toMatchObject({
      status: 'healthy',
      consecutiveFailures: 0,
      lastError: null,
      lastErrorCode: null,
      totalChecks: 2,
      totalFailures: 1,
      totalRecoveries: 1,
      lastHealthyAt: at(1),
      lastFailureAt: at(0),
      lastCheckAt: at(1),
    });
  });

  it('calls a restart that worked healthy again, and recovered, also at the first failure', () => {
    const { state, events } = run([check(0, NOT_ACTIVE, restart({ outcome: 'succeeded' }))]);
    expect(state).toMatchObject({ status: 'healthy', consecutiveFailures: 0, totalFailures: 1, totalRecoveries: 1 });
    expect(events).toEqual(['check_failed', 'restarted', 'recovered']);
  });

  it('opens the circuit at the third restart that failed, reports it once, and keeps the time of opening', () => {
    const opened = run([0, 1, 2].map((minute) => check(minute, NOT_ACTIVE, restart(FAILED))));
    expect(opened.state).toMatchObject({
      status: 'circuit_open',
      circuitState: 'open',
      circuitOpenedAt: at(2),
      circuitReason: 'failures',
    });
    const later = run(
      [3, 4, 5].map((minute) => check(minute, NOT_ACTIVE, none('circuit_open'))),
      opened.state,
    );
    expect(later.state).toMatchObject({ circuitOpenedAt: at(2), consecutiveFailures: 6, totalChecks: 6 });
    expect([...opened.events, ...later.events].filter((kind) => kind === 'circuit_opened')).toHaveLength(1);
  });

  it('shows an unreachable VPS as down, then as an open circuit whose error says which of the two it was', () => {
    expect(run([check(0, REFUSED)]).state).toMatchObject({ status: 'down', lastErrorCode: 'refused' });
    expect(run([0, 1, 2].map((minute) => check(minute, REFUSED))).state).toMatchObject({
      status: 'circuit_open',
      lastErrorCode: 'refused',
      lastError: 'the host refused the connection',
    });
  });

  it('closes at once on a healthy check while open', () => {
    const { state, events } = run([check(3, HEALTHY)], failedThreeTimes());
    expect(state).toMatchObject({
      status: 'healthy',
      circuitState: 'closed',
      circuitOpenedAt: null,
      circuitReason: null,
    });
    expect(events).toEqual(['healthy', 'recovered', 'circuit_closed']);
  });

  it('opens anew after a failed trial, and that is no second trip', () => {
    const { state, events } = run([check(33, NOT_ACTIVE, restart(FAILED, true))], failedThreeTimes());
    expect(state).toMatchObject({ circuitState: 'open', circuitOpenedAt: at(33), status: 'circuit_open' });
    expect(events).toEqual(['check_failed', 'restart_failed', 'trial_failed']);
  });

  it.each([
    ['unreachable', REFUSED],
    ['misconfigured', MASKED],
  ])('leaves a half-open circuit as it is while the VPS is %s: it has had no trial', (_, verdict) => {
    const { state } = run([check(33, verdict), check(99, verdict)], failedThreeTimes());
    expect(state).toMatchObject({
      circuitState: 'half_open',
      circuitOpenedAt: at(2),
      status: 'circuit_open',
      consecutiveFailures: 5,
    });
  });

  it('opens the circuit for a crash loop at once, with its own reason', () => {
    const { state, events } = run([check(0, NOT_ACTIVE, none('budget_spent'))]);
    expect(state).toMatchObject({
      status: 'circuit_open',
      circuitReason: 'crash_loop',
      circuitOpenedAt: at(0),
      lastErrorCode: 'crash_loop',
    });
    expect(events).toEqual(['check_failed', 'circuit_opened']);
  });

  it.each(Object.entries(WITHHELD) as [Withheld, string][])(
    'takes a restart that was withheld (%s) for no failure of the VPS: its circuit stays closed, however long',
    (reason, words) => {
      const { state, events } = run([0, 1, 2, 3, 4].map((minute) => check(minute, NOT_ACTIVE, none(reason))));
      expect(state).toMatchObject({
        status: 'unhealthy',
        circuitState: 'closed',
        circuitOpenedAt: null,
        consecutiveFailures: 0,
        totalFailures: 5,
        lastFailureAt: at(4),
        lastErrorCode: 'service_not_active',
        lastError: `service not active: failed; ${words}`,
      });
      expect(new Set(events)).toEqual(new Set(['check_failed', 'restart_withheld']));
    },
  );

  it('takes one that was withheld from a half-open circuit for no trial', () => {
    const open = failedThreeTimes();
    const { state, events } = run([check(33, NOT_ACTIVE, none('restart_cap'))], open);
    expect(state).toMatchObject({
      status: 'circuit_open',
      circuitState: 'open',
      circuitOpenedAt: open.circuitOpenedAt,
      consecutiveFailures: open.consecutiveFailures,
    });
    expect(events).toEqual(['check_failed', 'restart_withheld']);
  });

  it('gives one sweep of grace without counting anything against the VPS', () => {
    const { state, events } = run([check(0, HEALTHY), check(1, ACTIVATING)]);
    expect(state).toMatchObject({
      status: 'healthy',
      consecutiveFailures: 0,
      totalFailures: 0,
      totalChecks: 2,
      transitionalSince: at(1),
    });
    expect(events).toEqual(['healthy', 'grace_given']);
    expect(run([check(2, HEALTHY)], state).state.transitionalSince).toBeNull();
  });

  it('gives that grace once, however long the unit stays between two states', () => {
    const stuck: Verdict = { ...NOT_ACTIVE, transitional: true };
    const { state } = run([
      check(0, ACTIVATING),
      check(1, stuck, restart(FAILED)),
      check(2, REFUSED),
      check(3, stuck, restart(FAILED)),
    ]);
    expect(state).toMatchObject({ consecutiveFailures: 3, circuitState: 'open', transitionalSince: at(0) });
    expect(run([check(4, NOT_ACTIVE, none('circuit_open'))], state).state.transitionalSince).toBeNull();
  });

  it('changes nothing but the error for a fault of its own', () => {
    const before = run([check(0, HEALTHY)]).state;
    expect(run([check(1, KEY_LOST)], before).state).toEqual({
      ...before,
      lastError: 'the private key cannot be read',
      lastErrorCode: 'key_unreadable',
    });
  });

  it('notes a failure under maintenance, but does not count it', () => {
    const { state } = run([check(0, HEALTHY), check(1, NOT_ACTIVE, none('maintenance'), { maintenance: true })]);
    expect(state).toMatchObject({
      status: 'healthy',
      consecutiveFailures: 0,
      totalFailures: 0,
      totalChecks: 2,
      lastErrorCode: 'service_not_active',
    });
  });

  it('counts a restart whose end nobody saw as a failure, and a trial as spent', () => {
    const unknown: RestartOutcome = {
      outcome: 'unknown',
      code: 'reset',
      message: 'restart sent, then the connection broke',
    };
    expect(run([check(0, NOT_ACTIVE, restart(unknown))]).state).toMatchObject({
      status: 'down',
      consecutiveFailures: 1,
    });
    expect(run([check(40, NOT_ACTIVE, restart(unknown, true))], failedThreeTimes()).state.circuitOpenedAt).toEqual(
      at(40),
    );
  });

  it('counts nothing when it was our own fault that nobody saw the end', () => {
    const unknown: RestartOutcome = { outcome: 'unknown', code: 'local_limit', message: 'restart sent; then EMFILE' };
    const { state, events } = run([check(0, NOT_ACTIVE, restart(unknown))]);
    expect(state).toMatchObject({ consecutiveFailures: 0, lastErrorCode: 'service_not_active', reachable: true });
    expect(events).toEqual(['check_failed']);
  });

  it('does not take a restart that could not be sent for a trial', () => {
    const notSent: RestartOutcome = { outcome: 'not_sent', code: 'refused', message: 'the restart could not be sent' };
    const { state } = run([check(40, NOT_ACTIVE, restart(notSent, true))], failedThreeTimes());
    expect(state).toMatchObject({ circuitState: 'half_open', circuitOpenedAt: at(2), lastErrorCode: 'refused' });
  });

  it('waits one sweep for a service that a restart has left starting', () => {
    const starting: RestartOutcome = { outcome: 'still_starting', message: 'still starting', unit: null };
    expect(run([check(0, NOT_ACTIVE, restart(starting))]).state).toMatchObject({
      consecutiveFailures: 0,
      totalFailures: 1,
      transitionalSince: at(0),
    });
  });

  it('keeps the failed look, and counts nothing, when the monitor was stopped in the middle of a restart', () => {
    const before = failedThreeTimes();
    const interrupted: RestartOutcome = { outcome: 'interrupted', message: '' };
    const { state, events } = run([check(40, NOT_ACTIVE, restart(interrupted, true))], before);
    expect(events).toEqual(['check_failed']);
    expect(state).toMatchObject({
      circuitOpenedAt: at(2),
      consecutiveFailures: 3,
      totalFailures: 4,
      lastFailureAt: at(40),
    });
  });

  it('keeps one error for restarts that fail in the same way each minute', () => {
    const { state } = run([check(0, NOT_ACTIVE, restart(FAILED))]);
    expect(live(state, check(1, NOT_ACTIVE, restart(FAILED))).next.lastErrorCode).toBe('restart_failed');
    expect(
      advance(state, { ...check(1, NOT_ACTIVE), healing: { action: 'restart', trial: false } }, BREAKER).next,
    ).toMatchObject({ status: 'unhealthy', lastErrorCode: 'restart_failed' });
  });
});

describe('a restart whose end nobody saw', () => {
  const sent = advance(
    UNCHECKED,
    { ...check(0, NOT_ACTIVE), healing: { action: 'restart', trial: false } },
    BREAKER,
  ).next;
  const close = (verdict: Verdict, lost = { trial: false, counted: false }, state: HealthState = sent) =>
    closeLostRestart(state, lost, check(1, verdict), BREAKER);

  it('has worked, and counts as ours, when the next look finds the service up', () => {
    const { next, events, outcome } = close(HEALTHY);
    expect([events.map(({ kind }) => kind), outcome]).toEqual([['restarted'], 'succeeded']);
    expect(run([check(1, HEALTHY)], next).state).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
  });

  it('has failed when the next look finds it down, and counts once', () => {
    const { next, outcome } = close(NOT_ACTIVE);
    expect(outcome).toBe('failed');
    expect(next).toMatchObject({ consecutiveFailures: 1, totalFailures: 1, lastErrorCode: 'restart_failed' });
    expect(close(NOT_ACTIVE, { trial: false, counted: true }).next).toBe(sent);
  });

  it('was the trial of a half-open circuit, which opens anew', () => {
    const open = failedThreeTimes();
    const { next, events } = close(NOT_ACTIVE, { trial: true, counted: false }, {
      ...open,
      circuitOpenedAt: at(-40),
    } as HealthState);
    expect(events.map(({ kind }) => kind)).toContain('trial_failed');
    expect(next.circuitOpenedAt).toEqual(at(1));
  });

  it.each([REFUSED, ACTIVATING, KEY_LOST])('stays open while nothing is known: $kind', (verdict) => {
    expect(close(verdict)).toEqual({ next: sent, events: [], outcome: null });
  });
});

const starting = (minutes: number, invocationId = 'a', { beganAt = minutes }: { beganAt?: number } = {}): Verdict => ({
  kind: 'starting',
  cause: 'service_starting',
  message: 'starting since a while',
  start: { invocationId, since: at(beganAt), until: at(beganAt + 5) },
});
const OVERDUE: Verdict = {
  ...NOT_ACTIVE,
  transitional: true,
  overdue: { invocationId: 'a', since: at(0), until: at(5) },
};

describe('a start that is waited for', () => {
  it('is shown as unhealthy, and counts as nothing: no failure, and no end of a streak', () => {
    const failedOnce = run([check(0, NOT_ACTIVE, restart(FAILED))]).state;
    for (const before of [run([check(0, HEALTHY)]).state, failedOnce]) {
      const { state, events } = run([check(1, starting(1)), check(2, starting(2, 'a', { beganAt: 1 }))], before);
      expect(state).toEqual({
        ...before,
        status: 'unhealthy',
        lastCheckAt: at(2),
        hostKeySeenAt: at(2),
        totalChecks: 3,
        lastError: 'starting since a while',
        lastErrorCode: 'service_starting',
        startingInvocation: 'a',
        startingSince: at(1),
        startingUntil: at(6),
      });
      expect(events).toEqual(['starting', 'starting']);
    }
  });

  it('is over with a recovery when it comes up', () => {
    const { state, events } = run([check(0, HEALTHY), check(1, starting(1)), check(2, HEALTHY)]);
    expect(events).toEqual(['healthy', 'starting', 'healthy', 'recovered']);
    expect(state).toMatchObject({ status: 'healthy', totalFailures: 0, totalRecoveries: 1, startingSince: null });
  });

  it('leaves an open circuit as it is', () => {
    const open = failedThreeTimes();
    const { state, events } = run([check(10, starting(10)), check(40, starting(40, 'a', { beganAt: 10 }))], open);
    expect(events).toEqual(['starting', 'starting']);
    expect(state).toMatchObject({
      status: 'circuit_open',
      circuitState: 'open',
      circuitOpenedAt: at(2),
      consecutiveFailures: 3,
    });
  });

  it('has failed when another one is under way, which counts and has its own time', () => {
    const { state, events } = run([0, 1, 2, 3].map((minute) => check(minute, starting(minute, `${minute}`))));
    expect(events).toEqual(['starting', 'check_failed', 'check_failed', 'check_failed', 'circuit_opened']);
    expect(state).toMatchObject({ status: 'circuit_open', totalFailures: 3, startingInvocation: '3' });
    expect(state.lastError).toBe('the start before this one failed; starting since a while');
  });

  it('is remembered through silence and when its time is over, and by nothing else', () => {
    const waiting = run([check(0, starting(0))]).state;
    const invocationAfter = (verdict: Verdict, healing?: Healing) =>
      run([check(6, verdict, healing)], waiting).state.startingInvocation;
    expect([REFUSED, KEY_LOST].map((verdict) => invocationAfter(verdict))).toEqual(['a', 'a']);
    expect(invocationAfter(OVERDUE, none('circuit_open'))).toBe('a');
    expect(
      [HEALTHY, NOT_ACTIVE, ACTIVATING, MASKED].map((verdict) => invocationAfter(verdict, none('vps_paused'))),
    ).toEqual([null, null, null, null]);
    // Our restart is another start, and none that has failed.
    expect(invocationAfter(OVERDUE, restart({ outcome: 'interrupted', message: '' }))).toBeNull();
  });

  it('is waited for under maintenance, too, and nothing is shown or counted', () => {
    const before = run([check(0, HEALTHY)]).state;
    const { state, events } = run([check(1, starting(1), none('maintenance'), { maintenance: true })], before);
    expect(events).toEqual(['maintenance_began', 'maintenance_noted']);
    expect(state).toMatchObject({ status: 'healthy', totalFailures: 0 });
  });
});

describe('a restart whose start goes on', () => {
  const unit: UnitFacts = {
    ...{ loadState: 'loaded', subState: 'start', result: 'success', invocationId: 'b' },
    ...{ startTimeoutMs: 90_000, stateAgeMs: 33_000, notInactiveMs: 33_000 },
  };
  const goesOn: RestartOutcome = { outcome: 'still_starting', message: 'restart sent, then a timeout', unit };
  const sent = run([check(0, NOT_ACTIVE, restart(goesOn))]);

  it('has not failed, and is waited for', () => {
    expect(sent.events).toEqual(['check_failed', 'starting']);
    expect(sent.state).toMatchObject({
      status: 'unhealthy',
      consecutiveFailures: 0,
      totalFailures: 1,
      lastError: 'starting since 33 s',
      lastErrorCode: 'service_starting',
      startingInvocation: 'b',
      startingSince: new Date(T0 - 33_000),
      startingUntil: new Date(T0 + 57_000),
    });
  });

  it('is not healthy any more where an admin has restarted what was fine', () => {
    const byHand = { action: 'restart', trial: true, requested: true, outcome: goesOn } as const;
    const { state, events } = run([check(0, HEALTHY, byHand)]);
    expect(events).toEqual(['healthy', 'starting']);
    expect(state).toMatchObject({ status: 'unhealthy', totalFailures: 0, startingInvocation: 'b' });
  });

  it('leaves the trial of a half-open circuit open', () => {
    const { state, events } = run([check(40, NOT_ACTIVE, restart(goesOn, true))], failedThreeTimes());
    expect(events).toEqual(['check_failed', 'starting']);
    expect(state).toMatchObject({ status: 'circuit_open', circuitOpenedAt: at(2), consecutiveFailures: 3 });
  });

  it.each<[string, Verdict, 'succeeded' | 'failed' | null, number]>([
    ['the same start goes on', starting(1, 'b'), null, 0],
    ['it is up', HEALTHY, 'succeeded', 0],
    ['it is not active', NOT_ACTIVE, 'failed', 1],
    ['its time is over', OVERDUE, 'failed', 1],
    ['another start goes on', starting(1, 'c'), 'failed', 1],
  ])('is closed by the next look, which counts once: %s', (_, verdict, outcome, consecutiveFailures) => {
    const lost = { trial: false, counted: false };
    const closed = closeLostRestart(sent.state, lost, check(1, verdict), BREAKER);
    expect(closed.outcome).toBe(outcome);
    const { state } = run([check(1, verdict, none('vps_paused'))], closed.next);
    expect(state.consecutiveFailures).toBe(consecutiveFailures);
  });
});

describe('refused logins', () => {
  it('are retried after 0, 1, 2, 4 … minutes, and at most half an hour', () => {
    const waits = [1, 2, 3, 4, 5, 6, 7, 8, 60].map(
      (refusals) => (authRetryAt(refusals, at(0)).getTime() - T0) / MINUTE_MS,
    );
    expect(waits).toEqual([0, 1, 2, 4, 8, 16, 30, 30, 30]);
  });

  it('are forgotten after a login that worked, and not by an unreachable host', () => {
    const { state } = run([check(0, LOGIN_REFUSED), check(1, LOGIN_REFUSED), check(2, REFUSED)]);
    expect(state).toMatchObject({ authFailures: 2, authRetryAt: at(2) });
    expect(run([check(3, MASKED)], state).state).toMatchObject({ authFailures: 0, authRetryAt: null });
  });

  it('keep a VPS out of the sweep until their time, but not for ever after a clock was set back', () => {
    // After the fourth refusal it is four minutes.
    const backedOff = { authRetryAt: at(5), authFailures: 4 };
    expect(isLoginBackedOff(backedOff, at(4))).toBe(true);
    expect(isLoginBackedOff(backedOff, at(5))).toBe(false);
    expect(isLoginBackedOff(backedOff, at(1))).toBe(true);
    expect(isLoginBackedOff(backedOff, at(-1))).toBe(false);
    expect(isLoginBackedOff(backedOff, at(-60))).toBe(false);
  });
});

describe('for every sequence of verdicts', () => {
  const starts = [starting(0, 'a'), starting(0, 'b'), OVERDUE];
  const others = [HEALTHY, NOT_ACTIVE, NOT_ACTIVE, NOT_ACTIVE, REFUSED, MASKED, ACTIVATING, KEY_LOST];
  const verdicts = fc.constantFrom(...others, ...starts);
  const outcomes = fc.constantFrom<RestartOutcome>(
    FAILED,
    FAILED,
    { outcome: 'succeeded' },
    { outcome: 'unknown', code: 'reset', message: '' },
  );
  const sweeps = fc.array(fc.tuple(verdicts, outcomes), { maxLength: 200 });
  const rules = { breaker: BREAKER, restartBudget: { maxRestarts: 5, windowMs: 30 * MINUTE_MS } };

  it('only "not active" is ever restarted, an open circuit at most once per cooldown, and a trip is told once per opening', () => {
    fc.assert(
      fc.property(sweeps, (steps) => {
        let state: HealthState = UNCHECKED;
        const restarts: Date[] = [];
        for (const [index, [verdict, outcome]] of steps.entries()) {
          const now = at(index);
          const decision = decideHealing(verdict, state, { now, restarts, maintenance: false, paused: false }, rules);
          if (decision.action === 'restart') {
            expect(verdict.kind).toBe('not_active');
            if (state.circuitOpenedAt)
              expect(now.getTime() - state.circuitOpenedAt.getTime()).toBeGreaterThanOrEqual(BREAKER.cooldownMs);
            restarts.push(now);
          }
          const healing: Healing = decision.action === 'restart' ? { ...decision, outcome } : decision;
          const { next, events } = live(state, check(index, verdict, healing));
          const opened = events.some((event) => event.kind === 'circuit_opened');
          expect(opened).toBe(state.circuitState === 'closed' && next.circuitState !== 'closed');
          expect(next.status === 'circuit_open').toBe(next.circuitState !== 'closed');
          expect((next.circuitOpenedAt === null) === (next.circuitState === 'closed')).toBe(true);
          expect(next.totalFailures).toBeLessThanOrEqual(next.totalChecks);
          state = next;
        }
        const mostInWindow = Math.max(
          0,
          ...restarts.map(
            (start) =>
              restarts.filter((one) => one >= start && one.getTime() < start.getTime() + 30 * MINUTE_MS).length,
          ),
        );
        // The budget, and the trial that a half-open circuit has besides.
        expect(mostInWindow).toBeLessThanOrEqual(6);
      }),
      { numRuns: 300 },
    );
  });
});
