import { describe, expect, it } from 'vitest';
import type { UnitFacts } from '../../facts/unit-state.ts';
import { isNotAllowed, readFailedJob, readRefusal } from './bus-answer.ts';

const unit = (facts: Partial<UnitFacts>): UnitFacts => ({
  loadState: 'loaded',
  subState: 'failed',
  result: 'exit-code',
  invocationId: 'b',
  startTimeoutMs: 90_000,
  stateAgeMs: null,
  notInactiveMs: null,
  ...facts,
});
const read = (end: string, facts: Partial<UnitFacts>, before: UnitFacts | null = unit({ invocationId: 'a' })) =>
  readFailedJob(end, { after: { activeState: 'failed', unit: unit(facts) }, before, service: 'rachel8' });

describe('a job that did not bring the unit up', () => {
  it.for<[string, string, Partial<UnitFacts>, string]>([
    ['has failed', 'failed', {}, 'restart_failed'],
    ['has run out of time', 'timeout', {}, 'restart_failed'],
    ['was canceled', 'canceled', {}, 'restart_failed'],
    ['waited for another', 'dependency', { invocationId: 'a' }, 'restart_failed'],
    ['was refused by the start limit', 'failed', { result: 'start-limit-hit' }, 'start_limit'],
    ['was refused by it, and the result is that of the crash before', 'failed', { invocationId: 'a' }, 'start_limit'],
    ['was one of a masked unit', 'failed', { loadState: 'masked' }, 'unit_masked'],
    ['was one of no unit', 'failed', { loadState: 'not-found' }, 'unit_missing'],
  ])('%s', ([, end, facts, code]) => {
    expect(read(end, facts).code).toBe(code);
  });

  it('is no matter of the start limit where nothing was known before', () => {
    expect(read('failed', { invocationId: 'a' }, null).code).toBe('restart_failed');
    expect(read('failed', { invocationId: '' }, unit({ invocationId: '' })).code).toBe('restart_failed');
  });

  it('is told with its end and with what became of the unit, clean', () => {
    expect(read('dependency', {}).message).toBe('restart failed (dependency): the service is failed (exit-code)');
    expect(read('\u001b[31mfailed', {}).message).not.toContain('\u001b');
  });
});

describe('an order that systemd refuses', () => {
  it.for([
    ['org.freedesktop.systemd1.NoSuchUnit', 'unit_missing'],
    ['org.freedesktop.systemd1.UnitMasked', 'unit_masked'],
    ['org.freedesktop.systemd1.LoadFailed', 'restart_failed'],
  ] as const)('with %s is %s', ([name, code]) => {
    expect(readRefusal(name, 'no')).toEqual({ code, message: expect.stringMatching(/no$/) });
  });

  it('may be one that another way is open for', () => {
    expect(isNotAllowed('org.freedesktop.DBus.Error.AccessDenied')).toBe(true);
    expect(isNotAllowed('org.freedesktop.DBus.Error.InteractiveAuthorizationRequired')).toBe(true);
    expect(isNotAllowed('org.freedesktop.systemd1.UnitMasked')).toBe(false);
  });
});
