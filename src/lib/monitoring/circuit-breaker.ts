import { isAhead } from '../facts/clock-jump.ts';

/**
 * The circuit breaker of one VPS: a state machine without I/O and without a clock of its own.
 *
 * closed ──(third consecutive failure)──▶ open ──(cooldown over)──▶ half-open ──(failed trial)──▶ open, anew
 *    ▲                                      │                           │
 *    └──────────────── a success, from any state ───────────────────────┘
 *
 * "Half-open" is mostly not stored: an open circuit *is* half-open as soon as its cooldown is over.
 */
export type CircuitState = 'closed' | 'open' | 'half_open';

/** A closed circuit has no time of opening, and one that is not closed always has one. */
export type CircuitBreakerState = { readonly consecutiveFailures: number } & (
  | { readonly circuitState: 'closed'; readonly circuitOpenedAt: null }
  /** When it opened, or opened anew after a failed trial. */
  | { readonly circuitState: 'open' | 'half_open'; readonly circuitOpenedAt: Date }
);
/** @public The other name of the contract. */
export type CircuitBreakerInput = CircuitBreakerState;

export type BreakerSettings = { readonly maxConsecutiveFailures: number; readonly cooldownMs: number };

export const MAX_CONSECUTIVE_FAILURES = 3;
export const CIRCUIT_COOLDOWN_MS = 30 * 60_000;

const DEFAULTS: BreakerSettings = {
  maxConsecutiveFailures: MAX_CONSECUTIVE_FAILURES,
  cooldownMs: CIRCUIT_COOLDOWN_MS,
};

/** What the state means at `now`: an open circuit whose cooldown is over is half-open. */
export function getEffectiveCircuitState(
  state: CircuitBreakerState,
  now: Date | number = Date.now(),
  { cooldownMs }: BreakerSettings = DEFAULTS,
): CircuitState {
  if (state.circuitState !== 'open') return state.circuitState;
  if (isAhead(state.circuitOpenedAt, now)) return 'half_open';
  return Number(now) - state.circuitOpenedAt.getTime() >= cooldownMs ? 'half_open' : 'open';
}

/** Whether a restart may be tried at `now`: always while closed, once per cooldown after that. */
export const shouldAttemptRestart = (
  state: CircuitBreakerState,
  now: Date | number = Date.now(),
  settings: BreakerSettings = DEFAULTS,
): boolean => getEffectiveCircuitState(state, now, settings) !== 'open';

/**
 * The state after a failed check (closed, open) or a failed trial (half-open).
 * `tripped` is true only for closed → open, so it is true once per outage. Only that step and a failed trial set
 * `circuitOpenedAt`: a failure that renewed it while open would push the next trial away for ever.
 */
export function recordFailure(
  state: CircuitBreakerState,
  now: Date | number = Date.now(),
  settings: BreakerSettings = DEFAULTS,
): CircuitBreakerState & { readonly tripped: boolean } {
  const consecutiveFailures = state.consecutiveFailures + 1;
  if (state.circuitState === 'closed') {
    const tripped = consecutiveFailures >= settings.maxConsecutiveFailures;
    if (!tripped) return { circuitState: 'closed', consecutiveFailures, circuitOpenedAt: null, tripped };
    return { circuitState: 'open', consecutiveFailures, circuitOpenedAt: new Date(now), tripped };
  }
  const isTrial = getEffectiveCircuitState(state, now, settings) === 'half_open';
  const circuitOpenedAt = isTrial ? new Date(now) : state.circuitOpenedAt;
  return { circuitState: 'open', consecutiveFailures, circuitOpenedAt, tripped: false };
}
export { recordFailure as getStateAfterFailure };

/** The state after a healthy check or a restart that worked: closed. `recovered`: something had been wrong. */
export function recordSuccess(state: CircuitBreakerState): CircuitBreakerState & { readonly recovered: boolean } {
  const recovered = state.circuitState !== 'closed' || state.consecutiveFailures > 0;
  return { ...resetCircuitBreaker(), recovered };
}
export { recordSuccess as getStateAfterSuccess };

/** The state of a VPS of which nothing bad is known. */
export const resetCircuitBreaker = (): Extract<CircuitBreakerState, { circuitState: 'closed' }> => ({
  circuitState: 'closed',
  consecutiveFailures: 0,
  circuitOpenedAt: null,
});
