import { eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { healthChecks, subscriptions, type Subscription } from '../src/lib/db/schema.ts';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { repinHostKey } from '../src/lib/fleet-admin/fleet-admin.ts';
import { fingerprint } from '../src/lib/provisioning/host-key.ts';
import { addTestVps, ledgerOf, letTimePass, openWard, startTestHost, stateOf, until } from './support/scratch-app.ts';

const MINUTE_MS = 60_000;

const subscriptionOf = (app: App, id: string): Subscription | undefined =>
  app.db.select().from(subscriptions).where(eq(subscriptions.id, id)).get();
const change = (app: App, id: string, columns: Partial<Subscription>): unknown =>
  app.db.update(subscriptions).set(columns).where(eq(subscriptions.id, id)).run();

describe('the verdict', () => {
  it('is healthy for an active service, found with one command', async () => {
    const { host, sweep, state } = await openWard();
    expect(await sweep()).toMatchObject({ checked: 1, healthy: 1, unhealthy: 0, unchecked: 0, fault: null });
    expect(state()).toMatchObject({ status: 'healthy', totalChecks: 1, totalFailures: 0, lastError: null });
    expect(state()?.lastHealthyAt).toEqual(state()?.lastCheckAt);
    expect(host.commands()).toEqual(['sudo systemctl is-active rachel8']);
  });

  it.each(['reloading', 'refreshing'])('is healthy for a service that is %s, with exit code 0', async (word) => {
    const { host, sweep, state } = await openWard();
    host.set({ state: word });
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalFailures: 0 });
    expect(host.count('restart')).toBe(0);
  });

  it('of a stopped service leads to one restart, after which it is healthy and recovered', async () => {
    const { app, userId, host, sweep, state, lines } = await openWard();
    host.set({ state: 'inactive' });
    expect(await sweep()).toMatchObject({ checked: 1, healthy: 1, restarted: 1 });
    expect(state()).toMatchObject({
      status: 'healthy',
      circuitState: 'closed',
      consecutiveFailures: 0,
      lastError: null,
      totalChecks: 1,
      totalFailures: 1,
      totalRecoveries: 1,
    });
    expect(host.count('restart')).toBe(1);
    expect(host.count('reset-failed')).toBe(0);
    expect(ledgerOf(app, userId)).toMatchObject([{ outcome: 'succeeded', detail: null }]);
    expect(lines.filter((line) => line.includes('recovered'))).toHaveLength(1);
  });

  it('and all of the healing need one connection', async () => {
    const { host, sweep } = await openWard();
    host.set({ state: 'failed', result: 'exit-code' });
    await sweep();
    expect(host.commands().map((line) => line.replace(/^.*?(is-active|show|journalctl|restart) .*$/, '$1'))).toEqual([
      'is-active',
      'show',
      'journalctl',
      'restart',
      'is-active',
    ]);
    expect(host.dials()).toBe(1);
    await until(host.ended, 1);
  });

  it.each([
    ['not installed', { state: 'inactive', load: 'not-found' }, 'unit_missing'],
    ['masked', { state: 'inactive', load: 'masked' }, 'unit_masked'],
    ['broken', { state: 'inactive', load: 'bad-setting' }, 'unit_broken'],
  ])('of a service that is %s has its own error and leads to no restart', async (_, unit, code) => {
    const { host, sweep, state } = await openWard();
    host.set(unit);
    for (const consecutiveFailures of [1, 2]) {
      await sweep();
      expect(state()).toMatchObject({ status: 'unhealthy', lastErrorCode: code, consecutiveFailures });
    }
    await sweep();
    expect(state()).toMatchObject({ status: 'circuit_open', lastErrorCode: code });
    expect(host.count('restart')).toBe(0);
  });

  it.each([
    'sudo: a password is required',
    'sudo: a terminal is required to read the password',
    'sudo: not found',
    'sudo: interactive authentication is required',
    "Désolé, l'utilisateur test n'est pas autorisé à exécuter « /usr/bin/systemctl is-active rachel8 » en tant que root.",
  ])('of a host that says "%s" is no verdict on the service, and leads to no restart', async (saying) => {
    const { host, sweep, state } = await openWard();
    host.set({ state: 'inactive' });
    host.refuseSudo('*', saying);
    await sweep();
    expect(state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'sudo_refused', consecutiveFailures: 1 });
    expect(host.count('restart')).toBe(0);
  });

  it.each([
    ['systemd cannot be asked', 'Failed to connect to bus: No such file or directory', 'systemd could not be asked'],
    ['systemd is not there', 'sudo: systemctl: command not found', 'exit code 1'],
  ])('of a host on which %s is none either: SSH works', async (_, saying, error) => {
    const { host, sweep, state } = await openWard();
    host.refuseSudo('*', saying);
    await sweep();
    expect(state()).toMatchObject({
      status: 'unhealthy',
      reachable: true,
      lastErrorCode: 'odd_answer',
      lastError: expect.stringContaining(error),
    });
    expect(host.count('restart')).toBe(0);
  });

  it('of a login that prints a message of the day first is none, and says what to mend', async () => {
    const { host, sweep, state } = await openWard();
    host.greet('Welcome to Ubuntu 24.04 LTS');
    await sweep();
    expect(state()).toMatchObject({ status: 'unhealthy', reachable: true, lastErrorCode: 'odd_answer' });
    expect(state()?.lastError).toBe(
      'the login prints text before every answer (Welcome to Ubuntu 24.04 LTS active): let its start files print for terminals only',
    );
    expect(host.count('restart')).toBe(0);
  });

  it('of a word that systemctl does not know leads to no restart, and its control characters go nowhere', async () => {
    const { host, sweep, state, lines } = await openWard();
    host.set({ state: '\u001b[31mstopped\u0007\u202e' });
    await sweep();
    expect(state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'odd_answer' });
    expect(state()?.lastError).toContain('stopped');
    expect(`${state()?.lastError}${lines.join('')}`).not.toMatch(/[\p{Cc}\u202e]/u);
    expect(host.count('restart')).toBe(0);
  });

  it('is about the unit of the subscription, also when another one is active', async () => {
    const { host, sweep, state } = await openWard({ service: 'shop@1.service' });
    host.set({ state: 'inactive', load: 'loaded' }, 'shop@1.service');
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    expect(host.stateOf('shop@1.service')).toBe('active');
    expect(host.commands().filter((line) => !/[ =]shop@1\.service/.test(line))).toEqual([]);
    expect(host.count('restart', 'shop@1.service')).toBe(1);
  });

  it('is about a unit named as systemd-escape names it, whose backslash arrives', async () => {
    const unit = String.raw`app@foo\x2dbar.service`;
    const { host, sweep, state } = await openWard({ service: unit });
    host.set({ state: 'inactive', load: 'loaded' }, unit);
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    expect(host.stateOf(unit)).toBe('active');
    expect(host.count('restart', `'${unit}'`)).toBe(1);
  });

  it('is none for a stored name that is no unit, which reaches no host', async () => {
    const { app, id, host, sweep, state } = await openWard();
    change(app, id, { serviceName: 'x; touch owned' });
    await sweep();
    expect(state()).toMatchObject({ totalChecks: 0, lastErrorCode: 'target_invalid' });
    expect(host.dials()).toBe(0);
  });

  it('is about MONITORED_SERVICE where the subscription names no unit', async () => {
    const { host, sweep } = await openWard({ environment: { MONITORED_SERVICE: 'website' } });
    host.set({ state: 'active', load: 'loaded' }, 'website');
    await sweep();
    expect(host.commands()).toEqual(['sudo systemctl is-active website']);
  });
});

