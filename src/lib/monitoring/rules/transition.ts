import type { HealthCheck } from '../../db/schema.ts';
import { isOurFault, traitsOf, type Cause } from '../../facts/cause.ts';
import { isWithheld, WITHHELD, type Withheld } from '../../facts/withheld.ts';
import type { RestartOutcome } from '../../provisioning/vps-status.ts';
import {
  getEffectiveCircuitState,
  recordFailure,
  recordSuccess,
  resetCircuitBreaker,
  type BreakerSettings,
  type CircuitBreakerState,
} from '../circuit-breaker.ts';
import { restartFollows, type HealingDecision, type NoHealing } from './healing.ts';
import { NO_LINK } from './link-columns.ts';
import { advanceLogin } from './login-backoff.ts';
import {
  columnsOf,
  isAnotherStart,
  NO_START,
  startingSince,
  startOf,
  startUnderWay,
  type Start,
} from './start-wait.ts';
import { isUnseen, type Verdict } from './verdict.ts';

/** What is known of a VPS between two checks: its row without keys and bookkeeping. */
export type HealthState = Omit<HealthCheck, 'id' | 'userId' | 'createdAt' | 'updatedAt' | keyof CircuitBreakerState> &
  CircuitBreakerState;

/** One look at a VPS, and what is done about it. */
export type Check = {
  /** When the VPS was looked at. */
  readonly lookedAt: Date;
  readonly verdict: Verdict;
  /** A restart has an end of its own: see `endRestart`. */
  readonly healing: HealingDecision;
  /** Failures of a VPS under maintenance are noted, but do not count. */
  readonly maintenance: boolean;
  /** From dial to answer in milliseconds; null where it came to no login. */
  readonly probeMs: number | null;
};

/** How a restart ended. */
export type RestartEnd = {
  readonly at: Date;
  readonly outcome: RestartOutcome;
  /** The one restart that a half-open circuit may have. */
  readonly trial: boolean;
  /** An admin has asked for it: it may have hit a service that was fine. */
  readonly requested: boolean;
  readonly maintenance: boolean;
};

/** A restart that was sent and whose end nobody saw: the program was killed, or the host fell silent. */
export type LostRestart = {
  readonly trial: boolean;
  /** Whether it has been counted as a failure already. */
  readonly counted: boolean;
};

/** What a check has brought about, in the order in which it happened. */
export type HealthEvent =
  | { readonly kind: 'healthy' }
  | {
      readonly kind: 'check_failed';
      readonly cause: Cause;
      readonly message: string;
      /** The service has ended without an error. */
      readonly stopped?: true;
    }
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
  /** On its way up, and waited for. */
  | { readonly kind: 'starting'; readonly message: string }
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
  ...NO_START,
  authFailures: 0,
  authRetryAt: null,
  lastProbeMs: null,
  reachable: null,
  offeredHostKey: null,
  offeredHostKeyAt: null,
  hostKeySeenAt: null,
  lastNotifiedRecoveredAt: null,
  maintenanceSeenSince: null,
  circuitResetAt: null,
  ...NO_LINK,
};

/**
 * The state that a row says; of a VPS without a row, that it has not been checked. A circuit that is open without a time
 * of opening, which only a foreign hand can write, has waited long enough.
 */
export function stateOfRow(row: HealthCheck | null | undefined): HealthState {
  if (!row) return UNCHECKED;
  const { id, userId, createdAt, updatedAt, circuitState, circuitOpenedAt, ...rest } = row;
  return circuitState === 'closed'
    ? { ...rest, circuitState, circuitOpenedAt: null }
    : { ...rest, circuitState, circuitOpenedAt: circuitOpenedAt ?? new Date(0) };
}

/** Whether the service is up at the end of what has happened. */
export const isUpAfter = (events: readonly HealthEvent[]): boolean =>
  events.some(({ kind }) => kind === 'healthy' || kind === 'restarted' || kind === 'restarted_on_request');

