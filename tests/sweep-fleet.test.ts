import { eq } from 'drizzle-orm';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { write } from '../src/lib/db/client.ts';
import { LEASE_MS, releaseLease, takeLease } from '../src/lib/db/lease.ts';
import { healthChecks, incidents, leases, notifications, subscriptions } from '../src/lib/db/schema.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { removeVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { listActive } from '../src/lib/monitoring/fleet.ts';
import { runHealthSweep } from '../src/lib/monitoring/sweep.ts';
import type { SweepProgress } from '../src/lib/monitoring/sweep.ts';
import {
  addTestVps,
  createSilentLog,
  ledgerOf,
  openWard,
  setMaintenance,
  startTestHost,
  stateOf,
  sweepWhileHeld,
  until,
  whileHeld,
  type Ward,
} from './support/scratch-app.ts';
import type { SshHost } from './support/sshd.ts';

describe('what happens while a sweep looks', () => {
  it('leaves no row for a VPS that is removed meanwhile', async () => {
    const ward = await openWard();
    const { app, id, host, state } = ward;
    host.set({ state: 'inactive' });
    await sweepWhileHeld(ward, 'is-active', () => removeVps(app, LOCAL_OPERATOR, id));
    expect(state()).toBeUndefined();
    expect(host.count('restart')).toBe(0);
  });

  it('leaves no row for a VPS that is removed while it restarts', async () => {
    const ward = await openWard();
    const { app, id, userId, host, state } = ward;
    host.set({ state: 'inactive' });
    await sweepWhileHeld(ward, 'restart', () => removeVps(app, LOCAL_OPERATOR, id));
    expect(state()).toBeUndefined();
    expect(ledgerOf(app, userId)).toEqual([]);
  });

  it('under maintenance heals nothing and counts no failure', async () => {
    const { app, id, userId, host, sweep, state } = await openWard();
    await setMaintenance(app, { id }, true);
    host.set({ state: 'inactive' });
    for (let round = 0; round < 4; round++) await sweep();
    await host.stop();
    await sweep();
    expect(state()).toMatchObject({ totalChecks: 5, totalFailures: 0, consecutiveFailures: 0, circuitState: 'closed' });
    expect(host.count('restart')).toBe(0);
    expect(ledgerOf(app, userId)).toEqual([]);
  });

  it('heals nothing when maintenance begins between the look and the restart', async () => {
    const ward = await openWard();
    const { app, id, userId, host, state } = ward;
    host.set({ state: 'inactive' });
    await sweepWhileHeld(ward, 'show', () => setMaintenance(app, { id }, true));
    expect(host.count('restart')).toBe(0);
    expect(state()).toMatchObject({ totalFailures: 0, consecutiveFailures: 0, lastRestartAttemptAt: null });
    expect(ledgerOf(app, userId)).toEqual([]);
  });

  it('counts no failure when maintenance begins during a look that leads to no restart', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', load: 'masked' });
    await sweepWhileHeld(ward, 'is-active', () => setMaintenance(ward.app, ward, true));
    expect(ward.state()).toMatchObject({ totalChecks: 1, totalFailures: 0, lastErrorCode: 'unit_masked' });
  });

  it('heals again when maintenance has ended', async () => {
    const { app, id, host, sweep, state } = await openWard();
    host.set({ state: 'inactive' });
    await setMaintenance(app, { id }, true);
    await sweep();
    await setMaintenance(app, { id }, false);
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    expect(host.count('restart')).toBe(1);
  });
});

const untilReadsJournal = (host: SshHost): Promise<void> =>
  until(() => host.commands().filter((command) => command.includes('journalctl')).length, 1);

