import { describe, expect, it } from 'vitest';
import type { FleetRow } from './fleet-read.ts';
import {
  adviceFor,
  byTrouble,
  circuitInWords,
  countFilters,
  fleetSentence,
  vpsSentence,
  whatWeSaw,
} from './fleet-words.ts';
import { count, relativeTime, shortDuration, withCommas } from '../facts/time-words.ts';

const NOW = new Date('2026-06-15T12:00:00Z');
const inMinutes = (minutes: number): Date => new Date(NOW.getTime() + minutes * 60_000);
const BREAKER = { maxConsecutiveFailures: 3, cooldownMs: 1_800_000 };
const DONE: Parameters<typeof vpsSentence>[2] = { breaker: BREAKER, healing: 'on', isRestarting: false };
const ROW: FleetRow = {
  id: 'vps-1',
  link: null,
  labels: [],
  userId: 'user-1',
  customer: 'Nordlys AS',
  email: 'ops@nordlys.test',
  host: '10.4.1.7',
  port: 22,
  user: 'root',
  login: 'key',
  service: 'rachel8',
  subscriptionStatus: 'active',
  active: true,
  notReadyWhy: null,
  note: null,
  hostKeyAt: null,
  hostKeySeenAt: null,
  offeredHostKeyAt: null,
  maintenanceSince: null,
  healingPausedSince: null,
  maintenanceUntil: null,
  knownUntil: inMinutes(3),
  hostKeyFingerprint: null,
  offeredHostKeyFingerprint: null,
  status: 'healthy',
  reachable: true,
  circuitState: 'closed',
  halfOpenAt: null,
  circuitOpenedAt: null,
  circuitReason: null,
  consecutiveFailures: 0,
  lastCheckAt: NOW,
  lastHealthyAt: NOW,
  lastFailureAt: null,
  lastRestartAttemptAt: null,
  lastError: null,
  lastErrorCode: null,
  startingSince: null,
  startingUntil: null,
  lastProbeMs: 40,
  authRetryAt: null,
  totalChecks: 1,
  totalFailures: 0,
  totalRecoveries: 0,
};
const open: Partial<FleetRow> = {
  status: 'circuit_open',
  circuitState: 'open',
  circuitReason: 'failures',
  consecutiveFailures: 4,
  halfOpenAt: inMinutes(12),
};
const OLD: Partial<FleetRow> = { knownUntil: inMinutes(-1), lastCheckAt: inMinutes(-4) };
const STARTING: Partial<FleetRow> = {
  lastErrorCode: 'service_starting',
  startingSince: inMinutes(-40 / 60),
  startingUntil: inMinutes(1),
};
const say = (rows: Partial<FleetRow>[]): string =>
  fleetSentence(
    countFilters(
      rows.map((row) => ({ ...ROW, ...row })),
      NOW,
    ),
  )
    .map((phrase) => phrase.text)
    .join('');

describe('counts', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [1_000, '1,000'],
    [1_234_567, '1,234,567'],
    [-2_000, '-2,000'],
    [null, 'some'],
  ])('%s is %s, wherever people read it', (number, text) => {
    expect(withCommas(number)).toBe(text);
  });

  it('are so in sentences too', () => {
    expect(count(12_000, 'check')).toBe('12,000 checks');
    const counts = { ...countFilters([], NOW), healthy: 1_900, down: 1_100 };
    const sentence = fleetSentence(counts).map(({ text }) => text);
    expect(sentence.join('')).toBe('1,900 of 3,000 VPSs are healthy. 1,100 are unreachable.');
  });
});

describe('durations', () => {
  it.each([
    [0, '0 s'],
    [-5_000, '0 s'],
    [119_999, '119 s'],
    [120_000, '2 min'],
    [3_599_999, '59 min'],
    [3_600_000, '1 h'],
    [47 * 3_600_000, '47 h'],
    [72 * 3_600_000, '3 days'],
  ])('%i ms are %s', (durationMs, text) => {
    expect(shortDuration(durationMs)).toBe(text);
  });
  it('lie in the past with "ago"', () => {
    expect(relativeTime(inMinutes(-3), NOW)).toBe('3 min ago');
  });
});

