import { describe, expect, it } from 'vitest';
import { notifications, restartAttempts, users } from '../src/lib/db/schema.ts';
import { ledgerOf, letTimePass, openWard, setMaintenance, sweepWhileHeld, type Ward } from './support/scratch-app.ts';

const MINUTE_MS = 60_000;
const COOLDOWN_MS = 30 * MINUTE_MS;

const sweeps = async (ward: Ward, times: number): Promise<void> => {
  for (let round = 0; round < times; round++) await ward.sweep();
};
const trips = ({ lines }: Ward): string[] => lines.filter((line) => line.includes('TRIPPED'));
const openedAt = (ward: Ward): number => ward.state()?.circuitOpenedAt?.getTime() ?? NaN;

/** What is left in the ledger when the app dies right after each of its intents. */
const intendRestarts = ({ app, userId }: Ward, count: number): void => {
  for (let restart = 0; restart < count; restart++)
    app.db.insert(restartAttempts).values({ userId, intendedAt: new Date() }).run();
};

/** A VPS whose service is stopped and does not come back: the circuit is open after three restarts. */
async function openTrippedWard(): Promise<Ward> {
  const ward = await openWard();
  ward.host.set({ state: 'inactive', onRestart: 'fails' });
  await sweeps(ward, 3);
  expect(ward.state()).toMatchObject({ status: 'circuit_open', circuitState: 'open', consecutiveFailures: 3 });
  return ward;
}

describe('three restarts that fail', () => {
  it('open the circuit, which is reported once', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', onRestart: 'fails' });
    for (const consecutiveFailures of [1, 2]) {
      await ward.sweep();
      expect(ward.state()).toMatchObject({
        status: 'unhealthy',
        circuitState: 'closed',
        circuitOpenedAt: null,
        consecutiveFailures,
      });
    }
    const before = Date.now();
    await ward.sweep();
    expect(ward.state()).toMatchObject({
      status: 'circuit_open',
      circuitState: 'open',
      circuitReason: 'failures',
      consecutiveFailures: 3,
      lastErrorCode: 'restart_failed',
      totalChecks: 3,
      totalFailures: 3,
      totalRecoveries: 0,
    });
    expect(openedAt(ward)).toBeGreaterThanOrEqual(before);
    expect(ward.host.count('restart')).toBe(3);
    expect(ledgerOf(ward.app, ward.userId).map((row) => row.outcome)).toEqual(['failed', 'failed', 'failed']);
    await sweeps(ward, 2);
    expect(trips(ward)).toEqual([expect.stringContaining('circuit breaker TRIPPED (3 consecutive failures)')]);
  });

  it('are followed by checks without restarts, which do not renew the cooldown', async () => {
    const ward = await openTrippedWard();
    const opened = openedAt(ward);
    for (let round = 1; round <= 5; round++) {
      letTimePass(ward.app, 5 * MINUTE_MS);
      await ward.sweep();
      expect(openedAt(ward)).toBe(opened - round * 5 * MINUTE_MS);
    }
    expect(ward.host.count('is-active')).toBe(3 + 5);
    expect(ward.host.count('restart')).toBe(3);
    expect(ward.state()).toMatchObject({ status: 'circuit_open', totalChecks: 8, totalFailures: 8 });
  });
});

describe('an open circuit', () => {
  it('is closed at once by a healthy check', async () => {
    const ward = await openTrippedWard();
    ward.host.set({ state: 'active' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({
      status: 'healthy',
      circuitState: 'closed',
      circuitOpenedAt: null,
      circuitReason: null,
      consecutiveFailures: 0,
      totalRecoveries: 1,
    });
  });

  it('survives a restart of the app, cooldown included', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS - MINUTE_MS);
    const opened = openedAt(ward);
    await ward.scratch.reopen();
    await ward.sweep();
    expect(openedAt(ward)).toBe(opened);
    expect(ward.host.count('restart')).toBe(3);
    letTimePass(ward.app, MINUTE_MS);
    await ward.scratch.reopen();
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(4);
  });

  it('has one restart a cooldown for a service that never comes back', async () => {
    const ward = await openTrippedWard();
    const restarts: number[] = [];
    for (let minutes = 10; minutes <= 100; minutes += 10) {
      letTimePass(ward.app, 10 * MINUTE_MS);
      await ward.sweep();
      restarts.push(ward.host.count('restart') - 3);
    }
    expect(restarts).toEqual([0, 0, 1, 1, 1, 2, 2, 2, 3, 3]);
    expect(trips(ward)).toHaveLength(1);
  });
});

