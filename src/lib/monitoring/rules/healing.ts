import { isAhead } from '../../facts/clock-jump.ts';
import type { Withheld } from '../../facts/withheld.ts';
import { getEffectiveCircuitState, type BreakerSettings, type CircuitBreakerState } from '../circuit-breaker.ts';
import type { Verdict } from './verdict.ts';

export type NoHealing =
  /** Healthy, or nothing that a restart could help. */
  | 'not_called_for'
  /** An admin has asked for a restart, which follows whatever was found. */
  | 'on_request'
  | 'maintenance'
  | 'circuit_open'
  /** The restarts of late have all been for nothing: a crash loop. */
  | 'budget_spent'
  /** The one trial of this half-open circuit was sent already, and its end was never recorded. */
  | 'trial_spent'
  | Withheld;

export type HealingDecision =
  | { readonly action: 'none'; readonly reason: NoHealing }
  /** `trial`: the one restart that a half-open circuit may have. */
  | { readonly action: 'restart'; readonly trial: boolean };

/** What kept a restart back that a stopped service calls for; null: none was called for, or it is sent. */
export const withheldBy = (healing: HealingDecision): Exclude<NoHealing, 'not_called_for' | 'on_request'> | null =>
  healing.action === 'restart' || healing.reason === 'not_called_for' || healing.reason === 'on_request'
    ? null
    : healing.reason;

/** Whether a restart is sent after the look: only its end tells what the look counts for. */
export const restartFollows = (healing: HealingDecision): boolean =>
  healing.action === 'restart' || healing.reason === 'on_request';

export type HealingRules = { readonly breaker: BreakerSettings; readonly restartBudget: RestartBudget };

/**
 * Whether a restart is called for and allowed; whether this sweep still sends one is not asked here. `restarts` are the
 * times at which the ledger has restarts sent, back to the budget's window and to the opening of the circuit; `paused`:
 * an admin keeps this VPS from being restarted.
 */
export function decideHealing(
  verdict: Verdict,
  circuit: CircuitBreakerState,
  facts: {
    readonly now: Date;
    readonly restarts: readonly Date[];
    readonly maintenance: boolean;
    readonly paused: boolean;
  },
  rules: HealingRules,
): HealingDecision {
  if (verdict.kind !== 'not_active') return { action: 'none', reason: 'not_called_for' };
  if (facts.maintenance) return { action: 'none', reason: 'maintenance' };
  if (facts.paused) return { action: 'none', reason: 'vps_paused' };
  switch (getEffectiveCircuitState(circuit, facts.now, rules.breaker)) {
    case 'open':
      return { action: 'none', reason: 'circuit_open' };
    case 'half_open': {
      // A recorded trial has closed the circuit or opened it anew; one that is only in the ledger died with the app. What
      // a clock that was ahead has written of the future is no trial of this half-open circuit.
      const halfOpenMs = halfOpenSinceMs(circuit, facts.now, rules.breaker);
      const spent = facts.restarts.some((at) => at.getTime() >= halfOpenMs && !isAhead(at, facts.now));
      return spent ? { action: 'none', reason: 'trial_spent' } : { action: 'restart', trial: true };
    }
    case 'closed':
      return isBudgetSpent(facts.restarts, facts.now, rules.restartBudget)
        ? { action: 'none', reason: 'budget_spent' }
        : { action: 'restart', trial: false };
  }
}

/** Of an opening that lies in the future nobody knows how long ago it was: one trial per cooldown holds all the same. */
function halfOpenSinceMs(
  { circuitOpenedAt }: CircuitBreakerState,
  now: Date,
  { cooldownMs }: HealingRules['breaker'],
): number {
  if (circuitOpenedAt !== null && isAhead(circuitOpenedAt, now)) return now.getTime() - cooldownMs;
  return (circuitOpenedAt?.getTime() ?? 0) + cooldownMs;
}

/** How many restarts of one VPS are still healing, and not a crash loop. */
export type RestartBudget = { readonly maxRestarts: number; readonly windowMs: number };

/**
 * Whether one more restart at `now` would go over the budget: each of them may have "worked", and the service died
 * again every time. `restarts` are the times of the ledger, in any order; those of a clock set back since count too.
 */
export const isBudgetSpent = (
  restarts: readonly Date[],
  now: Date,
  { maxRestarts, windowMs }: RestartBudget,
): boolean => restarts.filter((at) => Math.abs(now.getTime() - at.getTime()) < windowMs).length >= maxRestarts;