describe('a look that has grown old', () => {
  /** One whole sweep, with something that happens after the look and before the restart. */
  const sweepBetween = async (ward: Ward, meanwhile: () => void): Promise<void> => {
    const release = ward.host.hold('journal');
    const sweeping = ward.sweep();
    await untilReadsJournal(ward.host);
    meanwhile();
    release();
    await sweeping;
  };

  /** As after a laptop's lid, or SIGSTOP: the clock of the wall has gone on, and nothing here has. */
  const standStill = (ms: number): void => {
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + ms });
    onTestFinished(() => {
      vi.useRealTimers();
    });
  };

  it('restarts nothing that a person has started since: the VPS is looked at again', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await sweepBetween(ward, () => {
      ward.host.set({ state: 'active' });
      standStill(100_000);
    });
    expect(ward.host.count('restart')).toBe(0);
    expect(ward.host.count('is-active')).toBe(2);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalChecks: 1, totalFailures: 0 });
    expect(ledgerOf(ward.app, ward.userId)).toEqual([]);
    expect(ward.app.db.select().from(incidents).all()).toEqual([]);
  });

  it('is taken for none where this process stood still while it waited for the answer', async () => {
    const ward = await openWard();
    await sweepWhileHeld(ward, 'is-active', () => {
      standStill(100_000);
      return Promise.resolve();
    });
    expect(ward.host.count('is-active')).toBe(2);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalChecks: 1 });
  });

  it('still leads to a restart when the second look finds the same', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await sweepBetween(ward, () => {
      standStill(100_000);
    });
    expect(ward.host.count('restart')).toBe(1);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalChecks: 1, totalRecoveries: 1 });
  });
});

describe('a sweep whose lease another process has taken meanwhile', () => {
  it.each(['and holds', 'and has given back'])('%s writes nothing and restarts nothing', async (what) => {
    const { app, host, log, state, userId } = await openWard();
    host.set({ state: 'inactive' });
    const release = host.hold('journal');
    const sweeping = runHealthSweep(app, { log });
    await untilReadsJournal(host);
    const other = await takeLease(app.db, 'sweep', 'other', new Date(Date.now() + 2 * LEASE_MS));
    if ('takenBy' in other) throw new Error('the lease has not run out');
    if (what === 'and has given back') await releaseLease(app.db, other);
    release();
    expect((await sweeping).kind).toBe('interrupted');
    expect(host.count('restart')).toBe(0);
    expect(state()).toBeUndefined();
    expect(ledgerOf(app, userId)).toEqual([]);
  });

  it('writes nothing of looks that lead to no restart, and leaves what is known of a restart to the next one', async () => {
    const ward = await openWard();
    const { app, host, log, state, userId } = ward;
    const takeOver = () => takeLease(app.db, 'sweep', 'other', new Date(Date.now() + 2 * LEASE_MS));
    const interruptedWhile = async (verb: 'is-active' | 'restart'): Promise<void> => {
      const sweeping = runHealthSweep(app, { log });
      await whileHeld(host, verb, async () => {
        const other = await takeOver();
        if ('takenBy' in other) throw new Error('the lease has not run out');
        await releaseLease(app.db, other);
      });
      expect((await sweeping).kind).toBe('interrupted');
    };
    await interruptedWhile('is-active');
    expect(state()).toBeUndefined();
    host.set({ state: 'inactive' });
    await interruptedWhile('restart');
    expect(state()).toMatchObject({ status: 'unhealthy', totalRecoveries: 0 });
    expect(ledgerOf(app, userId)).toMatchObject([{ outcome: null }]);
    await ward.sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    expect(ledgerOf(app, userId)).toMatchObject([{ outcome: 'succeeded' }]);
  });
});