describe('a half-open circuit', () => {
  it('has one trial, after reset-failed, and opens anew when that fails', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS);
    const [stale, before, now] = [openedAt(ward), ward.host.commands().length, Date.now()];
    await sweeps(ward, 3);
    const sent = ward.host.commands().slice(before);
    expect(sent.filter((line) => /reset-failed|restart/.test(line))).toEqual([
      'sudo systemctl reset-failed rachel8 2>/dev/null; sudo systemctl restart rachel8',
    ]);
    expect(stale).toBeLessThan(now);
    expect(openedAt(ward)).toBeGreaterThanOrEqual(now);
    expect(ward.state()).toMatchObject({ status: 'circuit_open', circuitState: 'open', consecutiveFailures: 6 });
    expect(trips(ward)).toHaveLength(1);
    expect(ward.lines.filter((line) => line.includes('trial restart failed'))).toHaveLength(1);
  });

  it('has no trial a moment before its cooldown is over', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS - 20_000);
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(3);
  });

  it('closes when the trial works', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS);
    ward.host.set({ onRestart: 'works' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({
      status: 'healthy',
      circuitState: 'closed',
      circuitOpenedAt: null,
      consecutiveFailures: 0,
      totalRecoveries: 1,
    });
    expect(ward.host.count('restart')).toBe(4);
  });

  it('waits with its trial while the host does not answer', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS);
    const opened = openedAt(ward);
    await ward.host.stop();
    await sweeps(ward, 2);
    expect(ward.state()).toMatchObject({ status: 'circuit_open', lastErrorCode: 'refused', consecutiveFailures: 5 });
    expect(openedAt(ward)).toBe(opened);
    await ward.host.start();
    ward.host.set({ onRestart: 'works' });
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(4);
    expect(ward.state()).toMatchObject({ status: 'healthy', circuitState: 'closed' });
  });

  it('keeps its trial when the host goes away before the restart can be sent', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS);
    const opened = openedAt(ward);
    await sweepWhileHeld(ward, 'show', async () => {
      await ward.host.stop();
      ward.host.breakConnections();
    });
    expect(ward.state()).toMatchObject({ status: 'circuit_open', lastErrorCode: 'refused' });
    expect(openedAt(ward)).toBe(opened);
    expect(ledgerOf(ward.app, ward.userId).at(-1)?.outcome).toBe('not_sent');
    await ward.host.start();
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(4);
    expect(openedAt(ward)).toBeGreaterThan(opened);
  });

  it('keeps its trial through maintenance', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS);
    const opened = openedAt(ward);
    await setMaintenance(ward.app, ward, true);
    await sweeps(ward, 2);
    expect(openedAt(ward)).toBe(opened);
    await setMaintenance(ward.app, ward, false);
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(4);
  });

  it('does not send its trial twice when the app died between intent and result', async () => {
    const ward = await openTrippedWard();
    letTimePass(ward.app, COOLDOWN_MS + MINUTE_MS);
    intendRestarts(ward, 1);
    await ward.scratch.reopen();
    const now = Date.now();
    await sweeps(ward, 2);
    expect(ward.host.count('restart')).toBe(3);
    expect(openedAt(ward)).toBeGreaterThanOrEqual(now);
    expect(trips(ward)).toHaveLength(1);
    letTimePass(ward.app, COOLDOWN_MS);
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(4);
  });
});

describe('a host that does not answer three times', () => {
  it('opens the circuit, with an error that says so, and never gets a restart', async () => {
    const ward = await openWard();
    await ward.host.stop();
    await sweeps(ward, 2);
    expect(ward.state()).toMatchObject({ status: 'down', circuitState: 'closed', consecutiveFailures: 2 });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'circuit_open', lastErrorCode: 'refused' });
    expect(ward.state()?.lastError).toContain('refused the connection');
    expect(trips(ward)).toHaveLength(1);
    await ward.host.start();
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', totalRecoveries: 1, totalFailures: 3 });
    expect(ward.host.count('restart')).toBe(0);
  });
});

describe('a crash loop', () => {
  const crashFiveTimes = async (): Promise<Ward> => {
    const ward = await openWard();
    for (let round = 1; round <= 5; round++) {
      ward.host.set({ state: 'failed' });
      await ward.sweep();
      expect(ward.state()).toMatchObject({ status: 'healthy', totalRecoveries: round });
    }
    ward.host.set({ state: 'failed' });
    return ward;
  };

  it('opens the circuit instead of a sixth restart', async () => {
    const ward = await crashFiveTimes();
    await sweeps(ward, 3);
    expect(ward.state()).toMatchObject({
      status: 'circuit_open',
      circuitState: 'open',
      circuitReason: 'crash_loop',
      totalFailures: 8,
    });
    expect(ward.host.count('restart')).toBe(5);
    expect(trips(ward)).toEqual([expect.stringContaining('crash loop')]);
  });

  it('has its trial after the cooldown', async () => {
    const ward = await crashFiveTimes();
    await ward.sweep();
    letTimePass(ward.app, COOLDOWN_MS);
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(6);
    expect(ward.state()).toMatchObject({ status: 'healthy', circuitReason: null });
  });

  it('is one, too, when the app died after each intent', async () => {
    const ward = await openWard();
    intendRestarts(ward, 5);
    ward.host.set({ state: 'failed' });
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(0);
    expect(ward.state()).toMatchObject({ status: 'circuit_open', circuitReason: 'crash_loop' });
  });

  it('is none when the five restarts were half an hour ago', async () => {
    const ward = await openWard();
    intendRestarts(ward, 5);
    letTimePass(ward.app, 30 * MINUTE_MS);
    ward.host.set({ state: 'failed' });
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(1);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
  });
});