describe('a VPS whose last look is too long ago', () => {
  const seen = { ...ROW, ...open, ...OLD, reachable: false, lastError: 'no answer' };

  it('says since when, and how it was then', () => {
    expect(whatWeSaw(seen, NOW)).toBe('not checked since 11:56 UTC, unreachable then · no answer');
    expect(vpsSentence(seen, NOW, DONE)).toBe('How it is now is not known: the last look is too long ago.');
  });

  it.each<[string, Partial<FleetRow>]>([
    ['not watched', { active: false }],
    ['never checked', { status: null, lastCheckAt: null, knownUntil: null }],
  ])('says nothing of that where it is %s', (_, row) => {
    expect(whatWeSaw({ ...ROW, ...OLD, ...row }, NOW)).toBe('');
  });
});

describe('the sentence of the fleet', () => {
  it.each<[string, Partial<FleetRow>[]]>([
    ['No VPS is watched yet.', []],
    ['No VPS is watched yet.', [{ active: false }]],
    ['The one VPS is healthy.', [{}]],
    ['All 2 VPSs are healthy.', [{}, {}, { active: false }]],
    ['0 of 1 VPSs is healthy. 1 has not been checked yet.', [{ status: null }]],
    [
      '1 of 5 VPSs are healthy. 2 are unreachable, 1 is unhealthy, 1 is under maintenance; 1 circuit is open.',
      [{}, open, { status: 'down' }, { status: 'down' }, { maintenanceSince: NOW }],
    ],
    [
      '0 of 4 VPSs are healthy. 3 are unreachable, 1 is unhealthy; 4 circuits are open.',
      [{ ...open, reachable: false }, { ...open, reachable: false }, { ...open, reachable: false }, open],
    ],
    ['1 of 2 VPSs are healthy. 1 is under maintenance.', [{}, { ...open, maintenanceSince: NOW }]],
    // Whatever was seen of it: it is too old.
    ['1 of 2 VPSs are healthy. 1 has not been checked lately.', [{}, OLD]],
    [
      '0 of 3 VPSs are healthy. 1 is unreachable, 2 have not been checked lately.',
      [{ status: 'down' }, { ...open, ...OLD }, { ...OLD, status: 'down' }],
    ],
  ])('%s', (sentence, rows) => {
    expect(say(rows)).toBe(sentence);
  });

  it('lists trouble first', () => {
    const rows = [{}, { maintenanceSince: NOW }, { status: 'down' as const }, open, { ...open, reachable: false }];
    const named = rows.map((row, index) => ({ ...ROW, ...row, id: String(index) }));
    expect(byTrouble(named, NOW).map((row) => row.id)).toEqual(['4', '3', '2', '1', '0']);
  });
});