describe('a unit between two states', () => {
  it.each(['activating', 'deactivating'])('has one sweep of grace while %s, and then counts', async (word) => {
    const { host, sweep, state } = await openWard();
    host.set({ state: word });
    await sweep();
    expect(state()).toMatchObject({ totalChecks: 1, totalFailures: 0, consecutiveFailures: 0 });
    expect(host.count('restart')).toBe(0);
    await sweep();
    expect(state()).toMatchObject({ totalChecks: 2, totalFailures: 1, totalRecoveries: 1, status: 'healthy' });
    expect(host.count('restart')).toBe(1);
  });

  it('has no second grace while it stays there', async () => {
    const { host, sweep, state } = await openWard();
    host.set({ state: 'activating', sub: 'auto-restart', onRestart: 'idles' });
    const failures: (number | undefined)[] = [];
    for (let round = 0; round < 4; round++) {
      await sweep();
      failures.push(state()?.consecutiveFailures);
    }
    expect(failures).toEqual([0, 1, 2, 3]);
    expect(state()?.status).toBe('circuit_open');
  });

  it('has its grace again after it has been up', async () => {
    const { host, sweep, state } = await openWard();
    for (const word of ['activating', 'active', 'activating']) {
      host.set({ state: word });
      await sweep();
    }
    expect(state()).toMatchObject({ totalChecks: 3, totalFailures: 0 });
    expect(host.count('restart')).toBe(0);
  });
});