describe('a restart', () => {
  it('has failed when the service dies at once, whatever systemctl said', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', onRestart: 'dies', result: 'exit-code' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'restart_failed', totalRecoveries: 0 });
    expect(ward.state()?.lastError).toContain('failed (exit-code)');
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'failed' }]);
  });

  it.each([
    ['refuses it', { onRestart: 'start-limit' }],
    ['refuses it, and gives the reason of the crash before', { onRestart: 'start-limit-after-crash' }],
    ['stops it afterwards', { onRestart: 'dies', result: 'start-limit-hit' }],
  ] as const)('names the start limit of systemd where that %s, and does not lift it', async (_, unit) => {
    const ward = await openWard();
    ward.host.set({ state: 'failed', ...unit });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'start_limit' });
    expect(ward.host.count('reset-failed')).toBe(0);
  });

  it.each([
    ['unit-missing', 'unit_missing'],
    ['unit-masked', 'unit_masked'],
  ] as const)('is a fault of the configuration where systemd refuses it: %s', async (onRestart, cause) => {
    const ward = await openWard();
    const { db } = ward.app;
    db.insert(users).values({ id: 'user-admin', email: 'admin@example.test', role: 'admin' }).run();
    ward.host.set({ state: 'inactive', onRestart });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'unhealthy', lastErrorCode: cause });
    expect(db.select().from(notifications).all()).toMatchObject([{ audience: 'admin', kind: 'configuration_fault' }]);
  });

  it('that has started something and failed, in the same words, is no matter of the start limit', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'failed', onRestart: 'fails' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'restart_failed' });
  });

  it.each(['start-limit', 'start-limit-after-crash'] as const)(
    'is freed of the %s once it is a trial',
    async (limit) => {
      const ward = await openWard();
      ward.host.set({ state: 'failed', onRestart: limit });
      await sweeps(ward, 3);
      letTimePass(ward.app, COOLDOWN_MS);
      await ward.sweep();
      expect(ward.state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    },
  );

  it('that sudo refuses has failed, with that error', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    ward.host.refuseSudo('restart', 'sudo: a password is required');
    await ward.sweep();
    expect(ward.state()).toMatchObject({
      status: 'unhealthy',
      lastErrorCode: 'restart_refused',
      consecutiveFailures: 1,
    });
  });

  it('that breaks the connection is sent once, and judged by a second look over a fresh one', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', onRestart: 'breaks-connection' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    expect(ward.host.count('restart')).toBe(1);
    expect(ward.host.dials()).toBe(2);
  });

  it('that takes the host down has an unknown outcome, and counts as a restart and as a failure', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', onRestart: 'takes-host-down' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'down', lastErrorCode: 'refused', consecutiveFailures: 1 });
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'unknown' }]);
  });

  it('that takes too long has one sweep of grace where nobody knows how long the start may take, and then counts', async () => {
    const ward = await openWard({ environment: { RESTART_TIMEOUT_MS: '500' } });
    ward.host.set({ state: 'inactive', onRestart: 'starts-slowly' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ totalChecks: 1, totalFailures: 1, consecutiveFailures: 0 });
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: null }]);
    await ward.sweep();
    expect(ward.state()).toMatchObject({ totalChecks: 2, totalFailures: 2, consecutiveFailures: 1 });
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'failed' }, { outcome: null }]);
  });

  it('stands in the ledger, without an outcome, before the command arrives', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    const look = async (): Promise<void> => {
      expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: null, finishedAt: null }]);
      expect(ward.state()?.lastRestartAttemptAt).toBeInstanceOf(Date);
    };
    await sweepWhileHeld(ward, 'restart', look);
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'succeeded', finishedAt: expect.any(Date) }]);
  });

  it('that cannot be written down is not sent', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    ward.app.db.$client.exec(
      "CREATE TRIGGER full BEFORE INSERT ON restart_attempts BEGIN SELECT raise(ABORT, 'the disk is full'); END",
    );
    expect(await ward.sweep()).toMatchObject({
      checked: 0,
      unchecked: 1,
      fault: expect.stringContaining('disk is full'),
    });
    expect(ward.host.count('restart')).toBe(0);
  });
});