/** Which keys the host has shown, and when: the pinned one last, another one first. */
function advanceHostKey(
  { offeredHostKey, offeredHostKeyAt, hostKeySeenAt }: HealthState,
  verdict: Verdict,
  at: Date,
): Pick<HealthState, 'offeredHostKey' | 'offeredHostKeyAt' | 'hostKeySeenAt'> {
  if (verdict.kind !== 'unreachable') return { offeredHostKey: null, offeredHostKeyAt: null, hostKeySeenAt: at };
  const { offeredHostKey: shown } = verdict;
  if (shown == null || shown === offeredHostKey) return { offeredHostKey, offeredHostKeyAt, hostKeySeenAt };
  return { offeredHostKey: shown, offeredHostKeyAt: at, hostKeySeenAt };
}

/** The state after a look. Of the clock it knows only the time of the look. */
export function advance(state: HealthState, check: Check, breaker: BreakerSettings): Transition {
  const { next, events } = advanceHealth(state, check, breaker);
  if (check.maintenance === (state.maintenanceSeenSince !== null)) return { next, events };
  return {
    next: { ...next, maintenanceSeenSince: check.maintenance ? check.lookedAt : null },
    events: [{ kind: check.maintenance ? 'maintenance_began' : 'maintenance_ended' }, ...events],
  };
}

function advanceHealth(state: HealthState, check: Check, breaker: BreakerSettings): Transition {
  const { verdict, healing, lookedAt } = check;
  if (verdict.kind === 'inconclusive') return noteOwnFault(state, verdict.cause, verdict.message);

  const looked: HealthState = {
    ...state,
    lastCheckAt: lookedAt,
    lastProbeMs: check.probeMs,
    totalChecks: state.totalChecks + 1,
    reachable: verdict.kind !== 'unreachable',
    ...advanceHostKey(state, verdict, lookedAt),
    transitionalSince: keepsGraceUsed(verdict) ? state.transitionalSince : null,
    ...columnsOf(startAfter(verdict, startOf(state))),
    ...advanceLogin(state, verdict, lookedAt),
  };
  if (verdict.kind === 'healthy') return succeed(looked, lookedAt, [{ kind: 'healthy' }]);

  const noted = { lastError: verdict.message, lastErrorCode: verdict.cause };
  if (check.maintenance || (healing.action === 'none' && healing.reason === 'maintenance'))
    return { next: { ...looked, ...noted }, events: [{ kind: 'maintenance_noted', message: verdict.message }] };
  if (verdict.kind === 'in_transition') return giveGrace({ ...looked, ...noted }, lookedAt, verdict.message);
  if (verdict.kind === 'starting' && (restartFollows(healing) || !isAnotherStart(startOf(state), verdict.start))) {
    // What an admin has restarted is another start, and no failure of this one.
    const start = restartFollows(healing) ? NO_START : {};
    const next: HealthState = { ...looked, ...noted, ...start, status: statusWhileDown(state) };
    return { next, events: [{ kind: 'starting', message: verdict.message }] };
  }

  const failed: HealthState = {
    ...looked,
    ...noted,
    totalFailures: state.totalFailures + 1,
    lastFailureAt: lookedAt,
  };
  if (verdict.kind === 'starting') return failStart(failed, verdict.message, { at: lookedAt, breaker });
  const stopped = verdict.kind === 'not_active' && verdict.stopped === true ? { stopped: true as const } : {};
  const event: HealthEvent = { kind: 'check_failed', cause: verdict.cause, message: verdict.message, ...stopped };
  const context: Context = { at: lookedAt, breaker, events: [event], trial: false };
  if (verdict.kind === 'unreachable') return countFailure(failed, 'down', context);
  if (healing.action === 'restart' || restartFollows(healing))
    return { next: awaitRestart(failed, state), events: [event] };
  return verdict.kind === 'misconfigured'
    ? countFailure(failed, 'unhealthy', context)
    : afterNoRestart(failed, healing.reason, context);
}

type Context = {
  readonly at: Date;
  readonly breaker: BreakerSettings;
  readonly events: readonly HealthEvent[];
  /** This failure is that of a restart, so it uses up the one trial of a half-open circuit. */
  readonly trial: boolean;
};

const statusWhileDown = ({ circuitState }: CircuitBreakerState): 'unhealthy' | 'circuit_open' =>
  circuitState === 'closed' ? 'unhealthy' : 'circuit_open';

/** Which start the next look is to know of. */
function startAfter(verdict: Verdict, seen: Start | null): Start | null {
  switch (verdict.kind) {
    case 'starting':
      return verdict.start;
    case 'not_active':
      return verdict.overdue ?? null;
    case 'unreachable':
      return seen;
    case 'healthy':
    case 'in_transition':
    case 'misconfigured':
    case 'inconclusive':
      return null;
  }
}

