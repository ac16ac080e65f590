import { describe, expect, it } from 'vitest';
import type { CircuitBreakerState } from '../circuit-breaker.ts';
import { decideHealing, type HealingRules } from './healing.ts';
import type { Verdict } from './verdict.ts';

const MINUTE_MS = 60_000;
const T0 = Date.UTC(2026, 0, 1, 12);
const at = (minutes: number): Date => new Date(T0 + minutes * MINUTE_MS);
const RULES: HealingRules = {
  breaker: { maxConsecutiveFailures: 3, cooldownMs: 30 * MINUTE_MS },
  restartBudget: { maxRestarts: 5, windowMs: 30 * MINUTE_MS },
};
const NOT_ACTIVE: Verdict = { kind: 'not_active', cause: 'service_not_active', message: '', transitional: false };
const CLOSED: CircuitBreakerState = { circuitState: 'closed', consecutiveFailures: 0, circuitOpenedAt: null };
const OPENED_AT_0: CircuitBreakerState = { circuitState: 'open', consecutiveFailures: 3, circuitOpenedAt: at(0) };

const decide = (
  circuit: CircuitBreakerState,
  now: Date,
  {
    restarts = [],
    maintenance = false,
    paused = false,
    verdict = NOT_ACTIVE,
  }: { restarts?: Date[]; maintenance?: boolean; paused?: boolean; verdict?: Verdict } = {},
) => decideHealing(verdict, circuit, { now, restarts, maintenance, paused }, RULES);

describe('decideHealing', () => {
  it.each<Verdict>([
    { kind: 'healthy' },
    { kind: 'in_transition', cause: 'service_in_transition', message: '' },
    { kind: 'misconfigured', cause: 'unit_masked', message: '' },
    { kind: 'unreachable', cause: 'refused', message: '' },
    { kind: 'inconclusive', cause: 'stalled', message: '' },
  ])('never restarts on a verdict of $kind, not even half-open', (verdict) => {
    expect(decide(CLOSED, at(0), { verdict })).toEqual({ action: 'none', reason: 'not_called_for' });
    expect(decide(OPENED_AT_0, at(31), { verdict })).toEqual({ action: 'none', reason: 'not_called_for' });
  });

  it('restarts a service that is not active while the circuit is closed', () => {
    expect(decide(CLOSED, at(0))).toEqual({ action: 'restart', trial: false });
  });

  it('leaves a VPS under maintenance alone', () => {
    expect(decide(CLOSED, at(0), { maintenance: true })).toEqual({ action: 'none', reason: 'maintenance' });
  });

  it('leaves a VPS alone whose healing is paused, also half-open; maintenance goes before', () => {
    expect(decide(CLOSED, at(0), { paused: true })).toEqual({ action: 'none', reason: 'vps_paused' });
    expect(decide(OPENED_AT_0, at(31), { paused: true })).toEqual({ action: 'none', reason: 'vps_paused' });
    const both = decide(CLOSED, at(0), { paused: true, maintenance: true });
    expect(both).toEqual({ action: 'none', reason: 'maintenance' });
  });

  it('waits while the circuit is open, then tries once', () => {
    expect(decide(OPENED_AT_0, at(29))).toEqual({ action: 'none', reason: 'circuit_open' });
    expect(decide(OPENED_AT_0, at(30))).toEqual({ action: 'restart', trial: true });
  });

  it('does not repeat a trial whose end was lost with the app', () => {
    expect(decide(OPENED_AT_0, at(32), { restarts: [at(31)] })).toEqual({ action: 'none', reason: 'trial_spent' });
    expect(decide(OPENED_AT_0, at(32), { restarts: [at(-1), at(0)] })).toEqual({ action: 'restart', trial: true });
  });

  it('takes no restart for its trial that a clock set back since has written of the future', () => {
    expect(decide(OPENED_AT_0, at(32), { restarts: [at(150)] })).toEqual({ action: 'restart', trial: true });
  });

  it('tries at once, and once per cooldown, when the opening lies in the future', () => {
    const openedAhead = { ...OPENED_AT_0, circuitOpenedAt: at(120) };
    expect(decide(openedAhead, at(3), { restarts: [at(118), at(119)] })).toEqual({ action: 'restart', trial: true });
    expect(decide(openedAhead, at(3), { restarts: [at(2)] })).toEqual({ action: 'none', reason: 'trial_spent' });
  });

  it('takes five restarts in half an hour for a crash loop, four or older ones not', () => {
    const five = [1, 2, 3, 4, 5].map(at);
    expect(decide(CLOSED, at(6), { restarts: five })).toEqual({ action: 'none', reason: 'budget_spent' });
    expect(decide(CLOSED, at(6), { restarts: five.slice(1) })).toEqual({ action: 'restart', trial: false });
    expect(decide(CLOSED, at(31), { restarts: five })).toEqual({ action: 'restart', trial: false });
  });

  it('grants the trial of a half-open circuit also to a crash loop', () => {
    const crashLoop = { ...OPENED_AT_0, circuitOpenedAt: at(6) };
    const restarts = [10, 11, 12, 13, 14].map((minute) => at(minute - 10));
    expect(decide(crashLoop, at(36), { restarts })).toEqual({ action: 'restart', trial: true });
  });
});
