import type { HealthCheck } from '../../db/schema.ts';
import type { RestartOutcome } from '../../provisioning/vps-status.ts';
import {
  getEffectiveCircuitState,
  recordFailure,
  recordSuccess,
  resetCircuitBreaker,
  type BreakerSettings,
} from '../circuit-breaker.ts';
import { isWithheld, type Healing, type NoHealing, type Withheld } from './healing.ts';
import { isOwnFault, type Cause, type Verdict } from './verdict.ts';

/** What is known of a VPS between two checks: its row without keys and bookkeeping. */
export type HealthState = Omit<HealthCheck, 'id' | 'userId' | 'createdAt' | 'updatedAt'>;

/** One look at a VPS, and what was done about it. */
export type Check = {
  /** When the VPS was looked at. */
  readonly lookedAt: Date;
  /** When it was clear what came of it: after a restart, later than the look. */
  readonly at: Date;
  readonly verdict: Verdict;
  readonly healing: Healing;
  /** Failures of a VPS under maintenance are noted, but do not count. */
  readonly maintenance: boolean;
  readonly probeMs: number | null;
};

/** What a check has brought about, in the order in which it happened. */
export type HealthEvent =
  | { readonly kind: 'healthy' }
  | { readonly kind: 'check_failed'; readonly cause: Cause; readonly message: string }
  | { readonly kind: 'restarted' }
  /** The same, but nothing was wrong: an admin has asked for it. */
  | { readonly kind: 'restarted_on_request' }
  | { readonly kind: 'restart_failed'; readonly message: string; readonly known: boolean }
  /** A restart was called for, but this sweep sent none. */
  | { readonly kind: 'restart_withheld'; readonly reason: Withheld }
  | { readonly kind: 'recovered' }
  /** From closed, so once an outage. */
  | { readonly kind: 'circuit_opened'; readonly reason: 'failures' | 'crash_loop'; readonly failures: number }
  | { readonly kind: 'trial_failed' }
  | { readonly kind: 'circuit_closed' }
  | { readonly kind: 'grace_given'; readonly message: string }
  | { readonly kind: 'maintenance_noted'; readonly message: string }
  | { readonly kind: 'maintenance_began' }
  | { readonly kind: 'maintenance_ended' }
  | { readonly kind: 'inconclusive'; readonly cause: Cause; readonly message: string };

export type Transition = { readonly next: HealthState; readonly events: readonly HealthEvent[] };

/** A VPS that has never been checked. */
export const UNCHECKED: HealthState = {
  status: 'healthy',
  consecutiveFailures: 0,
  circuitState: 'closed',
  circuitOpenedAt: null,
  circuitReason: null,
  lastCheckAt: null,
  lastHealthyAt: null,
  lastFailureAt: null,
  lastRestartAttemptAt: null,
  lastNotifiedDownAt: null,
  lastNotifiedUpAt: null,
  lastError: null,
  lastErrorCode: null,
  totalChecks: 0,
  totalFailures: 0,
  totalRecoveries: 0,
  transitionalSince: null,
  authFailures: 0,
  authRetryAt: null,
  lastProbeMs: null,
  reachable: null,
  lastNotifiedRecoveredAt: null,
  maintenanceSeenSince: null,
  circuitResetAt: null,
};

const AUTH_RETRY_FIRST_MS = 60_000;
const AUTH_RETRY_LONGEST_MS = 30 * 60_000;

/**
 * When to try a refused login again: at the next sweep after the first refusal, then 1, 2, 4 … up to 30 minutes later.
 * Refusals every minute look like an attack, and sshd's penalties or fail2ban then lock the monitor out.
 */
export const authRetryAt = (refusals: number, now: Date): Date =>
  refusals <= 1
    ? now
    : new Date(now.getTime() + Math.min(AUTH_RETRY_FIRST_MS * 2 ** Math.min(refusals - 2, 20), AUTH_RETRY_LONGEST_MS));

/** Whether refused logins keep this VPS out of a sweep at `now`. A far future is a clock set back since, not a wait. */
export const isLoginBackedOff = ({ authRetryAt: until }: Pick<HealthState, 'authRetryAt'>, now: Date): boolean =>
  until !== null && until > now && until.getTime() - now.getTime() <= AUTH_RETRY_LONGEST_MS;

/** The state after a check. Of the clock it knows only the times of the check. */
export function advance(state: HealthState, check: Check, breaker: BreakerSettings): Transition {
  const { next, events } = advanceHealth(state, check, breaker);
  if (check.maintenance === (state.maintenanceSeenSince !== null)) return { next, events };
  return {
    next: { ...next, maintenanceSeenSince: check.maintenance ? check.lookedAt : null },
    events: [{ kind: check.maintenance ? 'maintenance_began' : 'maintenance_ended' }, ...events],
  };
}

