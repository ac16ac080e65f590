import { expect, it } from 'vitest';
import { sampleOfLook, sampleOfRestart } from './samples-of.ts';
import type { Verdict } from './verdict.ts';

const at = new Date(0);
const stateOf = (verdict: Verdict, maintenance = false): string | undefined =>
  sampleOfLook({
    lookedAt: at,
    verdict,
    healing: { action: 'none', reason: 'not_called_for' },
    maintenance,
    probeMs: null,
  })?.state;
const message = '';

it('the history keeps of a restart whether the service is up after it, where that is known', () => {
  expect(sampleOfRestart({ at, outcome: { outcome: 'succeeded' } })?.state).toBe('healthy');
  expect(sampleOfRestart({ at, outcome: { outcome: 'still_starting', message, unit: null } })?.state).toBe('unhealthy');
  expect(sampleOfRestart({ at, outcome: { outcome: 'interrupted', message } })).toBeNull();
});

it('the history keeps what is known of the service, and nothing of a host that answers but cannot be checked', () => {
  expect(stateOf({ kind: 'healthy' })).toBe('healthy');
  expect(stateOf({ kind: 'not_active', cause: 'service_not_active', message, transitional: false })).toBe('unhealthy');
  expect(stateOf({ kind: 'misconfigured', cause: 'unit_masked', message })).toBe('unhealthy');
  const start = { invocationId: 'a', since: at, until: at };
  expect(stateOf({ kind: 'starting', cause: 'service_starting', message, start })).toBe('unhealthy');
  expect(stateOf({ kind: 'unreachable', cause: 'timeout', message })).toBe('down');
  for (const cause of ['auth_rejected', 'host_key_changed', 'no_exit_status', 'output_limit', 'protocol'] as const)
    expect(stateOf({ kind: 'unreachable', cause, message })).toBe('unknown');
  for (const cause of ['sudo_refused', 'odd_answer'] as const)
    expect(stateOf({ kind: 'misconfigured', cause, message })).toBe('unknown');
  expect(stateOf({ kind: 'unreachable', cause: 'auth_rejected', message }, true)).toBe('maintenance');
  expect(stateOf({ kind: 'inconclusive', cause: 'aborted', message })).toBeUndefined();
});
