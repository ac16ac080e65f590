import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CIRCUIT_COOLDOWN_MS,
  getEffectiveCircuitState,
  getStateAfterFailure,
  getStateAfterSuccess,
  MAX_CONSECUTIVE_FAILURES,
  recordFailure,
  recordSuccess,
  resetCircuitBreaker,
  shouldAttemptRestart,
  type CircuitBreakerState,
} from './circuit-breaker.ts';

const T0 = Date.UTC(2026, 0, 1);
const CLOSED: CircuitBreakerState = { circuitState: 'closed', consecutiveFailures: 0, circuitOpenedAt: null };
const OPEN: CircuitBreakerState = { circuitState: 'open', consecutiveFailures: 3, circuitOpenedAt: new Date(T0) };
const HALF_OPEN_AT = T0 + CIRCUIT_COOLDOWN_MS;

describe('the circuit breaker', () => {
  it('opens after three failures and cools down for half an hour, unless told otherwise', () => {
    expect([MAX_CONSECUTIVE_FAILURES, CIRCUIT_COOLDOWN_MS]).toEqual([3, 1_800_000]);
  });

  it('is known by both names of the contract', () => {
    expect(getStateAfterFailure).toBe(recordFailure);
    expect(getStateAfterSuccess).toBe(recordSuccess);
  });

  it('opens on the third consecutive failure, and says so once', () => {
    const first = recordFailure(CLOSED, T0);
    const second = recordFailure(first, T0 + 1);
    const third = recordFailure(second, T0 + 2);
    expect([first.tripped, second.tripped, third.tripped]).toEqual([false, false, true]);
    expect(third).toMatchObject({ circuitState: 'open', consecutiveFailures: 3, circuitOpenedAt: new Date(T0 + 2) });
    expect(recordFailure(third, T0 + 3).tripped).toBe(false);
  });

  it.each([
    ['closed', CLOSED, T0, true],
    ['open', OPEN, HALF_OPEN_AT - 1, false],
    ['open, with its cooldown over', OPEN, HALF_OPEN_AT, true],
    ['stored as half-open', { ...OPEN, circuitState: 'half_open' }, T0, true],
  ] as const)('allows a restart as it should while %s', (_, state, now, allowed) => {
    expect(shouldAttemptRestart(state, now)).toBe(allowed);
  });

  it('opens anew after a failed trial, without being reported again', () => {
    expect(recordFailure(OPEN, new Date(HALF_OPEN_AT))).toEqual({
      circuitState: 'open',
      consecutiveFailures: 4,
      circuitOpenedAt: new Date(HALF_OPEN_AT),
      tripped: false,
    });
  });

  it('takes the time of day when it is given none', () => {
    expect(getEffectiveCircuitState({ ...OPEN, circuitOpenedAt: new Date() })).toBe('open');
    expect(getEffectiveCircuitState(OPEN)).toBe('half_open');
  });

  it('half-opens although the clock was set back by days, or by minutes, after it had opened', () => {
    expect(getEffectiveCircuitState(OPEN, T0 - 5 * 86_400_000)).toBe('half_open');
    expect(getEffectiveCircuitState(OPEN, T0 - 60_001)).toBe('half_open');
    expect(getEffectiveCircuitState(OPEN, T0 - 60_000)).toBe('open');
  });

  it('recovers only from something', () => {
    expect(recordSuccess(CLOSED).recovered).toBe(false);
    expect(recordSuccess({ ...CLOSED, consecutiveFailures: 1 }).recovered).toBe(true);
    expect(recordSuccess(OPEN).recovered).toBe(true);
    expect(resetCircuitBreaker()).toEqual(CLOSED);
  });
});

const step = fc.record({
  result: fc.constantFrom('failure', 'success'),
  afterMs: fc.oneof(fc.integer({ min: 0, max: 120_000 }), fc.integer({ min: 0, max: 2 * CIRCUIT_COOLDOWN_MS })),
});

describe('for every sequence of results and clock steps, the circuit breaker', () => {
  it('opens only at the threshold, trips once per opening from closed, closes on success, and never moves the opening while open', () => {
    fc.assert(
      fc.property(
        fc.array(step, { maxLength: 60 }),
        fc.integer({ min: 1, max: 5 }),
        (steps, maxConsecutiveFailures) => {
          const settings = { maxConsecutiveFailures, cooldownMs: CIRCUIT_COOLDOWN_MS };
          let state: CircuitBreakerState = CLOSED;
          let now = T0;
          let failuresInARow = 0;
          for (const { result, afterMs } of steps) {
            now += afterMs;
            const before = state;
            const effective = getEffectiveCircuitState(before, now, settings);
            if (result === 'success') {
              state = recordSuccess(before);
              failuresInARow = 0;
              expect(state).toMatchObject(CLOSED);
              continue;
            }
            const { tripped, ...after } = recordFailure(before, now, settings);
            state = after;
            failuresInARow++;
            expect(after.consecutiveFailures).toBe(failuresInARow);
            expect(after.circuitState === 'open').toBe(failuresInARow >= maxConsecutiveFailures);
            expect(tripped).toBe(effective === 'closed' && failuresInARow === maxConsecutiveFailures);
            if (effective === 'open') expect(after.circuitOpenedAt).toEqual(before.circuitOpenedAt);
            if (effective === 'half_open') expect(after.circuitOpenedAt).toEqual(new Date(now));
          }
        },
      ),
    );
  });

  it('allows exactly one restart per cooldown while everything fails', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 300_000 }), { minLength: 5, maxLength: 300 }), (gaps) => {
        let state: CircuitBreakerState = CLOSED;
        let now = T0;
        const restartsWhileOpen: number[] = [];
        let openedAt: number | null = null;
        for (const gap of gaps) {
          now += gap;
          const allowed = shouldAttemptRestart(state, now);
          if (openedAt !== null) {
            expect(allowed).toBe(now - (restartsWhileOpen.at(-1) ?? openedAt) >= CIRCUIT_COOLDOWN_MS);
            if (allowed) restartsWhileOpen.push(now);
          }
          const { tripped, ...next } = recordFailure(state, now);
          state = next;
          if (tripped) openedAt = now;
        }
      }),
    );
  });
});