function advanceHealth(state: HealthState, check: Check, breaker: BreakerSettings): Transition {
  const { verdict, healing } = check;
  if (verdict.kind === 'inconclusive') return noteOwnFault(state, verdict.cause, verdict.message);

  const looked: HealthState = {
    ...state,
    lastCheckAt: check.at,
    lastProbeMs: check.probeMs,
    totalChecks: state.totalChecks + 1,
    reachable: verdict.kind !== 'unreachable',
    transitionalSince: keepsGraceUsed(verdict) ? state.transitionalSince : null,
    ...loginState(state, verdict, check.at),
  };
  if (verdict.kind === 'healthy') {
    const restarted: HealthEvent[] = healing.action === 'restart' ? [{ kind: 'restarted_on_request' }] : [];
    return succeed(looked, check.at, [{ kind: 'healthy' }, ...restarted]);
  }

  const noted = { lastError: verdict.message, lastErrorCode: verdict.cause };
  if (check.maintenance || (healing.action === 'none' && healing.reason === 'maintenance'))
    return { next: { ...looked, ...noted }, events: [{ kind: 'maintenance_noted', message: verdict.message }] };

  const failed: HealthState = {
    ...looked,
    ...noted,
    totalFailures: state.totalFailures + 1,
    lastFailureAt: check.at,
  };
  const event: HealthEvent = { kind: 'check_failed', cause: verdict.cause, message: verdict.message };
  switch (verdict.kind) {
    case 'in_transition':
      return giveGrace({ ...looked, ...noted }, check.at, verdict.message);
    case 'unreachable':
      return countFailure(failed, 'down', { check, breaker, trial: false, events: [event] });
    case 'misconfigured':
      return countFailure(failed, 'unhealthy', { check, breaker, trial: false, events: [event] });
    case 'not_active':
      return healing.action === 'restart'
        ? afterRestart(failed, healing.outcome, { check, breaker, before: state, events: [event] })
        : afterNoRestart(failed, healing.reason, { check, breaker, events: [event] });
  }
}

type Context = { readonly check: Check; readonly breaker: BreakerSettings; readonly events: readonly HealthEvent[] };

const WITHHELD_WORDS: Record<Withheld, string> = {
  healing_off: 'automatic restarts are switched off',
  vps_paused: 'automatic restarts of this VPS are switched off',
  healing_paused: 'automatic restarts pause until an admin decides',
  restart_cap: 'restarted in one of the next sweeps: this one has sent as many restarts as it may',
};

function afterNoRestart(failed: HealthState, reason: NoHealing, context: Context): Transition {
  // Our own limit, not a fault of this VPS: it must not open a circuit that has had no restart. See decision 0008.
  if (isWithheld(reason)) {
    const status = failed.circuitState === 'closed' ? 'unhealthy' : 'circuit_open';
    const next: HealthState = { ...failed, status, lastError: `${failed.lastError}; ${WITHHELD_WORDS[reason]}` };
    return { next, events: [...context.events, { kind: 'restart_withheld', reason }] };
  }
  if (reason === 'budget_spent') {
    const { at } = context.check;
    const failures = failed.consecutiveFailures + 1;
    const next: HealthState = {
      ...failed,
      status: 'circuit_open',
      consecutiveFailures: failures,
      circuitState: 'open',
      circuitOpenedAt: at,
      circuitReason: 'crash_loop',
      lastError: `${failed.lastError}; it keeps dying after restarts (crash loop), so automatic restarts pause`,
      lastErrorCode: 'crash_loop',
    };
    return { next, events: [...context.events, { kind: 'circuit_opened', reason: 'crash_loop', failures }] };
  }
  return countFailure(failed, 'unhealthy', { ...context, trial: reason === 'trial_spent' });
}

function afterRestart(
  failed: HealthState,
  outcome: RestartOutcome,
  context: Context & { before: HealthState },
): Transition {
  const { check, events, before } = context;
  if (outcome.outcome === 'succeeded')
    return succeed(failed, check.at, [...events, { kind: 'restarted' }], { restarted: true });
  if (outcome.outcome === 'interrupted') return { next: before, events: [] };
  const told = { ...failed, lastError: `${failed.lastError}; ${outcome.message}` };
  const known = outcome.outcome === 'failed';
  const restartFailed: HealthEvent = { kind: 'restart_failed', message: outcome.message, known };
  switch (outcome.outcome) {
    case 'still_starting':
      if (before.transitionalSince !== null)
        return countFailure({ ...told, lastErrorCode: 'restart_failed' }, 'unhealthy', {
          ...context,
          trial: true,
          events: [...events, restartFailed],
        });
      return giveGrace({ ...told, totalFailures: before.totalFailures }, check.at, outcome.message);
    case 'failed':
      return countFailure({ ...told, lastErrorCode: outcome.code }, 'unhealthy', {
        ...context,
        trial: true,
        events: [...events, restartFailed],
      });
    case 'unknown':
      return countFailure(
        { ...told, lastErrorCode: outcome.code, reachable: outcome.code === 'odd_answer' },
        outcome.code === 'odd_answer' ? 'unhealthy' : 'down',
        {
          ...context,
          trial: true,
          events: [...events, restartFailed],
        },
      );
    case 'not_sent': {
      if (isOwnFault(outcome.code)) return noteOwnFault(before, outcome.code, outcome.message);
      const login = loginState(before, { kind: 'unreachable', cause: outcome.code, message: '' }, check.at);
      const unreached = { ...told, ...login, lastErrorCode: outcome.code, reachable: false };
      return countFailure(unreached, 'down', { ...context, trial: false });
    }
  }
}