describe('a fleet', () => {
  const openFleet = async (size: number, environment = {}) => {
    const first = await openWard({ environment });
    const hosts = [first.host];
    const userIds = [first.userId];
    while (hosts.length < size) {
      const host = await startTestHost();
      hosts.push(host);
      userIds.push((await addTestVps(first.app, host)).userId);
    }
    return { ...first, app: first.app, hosts, userIds };
  };

  it('of seven is looked at in batches of five, each of which ends by itself', async () => {
    const { app, hosts, userIds } = await openFleet(7);
    const releases = hosts.map((host) => host.hold('is-active'));
    const progress: SweepProgress[] = [];
    const log = createSilentLog();
    const sweeping = runHealthSweep(app, { log, onProgress: (now) => progress.push(now) });
    const written = () => userIds.map((userId) => stateOf(app, userId)?.totalChecks ?? 0);
    // The second batch does not wait for the first one.
    await until(() => hosts.filter((host) => host.commands().length > 0).length, 7);
    releases.slice(0, 4).forEach((release) => release());
    await until(() => hosts.slice(0, 4).filter((host) => host.ended() === 1).length, 4);
    releases.slice(5).forEach((release) => release());
    await until(() => progress.length, 2);
    // Of the first one, nothing is written before its last member has answered.
    expect(written()).toEqual([0, 0, 0, 0, 0, 1, 1]);
    releases[4]?.();
    expect(await sweeping).toMatchObject({ kind: 'completed', summary: { checked: 7, healthy: 7 } });
    expect(written()).toEqual([1, 1, 1, 1, 1, 1, 1]);
    expect(progress.map(({ done, total }) => `${done}/${total}`)).toEqual(['0/7', '2/7', '7/7']);
  });

  it('too large for its interval and its connections is looked at in part; the next sweep begins with the rest', async () => {
    const environment = { HEALTH_CHECK_CRON: '*/2 * * * * *', HEALTH_CHECK_BATCH_SIZE: '1', SWEEP_MAX_SOCKETS: '5' };
    const { app, hosts, userIds, log, lines } = await openFleet(7, environment);
    const releases = hosts.slice(0, 5).map((host) => host.hold('is-active'));
    const sweeping = runHealthSweep(app, { log });
    await expect.poll(() => lines.join('\n')).toContain('2 of 7 VPSs were not looked at within 2 s');
    releases.forEach((release) => release());
    expect(await sweeping).toMatchObject({
      kind: 'completed',
      summary: { checked: 5, healthy: 5, unchecked: 2, fault: expect.stringContaining('SWEEP_MAX_SOCKETS') },
    });
    expect(userIds.map((userId) => stateOf(app, userId)?.totalChecks)).toEqual([1, 1, 1, 1, 1, undefined, undefined]);
    const due = listActive(app.db, app.settings).map(({ subscription }) => subscription.userId);
    expect(due.slice(0, 2)).toEqual(userIds.slice(5));
    expect(await runHealthSweep(app, { log })).toMatchObject({ kind: 'completed', summary: { checked: 7 } });
  });

  it('is asked once more where a VPS that was reachable falls silent, on a fresh connection, before that counts', async () => {
    const { app, hosts, userIds, sweep } = await openFleet(2, { SSH_COMMAND_TIMEOUT_MS: '1000' });
    await sweep();
    const release = hosts[0]?.hold('is-active');
    const sweeping = sweep();
    // The first look at it has run out of time by then.
    await until(() => hosts[0]?.dials() ?? 0, 3);
    release?.();
    expect(await sweeping).toMatchObject({ checked: 2, healthy: 2, unhealthy: 0 });
    expect(hosts.map((host) => host.dials())).toEqual([3, 2]);
    expect(stateOf(app, userIds[0] ?? '')).toMatchObject({ status: 'healthy', totalChecks: 2, totalFailures: 0 });
  });

  it('counts a silence once, and asks no second time where it lasts', async () => {
    const { app, hosts, userIds, sweep } = await openFleet(2, { SSH_COMMAND_TIMEOUT_MS: '500' });
    await sweep();
    hosts[0]?.hold('is-active');
    expect(await sweep()).toMatchObject({ checked: 2, healthy: 1, unhealthy: 1 });
    expect(hosts[0]?.dials()).toBe(3);
    const first = { status: 'down', totalChecks: 2, totalFailures: 1, consecutiveFailures: 1 };
    expect(stateOf(app, userIds[0] ?? '')).toMatchObject(first);
    await sweep();
    expect(hosts[0]?.dials()).toBe(4);
    expect(stateOf(app, userIds[0] ?? '')).toMatchObject({
      ...first,
      totalChecks: 3,
      totalFailures: 2,
      consecutiveFailures: 2,
    });
  });

  it('is looked at to its end while a restart of the first batch goes on, longest not looked at first', async () => {
    const { app, hosts, userIds, sweep } = await openFleet(7);
    await sweep();
    const due = () => listActive(app.db, app.settings).map(({ subscription }) => subscription.userId);
    expect(due().toSorted()).toEqual(userIds.toSorted());
    hosts[0]?.set({ state: 'inactive' });
    const release = hosts[0]?.hold('restart');
    const sweeping = sweep();
    await until(() => hosts.filter((host) => host.count('is-active') >= 2).length, 7);
    await until(() => hosts[0]?.count('restart') ?? 0, 1);
    // The looks stand there; the one that led to the restart too, together with its intent.
    await until(() => userIds.filter((userId) => stateOf(app, userId)?.totalChecks === 2).length, 7);
    release?.();
    expect(await sweeping).toMatchObject({ checked: 7, restarted: 1 });
    app.db
      .update(healthChecks)
      .set({ lastCheckAt: new Date(0) })
      .where(eq(healthChecks.userId, userIds[6] ?? ''))
      .run();
    expect(due()[0]).toBe(userIds[6]);
  });

  it('of which one hangs and one makes us stumble has a result for all the others', async () => {
    const { app, hosts, userIds, sweep } = await openFleet(4, { SSH_COMMAND_TIMEOUT_MS: '3000' });
    const release = hosts[0]?.hold('is-active');
    // No string at all: a bug, as far as the sweep can tell.
    app.db.$client.prepare("UPDATE subscriptions SET ssh_private_key = x'00' WHERE user_id = ?").run(userIds[1]);
    hosts[2]?.set({ state: 'inactive' });
    expect(await sweep()).toMatchObject({
      checked: 3,
      healthy: 2,
      unhealthy: 1,
      restarted: 1,
      unchecked: 1,
      fault: expect.stringContaining(`${userIds[1]} could not be checked`),
    });
    release?.();
    expect(userIds.map((userId) => stateOf(app, userId)?.status)).toEqual(['down', undefined, 'healthy', 'healthy']);
    expect(stateOf(app, userIds[0] ?? '')).toMatchObject({ lastErrorCode: 'timeout', consecutiveFailures: 1 });
  });

  it.each([
    ['past due', { status: 'past_due' }],
    ['not provisioned', { vpsProvisioned: false }],
    ['not ready', { provisioningStatus: 'provisioning' }],
  ] as const)('leaves out a VPS that is %s', async (_, columns) => {
    const { app, id, host, sweep, state } = await openWard();
    app.db.update(subscriptions).set(columns).where(eq(subscriptions.id, id)).run();
    expect(await sweep()).toMatchObject({ checked: 0 });
    expect(host.dials()).toBe(0);
    expect(state()).toBeUndefined();
  });
});