describe('a host that does not answer', () => {
  it('is down, gets no restart, and is healthy as soon as it answers', async () => {
    const { app, userId, host, sweep, state } = await openWard();
    await host.stop();
    expect(await sweep()).toMatchObject({ checked: 1, healthy: 0, unhealthy: 1 });
    expect(state()).toMatchObject({ status: 'down', lastErrorCode: 'refused', consecutiveFailures: 1 });
    await host.start();
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', consecutiveFailures: 0, totalFailures: 1, totalRecoveries: 1 });
    expect(host.count('restart')).toBe(0);
    expect(ledgerOf(app, userId)).toEqual([]);
  });

  it('is asked at every sweep: only refused logins are waited for', async () => {
    const { host, sweep, state } = await openWard();
    await host.stop();
    for (let round = 1; round <= 5; round++) {
      expect(await sweep()).toMatchObject({ checked: 1, waiting: 0 });
      expect(state()).toMatchObject({ totalChecks: round, authRetryAt: null });
    }
  });
});

describe('the host key', () => {
  it('is pinned by the first sweep, and a changed one gets no command and no new pin', async () => {
    const { app, id, host, sweep, state } = await openWard();
    await sweep();
    const pinned = host.shownHostKey();
    expect(subscriptionOf(app, id)?.sshHostKey).toBe(pinned);

    await host.stop();
    host.changeHostKey();
    await host.start();
    host.set({ state: 'inactive' });
    const before = host.commands();
    for (const consecutiveFailures of [1, 2]) {
      await sweep();
      expect(state()).toMatchObject({ status: 'down', lastErrorCode: 'host_key_changed', consecutiveFailures });
    }
    expect(host.dials()).toBe(3);
    expect(host.commands()).toEqual(before);
    expect(subscriptionOf(app, id)?.sshHostKey).toBe(pinned);
    // The new one is kept to be compared, and trusted only if it is the one that was meant.
    const offered = host.shownHostKey();
    expect(state()?.offeredHostKey).toBe(offered);
    expect(state()?.lastError).toContain(fingerprint(offered));
    expect(state()?.lastError).toContain(fingerprint(pinned));
    await expect(
      repinHostKey(app, LOCAL_OPERATOR, id, { kind: 'offered', fingerprint: fingerprint(pinned) }),
    ).rejects.toThrow('compare them once more');
    await repinHostKey(app, LOCAL_OPERATOR, id, { kind: 'offered', fingerprint: fingerprint(offered) });
    expect(subscriptionOf(app, id)?.sshHostKey).toBe(offered);
    expect(state()?.offeredHostKey).toBeNull();
    host.set({ state: 'active' });
    await sweep();
    expect(state()).toMatchObject({ status: 'healthy', offeredHostKey: null });
  });

  it('is changed, too, when the host offers a key of another type only', async () => {
    const { app, id, host, sweep, state } = await openWard();
    await sweep();
    const pinned = host.shownHostKey();
    await host.stop();
    host.changeHostKey('ecdsa');
    await host.start();
    await sweep();
    const offeredHostKey = host.shownHostKey();
    expect(state()).toMatchObject({ status: 'down', lastErrorCode: 'host_key_changed', offeredHostKey });
    expect(subscriptionOf(app, id)?.sshHostKey).toBe(pinned);
  });

  it('that was pinned by hand holds from the first sweep on', async () => {
    const stranger = await startTestHost();
    const { host, sweep, state } = await openWard({ hostKey: stranger.shownHostKey() });
    await sweep();
    expect(state()).toMatchObject({ status: 'down', lastErrorCode: 'host_key_changed' });
    expect(host.commands()).toEqual([]);
  });
});

