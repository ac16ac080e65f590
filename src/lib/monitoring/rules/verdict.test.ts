import { describe, expect, it } from 'vitest';
import type { UnitFacts } from '../../facts/unit-state.ts';
import type { ProbeResult } from '../../provisioning/vps-status.ts';
import { judge, type Verdict } from './verdict.ts';

const unit = (loadState: string, subState = 'dead', result = 'success'): UnitFacts => ({
  loadState,
  subState,
  result,
  invocationId: '',
  startTimeoutMs: null,
  stateAgeMs: null,
  notInactiveMs: null,
});
const NOW = new Date('2026-11-24T12:00:00Z');
const FRESH = { graceUsed: false, start: null };
const state = (activeState: string, exitCode: number, facts: UnitFacts | null = null): ProbeResult => ({
  kind: 'state',
  activeState,
  exitCode,
  unit: facts,
});

describe('judge', () => {
  it.each<[string, ProbeResult, Verdict['kind']]>([
    ['active with exit 0', state('active', 0), 'healthy'],
    ['reloading with exit 0', state('reloading', 0), 'healthy'],
    ['active with another exit code', state('active', 1), 'not_active'],
    ['reloading with exit 3', state('reloading', 3), 'not_active'],
    ['inactive', state('inactive', 3, unit('loaded')), 'not_active'],
    ['inactive with exit 0', state('inactive', 0, unit('loaded')), 'not_active'],
    ['failed', state('failed', 3, unit('loaded', 'failed', 'exit-code')), 'not_active'],
    ['failed, and nothing more could be read', state('failed', 3), 'not_active'],
    ['activating for the first time', state('activating', 3, unit('loaded', 'start')), 'in_transition'],
    ['deactivating for the first time', state('deactivating', 3, unit('loaded', 'stop')), 'in_transition'],
    ['a unit that is not there', state('inactive', 4, unit('not-found')), 'misconfigured'],
    ['a unit that is not there, and nothing more could be read', state('inactive', 4), 'misconfigured'],
    ['a masked unit', state('inactive', 3, unit('masked')), 'misconfigured'],
    ['a unit file with an error', state('inactive', 3, unit('bad-setting')), 'misconfigured'],
    ['sudo that refuses', { kind: 'sudo_refused', message: 'no' }, 'misconfigured'],
    ['an answer that is none', { kind: 'odd_answer', message: 'hm' }, 'misconfigured'],
    ['a refused connection', { kind: 'no_answer', code: 'refused', message: '' }, 'unreachable'],
    ['a timeout', { kind: 'no_answer', code: 'timeout', message: '' }, 'unreachable'],
    ['a changed host key', { kind: 'no_answer', code: 'host_key_changed', message: '' }, 'unreachable'],
    ['a refused login', { kind: 'no_answer', code: 'auth_rejected', message: '' }, 'unreachable'],
    ['a key of ours that cannot be used', { kind: 'no_answer', code: 'key_invalid', message: '' }, 'inconclusive'],
    ['a resolver that is away', { kind: 'no_answer', code: 'resolver', message: '' }, 'inconclusive'],
    ['a monitor without descriptors', { kind: 'no_answer', code: 'local_limit', message: '' }, 'inconclusive'],
    ['a host name that does not exist', { kind: 'no_answer', code: 'dns', message: '' }, 'unreachable'],
    ['a monitor that stood still', { kind: 'no_answer', code: 'stalled', message: '' }, 'inconclusive'],
  ])('takes %s for what it is', (_, result, kind) => {
    expect(judge(result, FRESH, NOW).kind).toBe(kind);
  });

  it.each(['activating', 'deactivating'])('counts %s as not active once its grace is used', (activeState) => {
    const { kind } = judge(state(activeState, 3, unit('loaded', 'auto-restart')), { ...FRESH, graceUsed: true }, NOW);
    expect(kind).toBe('not_active');
  });

  const starting = { ...unit('loaded', 'start-pre'), invocationId: 'a', startTimeoutMs: 90_000 };
  const begun = (secondsAgo: number) => ({
    invocationId: 'a',
    since: new Date(NOW.getTime() - secondsAgo * 1_000),
    until: NOW,
  });

  it('waits for a start that is under way, whatever grace is used', () => {
    for (const graceUsed of [false, true])
      expect(judge(state('activating', 3, starting), { graceUsed, start: begun(40) }, NOW)).toMatchObject({
        kind: 'starting',
        message: 'starting since 40 s',
        start: { until: new Date(NOW.getTime() + 50_000) },
      });
  });

  it('waits no longer than that, and then gives no grace', () => {
    expect(judge(state('activating', 3, starting), { graceUsed: false, start: begun(90) }, NOW)).toMatchObject({
      kind: 'not_active',
      message: 'service not active: activating (start-pre), starting since 90 s',
      overdue: { invocationId: 'a' },
    });
  });

  it.each<[string, ProbeResult, Verdict['kind']]>([
    ['waits to be started again', state('activating', 3, unit('loaded', 'auto-restart')), 'not_active'],
    ['is stopped', state('deactivating', 3, unit('loaded', 'stop-sigterm')), 'in_transition'],
    ['has failed', state('failed', 3, unit('loaded', 'failed')), 'not_active'],
    ['is up', state('active', 0), 'healthy'],
  ])('judges a unit by what it is now where the start that was waited for %s', (_, result, kind) => {
    expect(judge(result, { graceUsed: false, start: begun(40) }, NOW).kind).toBe(kind);
  });

  it('says in its message what systemd knows', () => {
    expect(judge(state('failed', 3, unit('loaded', 'failed', 'exit-code')), FRESH, NOW)).toMatchObject({
      message: 'service not active: failed (exit-code)',
    });
  });
});

describe('a service that has ended', () => {
  const ended = (result: string, invocationId: string) =>
    judge(state('inactive', 3, { ...unit('loaded', 'dead', result), invocationId }), FRESH, NOW);

  it('without an error was stopped, or was done', () => {
    expect(ended('success', 'a')).toMatchObject({ kind: 'not_active', stopped: true });
  });

  it.for([
    ['with an error', 'exit-code', 'a'],
    ['and was never started', 'success', ''],
  ])('%s was not', ([, result = '', invocation = '']) => {
    expect(ended(result, invocation)).toMatchObject({ kind: 'not_active', stopped: false });
  });
});