describe('a second sweep at the same time', () => {
  it('finds the first one busy', async () => {
    const ward = await openWard();
    await sweepWhileHeld(ward, 'is-active', async () =>
      expect(await runHealthSweep(ward.app)).toEqual({ kind: 'busy', pid: process.pid }),
    );
    expect(ward.host.dials()).toBe(1);
    await ward.sweep();
    expect(ward.host.dials()).toBe(2);
  });

  it('of another process finds this one busy, until its lease has run out', async () => {
    const { app, host, log, sweep } = await openWard();
    const expiresIn = (ms: number): Promise<unknown> => {
      const lease = { holder: 'other', machine: 'elsewhere', pid: 4321, acquiredAt: new Date() };
      const expiresAt = new Date(Date.now() + ms);
      return write(app.db, (tx) =>
        tx
          .insert(leases)
          .values({ name: 'sweep', ...lease, expiresAt })
          .onConflictDoUpdate({ target: leases.name, set: { expiresAt } })
          .run(),
      );
    };
    await expiresIn(20_000);
    expect(await runHealthSweep(app, { log })).toEqual({ kind: 'busy', pid: 4321 });
    expect(host.dials()).toBe(0);
    await expiresIn(-1);
    await sweep();
    expect(host.dials()).toBe(1);
  });

  it('is not kept out by one that could not open its database', async () => {
    const { app } = await openWard();
    vi.stubEnv('DATABASE_URL', 'postgres://elsewhere');
    onTestFinished(() => void vi.unstubAllEnvs());
    // A module of its own: what is wrong here would be wrong for the tests after it.
    vi.resetModules();
    const { runHealthSweep } = await import('../src/lib/monitoring/health-checker.ts');
    await expect(runHealthSweep()).rejects.toThrow('DATABASE_URL');
    expect(await runHealthSweep(app, { log: createSilentLog() })).toMatchObject({ kind: 'completed' });
  });
});