describe('a refused login', () => {
  it('is tried again at the next sweep, then 1 and 2 minutes later, and forgotten once it works', async () => {
    const { privateKey, publicKey } = await startTestHost();
    const { app, host, sweep, state } = await openWard({ privateKey });
    const dialsAfter = async (waitMs: number): Promise<number> => {
      letTimePass(app, waitMs);
      await sweep();
      return host.dials();
    };
    expect(await dialsAfter(0)).toBe(1);
    expect(state()).toMatchObject({ status: 'down', lastErrorCode: 'auth_rejected', authFailures: 1 });
    expect(await dialsAfter(0)).toBe(2);
    expect(await dialsAfter(MINUTE_MS - 10_000)).toBe(2);
    expect(await dialsAfter(10_000)).toBe(3);
    expect(await dialsAfter(2 * MINUTE_MS - 10_000)).toBe(3);
    expect(await sweep()).toMatchObject({ checked: 0, waiting: 1 });
    expect(await dialsAfter(10_000)).toBe(4);
    expect(state()).toMatchObject({ status: 'circuit_open', authFailures: 4, totalChecks: 4 });
    await until(host.refusals, 4);
    expect(host.commands()).toEqual([]);

    host.allowLogin(publicKey);
    expect(await dialsAfter(4 * MINUTE_MS)).toBe(5);
    expect(state()).toMatchObject({ status: 'healthy', authFailures: 0, authRetryAt: null });
  });

  it('never waits longer than half an hour', async () => {
    const { privateKey } = await startTestHost();
    const { app, host, sweep, state } = await openWard({ privateKey });
    await sweep();
    app.db
      .update(healthChecks)
      .set({ authFailures: 500, authRetryAt: new Date(0) })
      .run();
    await sweep();
    letTimePass(app, 30 * MINUTE_MS);
    await sweep();
    expect(host.dials()).toBe(3);
    expect(state()?.authFailures).toBe(502);
  });
});

describe('a fault of our own', () => {
  it('such as private keys that changed places moves no counter and dials nobody', async () => {
    const { app, id, userId, host, sweep } = await openWard();
    const other = await startTestHost();
    const second = await addTestVps(app, other);
    await sweep();
    const before = [userId, second.userId].map((user) => stateOf(app, user));

    const [one, two] = [id, second.id].map((vps) => subscriptionOf(app, vps)?.sshPrivateKey);
    change(app, id, { sshPrivateKey: two ?? null });
    change(app, second.id, { sshPrivateKey: one ?? null });
    host.set({ state: 'inactive' });
    expect(await sweep()).toMatchObject({ checked: 0, unchecked: 2 });
    for (const [index, user] of [userId, second.userId].entries())
      expect(stateOf(app, user)).toEqual({
        ...before[index],
        lastErrorCode: 'key_unreadable',
        lastError: expect.stringContaining('belongs to another row'),
        updatedAt: expect.any(Date),
      });
    expect([host.dials(), other.dials()]).toEqual([1, 1]);
  });

  it('leaves a VPS that was never checked without a check', async () => {
    const { app, id, sweep, state } = await openWard();
    change(app, id, { sshPrivateKey: 'nonsense' });
    await sweep();
    expect(state()).toMatchObject({ totalChecks: 0, consecutiveFailures: 0, lastCheckAt: null });
  });
});