describe('one VPS in words', () => {
  it.each<[Partial<FleetRow>, string, string]>([
    [{}, 'Closed', 'rachel8 is running.'],
    [
      { status: 'unhealthy', consecutiveFailures: 1 },
      'Closed · 1 of 3 failures',
      'SSH works, but rachel8 is not active. 2 more failures open the circuit.',
    ],
    [
      { status: 'down', consecutiveFailures: 2 },
      'Closed · 2 of 3 failures',
      'No check was possible over SSH, so no restart is tried. One more failure opens the circuit.',
    ],
    [
      open,
      'Open · trial in 12 min',
      '4 checks in a row failed. Automatic restarts pause; one trial in 12 min. Checks go on meanwhile.',
    ],
    [
      { ...open, circuitReason: 'crash_loop' },
      'Open · trial in 12 min',
      'rachel8 keeps dying after restarts. Automatic restarts pause; one trial in 12 min. Checks go on meanwhile.',
    ],
    [
      { ...open, circuitState: 'half_open', halfOpenAt: null },
      'Half-open · one trial restart',
      '4 checks in a row failed. One trial restart follows with the next check that finds it stopped.',
    ],
    [
      { ...open, reachable: false, lastErrorCode: 'timeout' },
      'Open · until SSH works',
      'No answer in time. 4 checks in a row failed. No restart is tried while SSH does not work. Checks go on, and the first healthy one closes the circuit.',
    ],
    [
      { ...open, reachable: false, lastErrorCode: 'stalled', circuitState: 'half_open', halfOpenAt: null },
      'Half-open · one trial when SSH works',
      '4 checks in a row failed. No restart is tried while SSH does not work. Checks go on, and the first healthy one closes the circuit.',
    ],
    [
      { ...open, reachable: false, lastErrorCode: 'host_key_changed' },
      'Open · no restart helps',
      'Host key changed. 4 checks in a row failed. A restart could not help. Checks go on, and the first healthy one closes the circuit.',
    ],
    [
      { status: 'unhealthy', consecutiveFailures: 1, lastErrorCode: 'sudo_refused' },
      'Closed · 1 of 3 failures',
      'sudo refused. SSH works, but a restart could not help, so none is tried. 2 more failures open the circuit.',
    ],
    [
      { status: 'down', consecutiveFailures: 1, lastErrorCode: 'auth_rejected', reachable: false },
      'Closed · 1 of 3 failures',
      'Login refused. No check was possible over SSH, so no restart is tried. 2 more failures open the circuit.',
    ],
    [
      { status: 'unhealthy', consecutiveFailures: 1, ...STARTING },
      'Closed · 1 of 3 failures',
      'rachel8 is starting since 40 s, is given until 12:01 UTC: nothing is restarted or counted meanwhile.',
    ],
    [
      { ...open, ...STARTING },
      'Open · trial in 12 min',
      'rachel8 is starting since 40 s, is given until 12:01 UTC: nothing is restarted or counted meanwhile.',
    ],
    [
      { maintenanceSince: NOW },
      'Closed',
      'Under maintenance: looked at in every sweep, but neither restarted nor counted.',
    ],
    [{ active: false, subscriptionStatus: 'past_due' }, 'Closed', 'Not watched: its subscription is past due.'],
    [{ status: null }, 'Closed', 'Not checked yet: the next sweep does.'],
    [{ lastErrorCode: 'key_unreadable' }, 'Closed', 'rachel8 was running when it was last seen.'],
  ])('%o', (row, circuit, sentence) => {
    expect(circuitInWords({ ...ROW, ...row }, NOW, BREAKER)).toBe(circuit);
    expect(vpsSentence({ ...ROW, ...row }, NOW, DONE)).toBe(sentence);
  });

  it.each<[Partial<FleetRow>, Partial<typeof DONE>, string]>([
    [{ status: 'unhealthy' }, { isRestarting: true }, 'rachel8 is not active; a restart is under way.'],
    [open, { isRestarting: true, healing: 'off' }, 'rachel8 is not active; a restart is under way.'],
    [{}, { isRestarting: true }, 'rachel8 is running.'],
    [
      { status: 'unhealthy' },
      { healing: 'off' },
      'SSH works, but rachel8 is not active. Healing is off: nothing is restarted or counted.',
    ],
    [
      open,
      { healing: 'paused' },
      '4 checks in a row failed. Healing is paused: no trial restart is sent. Checks go on, and the first healthy one closes the circuit.',
    ],
  ])('%o and what is done about it: %o', (row, done, sentence) => {
    expect(vpsSentence({ ...ROW, ...row }, NOW, { ...DONE, ...done })).toBe(sentence);
  });

  it('has what to do about an error, the fitting action first', () => {
    expect(adviceFor({ lastErrorCode: null })).toBeNull();
    expect(adviceFor({ lastErrorCode: 'host_key_changed' })).toMatchObject({
      first: 'repin',
      todo: expect.stringContaining('Compare the new fingerprint'),
    });
    expect(adviceFor({ lastErrorCode: 'key_unreadable' })?.first).toBe('edit');
  });

  it('says for how long a start has gone on by now, and how long it may', () => {
    const row = { ...ROW, ...STARTING, lastError: 'starting since 10 s' };
    expect(whatWeSaw(row, NOW)).toBe('starting since 40 s, is given until 12:01 UTC');
    expect(whatWeSaw({ ...row, startingSince: null }, NOW)).toBe('starting since 10 s');
    expect(whatWeSaw({ ...row, status: 'unhealthy', ...OLD }, NOW)).toMatch(/unhealthy then · starting since 10 s$/);
  });

  it('says when a refused login is tried again', () => {
    expect(whatWeSaw({ ...ROW, lastError: 'the host refused the login', authRetryAt: inMinutes(4) }, NOW)).toBe(
      'the host refused the login · next login in 4 min',
    );
    expect(whatWeSaw({ ...ROW, lastError: 'the host refused the login', authRetryAt: inMinutes(-1) }, NOW)).toBe(
      'the host refused the login',
    );
  });
});