describe('a sweep that is stopped', () => {
  it('gives up its looks and writes nothing down of them', async () => {
    const { app, host, log, state } = await openWard();
    const stop = new AbortController();
    const sweeping = runHealthSweep(app, { log, stop: { probes: stop.signal, restarts: stop.signal } });
    await whileHeld(host, 'is-active', async () => {
      stop.abort();
      expect((await sweeping).kind).toBe('interrupted');
    });
    expect(state()).toBeUndefined();
    expect(app.db.select().from(leases).get()).toMatchObject({ holder: '' });
  });

  it('begins no restart after its look', async () => {
    const { app, userId, host, log, state } = await openWard();
    host.set({ state: 'inactive' });
    const [probes, restarts] = [new AbortController(), new AbortController()];
    const release = host.hold('journal');
    const sweeping = runHealthSweep(app, { log, stop: { probes: probes.signal, restarts: restarts.signal } });
    await untilReadsJournal(host);
    probes.abort();
    release();
    expect((await sweeping).kind).toBe('interrupted');
    expect(host.count('restart')).toBe(0);
    expect(state()).toBeUndefined();
    expect(ledgerOf(app, userId)).toEqual([]);
  });

  it('lets a restart under way end, and records it', async () => {
    const { app, userId, host, log, state } = await openWard();
    host.set({ state: 'inactive' });
    const [probes, restarts] = [new AbortController(), new AbortController()];
    const sweeping = runHealthSweep(app, { log, stop: { probes: probes.signal, restarts: restarts.signal } });
    await whileHeld(host, 'restart', async () => probes.abort());
    expect((await sweeping).kind).toBe('interrupted');
    expect(state()).toMatchObject({ status: 'healthy', totalChecks: 1, totalRecoveries: 1 });
    expect(ledgerOf(app, userId)).toMatchObject([{ outcome: 'succeeded' }]);
  });

  it('leaves a restart that did not end in time to the next look, which counts it as ours', async () => {
    const ward = await openWard();
    const { app, userId, host, log, state } = ward;
    host.set({ state: 'inactive' });
    const stop = new AbortController();
    const sweeping = runHealthSweep(app, { log, stop: { probes: stop.signal, restarts: stop.signal } });
    await whileHeld(host, 'restart', async () => {
      stop.abort();
      await sweeping;
    });
    // The failed look stands there together with the intent.
    expect(state()).toMatchObject({
      status: 'unhealthy',
      totalChecks: 1,
      totalFailures: 1,
      consecutiveFailures: 0,
      lastFailureAt: expect.any(Date),
      lastRestartAttemptAt: expect.any(Date),
    });
    expect(ledgerOf(app, userId)).toMatchObject([{ outcome: null }]);
    host.set({ state: 'active' });
    await ward.sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalChecks: 2, totalRecoveries: 1 });
    expect(ledgerOf(app, userId)).toMatchObject([{ outcome: 'succeeded' }]);
    expect(app.db.select().from(incidents).all()).toMatchObject([{ endedBy: 'restart', failedChecks: 1 }]);
    expect(app.db.select().from(notifications).all()).toMatchObject([{ kind: 'recovered' }]);
  });
});