/** The start that was waited for has failed. The one that has taken its place has its own time, so nothing is sent. */
function failStart(
  failed: HealthState,
  starting: string,
  { at, breaker }: Pick<Context, 'at' | 'breaker'>,
): Transition {
  const message = `the start before this one failed; ${starting}`;
  const event: HealthEvent = { kind: 'check_failed', cause: 'service_starting', message };
  return countFailure({ ...failed, lastError: message }, 'unhealthy', { at, breaker, events: [event], trial: false });
}

/**
 * The failed look counts for the breaker when its restart has ended. Until then the error of the restart before stays:
 * a restart that fails in the same way each minute is one error, not two that take turns.
 */
const awaitRestart = (failed: HealthState, before: HealthState): HealthState => ({
  ...failed,
  // What follows is another start.
  ...NO_START,
  status: statusWhileDown(failed),
  lastErrorCode:
    before.lastErrorCode !== null && traitsOf(before.lastErrorCode).ofRestart
      ? before.lastErrorCode
      : failed.lastErrorCode,
});

function afterNoRestart(failed: HealthState, reason: NoHealing, context: Context): Transition {
  // Our own limit, not a fault of this VPS: it must not open a circuit that has had no restart. See decision 0008.
  if (isWithheld(reason)) {
    const lastError = `${failed.lastError}; ${WITHHELD[reason]}`;
    const next: HealthState = { ...failed, status: statusWhileDown(failed), lastError };
    return { next, events: [...context.events, { kind: 'restart_withheld', reason }] };
  }
  if (reason === 'budget_spent') {
    const failures = failed.consecutiveFailures + 1;
    const next: HealthState = {
      ...failed,
      status: 'circuit_open',
      consecutiveFailures: failures,
      circuitState: 'open',
      circuitOpenedAt: context.at,
      circuitReason: 'crash_loop',
      lastError: `${failed.lastError}; it keeps dying after restarts (crash loop), so automatic restarts pause`,
      lastErrorCode: 'crash_loop',
    };
    return { next, events: [...context.events, { kind: 'circuit_opened', reason: 'crash_loop', failures }] };
  }
  return countFailure(failed, 'unhealthy', { ...context, trial: reason === 'trial_spent' });
}

/** The state after a restart has ended, or after nobody could see how it ended. */
export function endRestart(state: HealthState, end: RestartEnd, breaker: BreakerSettings): Transition {
  const { outcome, at, requested, maintenance } = end;
  if (outcome.outcome === 'interrupted' || isUnseen(outcome)) return { next: state, events: [] };
  const wasFine = state.status === 'healthy' && state.lastErrorCode === null;
  if (outcome.outcome === 'succeeded') {
    const onRequest = requested && (wasFine || maintenance);
    const kind = onRequest ? 'restarted_on_request' : 'restarted';
    return succeed({ ...state, reachable: true }, at, [{ kind }], { restarted: !onRequest });
  }
  if (outcome.outcome === 'not_sent' && isOurFault(outcome.code))
    return noteOwnFault(state, outcome.code, outcome.message);
  if (outcome.outcome === 'still_starting') return awaitStart(state, outcome, end);
  if (maintenance) {
    const next = { ...state, lastError: outcome.message };
    return { next, events: [{ kind: 'maintenance_noted', message: outcome.message }] };
  }
  return failRestart(wasFine ? failFine(state, at) : { next: state, events: [] }, outcome, end, breaker);
}

/** Nothing has failed yet: the next look tells, and closes the ledger. */
function awaitStart(
  state: HealthState,
  { message, unit }: Extract<RestartOutcome, { outcome: 'still_starting' }>,
  { at, maintenance }: Pick<RestartEnd, 'at' | 'maintenance'>,
): Transition {
  const start = unit && startUnderWay('activating', unit, null, at);
  const seen: HealthState = {
    ...state,
    ...columnsOf(start),
    transitionalSince: start === null ? at : null,
    status: maintenance ? state.status : statusWhileDown(state),
    reachable: true,
    lastError: start === null ? message : startingSince(start, at),
    lastErrorCode: start === null ? 'service_in_transition' : 'service_starting',
  };
  if (maintenance) return { next: seen, events: [{ kind: 'maintenance_noted', message }] };
  return { next: seen, events: [{ kind: start === null ? 'grace_given' : 'starting', message }] };
}