/** `trial`: this failure is that of a restart, so it uses up the one trial of a half-open circuit. */
function countFailure(
  failed: HealthState,
  status: 'down' | 'unhealthy',
  context: Context & { trial: boolean },
): Transition {
  const { check, breaker, trial, events } = context;
  const effective = getEffectiveCircuitState(failed, check.at, breaker);
  if (effective === 'half_open' && !trial) {
    const next: HealthState = {
      ...failed,
      status: 'circuit_open',
      circuitState: 'half_open',
      consecutiveFailures: failed.consecutiveFailures + 1,
    };
    return { next, events };
  }
  const { tripped, ...circuit } = recordFailure(failed, check.at, breaker);
  const isOpen = circuit.circuitState === 'open';
  const next: HealthState = {
    ...failed,
    ...circuit,
    status: isOpen ? 'circuit_open' : status,
    circuitReason: tripped ? 'failures' : failed.circuitReason,
  };
  if (tripped)
    return {
      next,
      events: [...events, { kind: 'circuit_opened', reason: 'failures', failures: circuit.consecutiveFailures }],
    };
  return { next, events: effective === 'half_open' ? [...events, { kind: 'trial_failed' }] : events };
}

function succeed(
  state: HealthState,
  at: Date,
  events: readonly HealthEvent[],
  { restarted = false }: { readonly restarted?: boolean } = {},
): Transition {
  const { recovered: closedOrReset, ...circuit } = recordSuccess(state);
  // Failures without a restart of ours may have left no mark on the breaker.
  const recovered = closedOrReset || restarted || state.status !== 'healthy';
  const next: HealthState = {
    ...state,
    ...circuit,
    status: 'healthy',
    circuitReason: null,
    transitionalSince: null,
    lastHealthyAt: at,
    lastError: null,
    lastErrorCode: null,
    totalRecoveries: state.totalRecoveries + (recovered ? 1 : 0),
  };
  const wasOpen: HealthEvent[] = state.circuitState === 'closed' ? [] : [{ kind: 'circuit_closed' }];
  return { next, events: [...events, ...(recovered ? [{ kind: 'recovered' } as const] : []), ...wasOpen] };
}

/**
 * The state after an admin has reset the circuit: closed, without a streak, and nothing keeps the next check from logging
 * in. What the last check found stays.
 */
export function resetCircuit(state: HealthState, at: Date): HealthState {
  const found = state.reachable === false ? 'down' : 'unhealthy';
  return {
    ...state,
    ...resetCircuitBreaker(),
    status: state.status === 'circuit_open' ? found : state.status,
    circuitReason: null,
    circuitResetAt: at,
    authFailures: 0,
    authRetryAt: null,
  };
}

/** A unit that stays between two states has had its grace, also when a sweep in between could not see it. */
const keepsGraceUsed = (verdict: Verdict): boolean =>
  verdict.kind === 'unreachable' || (verdict.kind === 'not_active' && verdict.transitional);

const giveGrace = (state: HealthState, at: Date, message: string): Transition => ({
  // A VPS that was never healthy stays one that has not been checked: its status says nothing yet.
  next: {
    ...state,
    transitionalSince: at,
    lastCheckAt: state.lastHealthyAt === null && state.lastFailureAt === null ? null : state.lastCheckAt,
  },
  events: [{ kind: 'grace_given', message }],
});

/** Nothing is known of the VPS, so nothing of it changes; `lastCheckAt` stays, and so tells how old the status is. */
const noteOwnFault = (state: HealthState, cause: Cause, message: string): Transition => ({
  next: cause === 'aborted' ? state : { ...state, lastError: message, lastErrorCode: cause },
  events: cause === 'aborted' ? [] : [{ kind: 'inconclusive', cause, message }],
});

/** Refused logins in a row. Only a login that worked ends the row: being unreachable meanwhile does not. */
function loginState(
  state: HealthState,
  verdict: Verdict,
  now: Date,
): Pick<HealthState, 'authFailures' | 'authRetryAt'> {
  if (verdict.kind !== 'unreachable') return { authFailures: 0, authRetryAt: null };
  if (verdict.cause !== 'auth_rejected') return { authFailures: state.authFailures, authRetryAt: state.authRetryAt };
  const authFailures = state.authFailures + 1;
  return { authFailures, authRetryAt: authRetryAt(authFailures, now) };
}