const BROKEN_BY_HAND = 'service not active after a restart by hand';

/** A service that was fine until an admin had it restarted: the failure is one of its own. */
const failFine = (state: HealthState, at: Date): Transition => ({
  next: {
    ...state,
    totalFailures: state.totalFailures + 1,
    lastFailureAt: at,
    lastError: BROKEN_BY_HAND,
    lastErrorCode: 'service_not_active',
  },
  events: [{ kind: 'check_failed', cause: 'service_not_active', message: BROKEN_BY_HAND }],
});

function failRestart(
  { next: state, events: before }: Transition,
  outcome: Exclude<RestartOutcome, { outcome: 'succeeded' | 'interrupted' | 'still_starting' }>,
  { at }: RestartEnd,
  breaker: BreakerSettings,
): Transition {
  const told = { ...state, ...NO_START, lastError: `${state.lastError}; ${outcome.message}` };
  const known = outcome.outcome === 'failed';
  const events: HealthEvent[] = [...before, { kind: 'restart_failed', message: outcome.message, known }];
  const context: Context = { at, breaker, events, trial: true };
  switch (outcome.outcome) {
    case 'failed':
      return countFailure({ ...told, lastErrorCode: outcome.code }, 'unhealthy', context);
    case 'unknown': {
      // What answers oddly is not silent.
      const reachable = outcome.code === 'odd_answer';
      const unseen = { ...told, lastErrorCode: outcome.code, reachable };
      return countFailure(unseen, reachable ? 'unhealthy' : 'down', context);
    }
    case 'not_sent': {
      const login = advanceLogin(state, { kind: 'unreachable', cause: outcome.code }, at);
      const unreached = { ...told, ...login, lastErrorCode: outcome.code, reachable: false };
      return countFailure(unreached, 'down', { ...context, events: before, trial: false });
    }
  }
}

/**
 * What a look tells of a restart whose end nobody saw, before the look itself is judged. Up: it has worked, late or
 * unseen, and that is ours. Down, or started anew by somebody else: it has failed, unless that was counted when the host
 * fell silent. On its way up: nobody knows yet.
 */
export function closeLostRestart(
  state: HealthState,
  lost: LostRestart,
  check: Pick<Check, 'lookedAt' | 'verdict' | 'maintenance'>,
  breaker: BreakerSettings,
): Transition & { readonly outcome: 'succeeded' | 'failed' | null } {
  const { lookedAt: at, verdict, maintenance } = check;
  const fail = (message: string): Transition & { readonly outcome: 'failed' } => {
    if (lost.counted || maintenance) return { next: state, events: [], outcome: 'failed' };
    const outcome = { outcome: 'failed', code: 'restart_failed', message } as const;
    const end = { at, outcome, trial: lost.trial, requested: false, maintenance };
    return { ...endRestart(state, end, breaker), outcome: 'failed' };
  };
  const stillOpen = { next: state, events: [], outcome: null };
  switch (verdict.kind) {
    case 'healthy':
      return { next: state, events: [{ kind: 'restarted' }], outcome: 'succeeded' };
    case 'starting':
      return isAnotherStart(startOf(state), verdict.start) ? fail('the start that it began has failed') : stillOpen;
    case 'not_active':
    case 'misconfigured':
      return fail('the end of the restart was not seen, and the service is not active');
    case 'in_transition':
    case 'unreachable':
    case 'inconclusive':
      return stillOpen;
  }
}

function countFailure(
  failed: HealthState,
  status: 'down' | 'unhealthy',
  { at, breaker, trial, events }: Context,
): Transition {
  const effective = getEffectiveCircuitState(failed, at, breaker);
  if (failed.circuitState !== 'closed' && effective === 'half_open' && !trial) {
    const consecutiveFailures = failed.consecutiveFailures + 1;
    return { next: { ...failed, status: 'circuit_open', circuitState: 'half_open', consecutiveFailures }, events };
  }
  const { tripped, ...circuit } = recordFailure(failed, at, breaker);
  const next: HealthState = {
    ...failed,
    ...circuit,
    status: circuit.circuitState === 'open' ? 'circuit_open' : status,
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
    ...NO_START,
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
