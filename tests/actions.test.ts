import { asc, eq } from 'drizzle-orm';
import { afterEach, describe, expect, it, onTestFinished } from 'vitest';
import type { Actor } from '../src/lib/auth/actor.ts';
import { write } from '../src/lib/db/client.ts';
import { healthEvents, incidents, restartEvidence, users } from '../src/lib/db/schema.ts';
import { editVps } from '../src/lib/fleet-admin/edit-vps.ts';
import { addVps, removeVps, repinHostKey } from '../src/lib/fleet-admin/fleet-admin.ts';
import { readEditable } from '../src/lib/views/vps-form-read.ts';
import { RefusedError } from '../src/lib/fleet-admin/the-vps.ts';
import { readVps } from '../src/lib/views/fleet-read.ts';
import { parseMaintenance } from '../src/lib/fleet-admin/maintenance-request.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { parseVps, parseVpsEdit } from '../src/lib/fleet-admin/new-vps.ts';
import { changeStatusPage } from '../src/lib/fleet-admin/status-page.ts';
import { readPublicStatus, readStatusPage } from '../src/lib/views/status-page-read.ts';
import {
  cancelWindow,
  checkNow,
  endMaintenance,
  planMaintenance,
  resetCircuit,
  restartNow,
  setVpsHealing,
} from '../src/lib/fleet-admin/vps-actions.ts';
import { LeaseKeeper } from '../src/lib/db/lease-keeper.ts';
import { subscribe } from '../src/lib/live/bus.ts';
import { CIRCUIT_COOLDOWN_MS } from '../src/lib/monitoring/circuit-breaker.ts';
import { pauseHealing, setHealing } from '../src/lib/monitoring/monitor-state.ts';
import { onDemandOf } from '../src/lib/monitoring/on-demand.ts';
import { orderRestart } from '../src/lib/monitoring/restart-ledger.ts';
import { addAll, makeLogin, startVps } from './support/fleet.ts';
import { runCli, scratchEnvironment } from './support/project.ts';
import {
  addTestVps,
  ledgerOf,
  letTimePass,
  openWard,
  startTestHost,
  sweepWhileHeld,
  until,
  whileHeld,
  type Ward,
} from './support/scratch-app.ts';

const ADMIN: Actor = { role: 'admin', userId: 'user-admin' };

const actionsOf = ({ app, id }: Ward): string[] =>
  app.db
    .select()
    .from(healthEvents)
    .where(eq(healthEvents.vpsId, id))
    .orderBy(asc(healthEvents.id))
    .all()
    .filter(({ actor }) => actor === 'user-admin')
    .map(({ kind, detail }) => (kind === 'admin_action' ? String(detail.action) : kind));

/** Three sweeps of a service that does not come back: the circuit is open. */
async function trip(ward: Ward): Promise<void> {
  ward.host.set({ state: 'inactive', onRestart: 'fails' });
  for (let round = 0; round < 3; round++) await ward.sweep();
  expect(ward.state()).toMatchObject({ status: 'circuit_open', circuitState: 'open' });
}

/** Puts another machine behind the VPS; where none is given, one that is not there. */
async function move({ app, id, host }: Ward, to = { port: 1, privateKey: '' }): Promise<void> {
  const { port, privateKey } = to;
  const parsed = parseVpsEdit({ customer: 'a@example.test', host: '127.0.0.1', port: String(port), privateKey });
  if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
  await editVps(app, ADMIN, id, { ...parsed.edit, user: host.user });
}

describe('checkNow', () => {
  it('returns before the check has ended, and the check is that of a sweep', async () => {
    const ward = await openWard();
    const release = ward.host.hold('is-active');
    const { vpsIds, done } = await checkNow(ward.app, ADMIN, [ward.id]);
    expect(vpsIds).toEqual([ward.id]);
    expect(onDemandOf(ward.app).askedFor(ward.id)).toBe('check');
    await until(() => ward.host.count('is-active'), 1);
    expect(ward.state()).toBeUndefined();
    release();
    expect(await done).toBe('done');
    expect(onDemandOf(ward.app).askedFor(ward.id)).toBeNull();
    expect(ward.state()).toMatchObject({ status: 'healthy', totalChecks: 1 });
    expect(actionsOf(ward)).toEqual(['check_requested']);
  });

  it('heals what it finds stopped, and tells open pages when it is asked and when it is done', async () => {
    const ward = await openWard();
    const told: string[] = [];
    const stop = subscribe(ward.app.db, (event) => event.kind === 'vps' && told.push(event.vpsIds.join()));
    ward.host.set({ state: 'inactive' });
    await (
      await checkNow(ward.app, ADMIN, [ward.id])
    ).done;
    stop();
    expect(ward.state()).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
    expect(told.length).toBeGreaterThanOrEqual(3);
    expect(new Set(told)).toEqual(new Set([ward.id]));
  });

  it('does not work on a VPS that a sweep has in hand, nor does the sweep look at it twice', async () => {
    const ward = await openWard();
    const release = ward.host.hold('is-active');
    const sweeping = ward.sweep();
    await until(() => ward.host.count('is-active'), 1);
    const { done } = await checkNow(ward.app, ADMIN, [ward.id]);
    expect(ward.host.count('is-active')).toBe(1);
    release();
    await Promise.all([sweeping, done]);
    expect(ward.state()).toMatchObject({ totalChecks: 2 });
  });

  it('leaves a VPS in its own hands out of a sweep that comes meanwhile', async () => {
    const ward = await openWard();
    const release = ward.host.hold('is-active');
    const { done } = await checkNow(ward.app, ADMIN, [ward.id]);
    await until(() => ward.host.count('is-active'), 1);
    expect(await ward.sweep()).toMatchObject({ checked: 0, unchecked: 0 });
    release();
    await done;
    expect(ward.state()).toMatchObject({ totalChecks: 1 });
  });

  it('gives back what it has looked at before the lot has ended, so that it can be asked for anew', async () => {
    const ward = await openWard({ environment: { HEALTH_CHECK_BATCH_SIZE: '1' } });
    const slow = await startTestHost();
    const { id: slowId } = await addTestVps(ward.app, slow);
    const release = slow.hold('is-active');
    const { done } = await checkNow(ward.app, ADMIN, [ward.id, slowId]);
    await until(() => slow.count('is-active'), 1);
    expect([ward.id, slowId].map((id) => onDemandOf(ward.app).askedFor(id))).toEqual([null, 'check']);
    const again = await checkNow(ward.app, ADMIN, [ward.id, slowId]);
    expect(onDemandOf(ward.app).askedFor(ward.id)).toBe('check');
    release();
    await Promise.all([done, again.done]);
    expect(ward.state()).toMatchObject({ totalChecks: 2 });
    expect(slow.count('is-active')).toBe(1);
  });

  it('takes many for what they are, a part: three that are lost at once say nothing, and are no outage', async () => {
    const ward = await openWard();
    const { app } = ward;
    const hosts = [ward.host, await startTestHost(), await startTestHost()];
    const ids = [ward.id];
    for (const host of hosts.slice(1)) ids.push((await addTestVps(app, host)).id);
    await ward.sweep();
    for (const host of hosts) await host.stop();
    await (
      await checkNow(app, ADMIN, ids)
    ).done;
    expect(readVps(app, ADMIN, ward.id, new Date())).toMatchObject({ status: 'healthy', lastErrorCode: 'outage' });
  });

  it('is for admins, and for VPSs that are watched', async () => {
    const ward = await openWard();
    const customer: Actor = { role: 'customer', userId: ward.userId };
    await expect(checkNow(ward.app, customer, [ward.id])).rejects.toThrow(RefusedError);
    await expect(checkNow(ward.app, ADMIN, ['vps-none'])).rejects.toThrow('there is no such VPS');
    ward.app.db.$client.prepare("UPDATE subscriptions SET status = 'canceled'").run();
    await expect(checkNow(ward.app, ADMIN, [ward.id])).rejects.toThrow('its subscription is canceled');
    await expect(restartNow(ward.app, ADMIN, ward.id, { now: new Date() })).rejects.toThrow(
      'its subscription is canceled',
    );
    expect(ward.host.dials()).toBe(0);
  });
});

describe('restartNow', () => {
  it('is in the ledger before anything is done, with its outcome and the evidence afterwards', async () => {
    const ward = await openWard();
    await ward.sweep();
    ward.host.set({ journal: 'a line before' });
    const release = ward.host.hold('is-active');
    const { done } = await restartNow(ward.app, ADMIN, ward.id, { now: new Date() });
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ requestedBy: 'user-admin', outcome: null }]);
    expect(onDemandOf(ward.app).askedFor(ward.id)).toBe('restart');
    await expect(restartNow(ward.app, ADMIN, ward.id, { now: new Date() })).rejects.toThrow('under way already');
    expect(ward.host.count('restart')).toBe(0);
    release();
    await done;
    expect(ward.host.count('restart')).toBe(1);
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'succeeded', detail: null }]);
    expect(ward.app.db.select().from(restartEvidence).get()?.journal).toContain('a line before');
    expect(actionsOf(ward)).toEqual(['restart_requested', 'restart_intended']);
    // Nothing was wrong: no failure, no incident, no recovery.
    expect(ward.state()).toMatchObject({ status: 'healthy', totalFailures: 0, totalRecoveries: 0 });
    expect(ward.app.db.select().from(incidents).all()).toEqual([]);
  });

  it('stays asked for when a check ends that was asked for before', async () => {
    const ward = await openWard();
    const releaseCheck = ward.host.hold('is-active');
    const releaseRestart = ward.host.hold('restart');
    const check = await checkNow(ward.app, ADMIN, [ward.id]);
    await until(() => ward.host.count('is-active'), 1);
    const restart = await restartNow(ward.app, ADMIN, ward.id, { now: new Date() });
    releaseCheck();
    await check.done;
    expect(onDemandOf(ward.app).askedFor(ward.id)).toBe('restart');
    releaseRestart();
    await restart.done;
    expect(onDemandOf(ward.app).askedFor(ward.id)).toBeNull();
    expect(ward.host.count('restart')).toBe(1);
  });

  it.each([
    ['when that has died', 6],
    ['when it asked by a clock that has been set back since', -120],
  ])('is refused while another process has the same to do, but not for ever %s', async (_, minutes) => {
    const ward = await openWard();
    await write(ward.app.db, (tx) => orderRestart(tx, ward.userId, 'cli', new Date()));
    await expect(restartNow(ward.app, ADMIN, ward.id, { now: new Date() })).rejects.toThrow('under way already');
    expect(ledgerOf(ward.app, ward.userId)).toHaveLength(1);
    letTimePass(ward.app, minutes * 60_000);
    await (
      await restartNow(ward.app, ADMIN, ward.id, { now: new Date() })
    ).done;
    expect(ward.host.count('restart')).toBe(1);
  });

  it('closes an open circuit when it works, also under maintenance', async () => {
    for (const maintenance of [false, true]) {
      const ward = await openWard();
      await trip(ward);
      if (maintenance) {
        const parsed = parseMaintenance({ for: '1h' }, new Date());
        if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
        await planMaintenance(ward.app, ADMIN, [ward.id], parsed.window);
      }
      ward.host.set({ onRestart: 'works' });
      await (
        await restartNow(ward.app, ADMIN, ward.id, { now: new Date() })
      ).done;
      expect(ward.state()).toMatchObject({ status: 'healthy', circuitState: 'closed', consecutiveFailures: 0 });
      expect(ward.app.db.select().from(incidents).get()).toMatchObject({ endedBy: 'restart' });
    }
  });

  it('does not use up the trial of a half-open circuit while it waits, only once it is sent', async () => {
    for (const sent of [false, true]) {
      const ward = await openWard();
      await trip(ward);
      letTimePass(ward.app, CIRCUIT_COOLDOWN_MS);
      await write(ward.app.db, (tx) => {
        const restartId = orderRestart(tx, ward.userId, 'cli', new Date());
        const evidence = { restartId, takenAt: new Date(), unit: '', journal: '' };
        if (sent) tx.insert(restartEvidence).values(evidence).run();
      });
      ward.host.set({ onRestart: 'works' });
      await ward.sweep();
      expect(ward.state()).toMatchObject({ status: sent ? 'circuit_open' : 'healthy' });
    }
  });

  it('counts as a failure when the service does not come back, also one that was fine', async () => {
    const ward = await openWard();
    await ward.sweep();
    ward.host.set({ onRestart: 'fails' });
    await (
      await restartNow(ward.app, ADMIN, ward.id, { now: new Date() })
    ).done;
    expect(ward.state()).toMatchObject({
      status: 'unhealthy',
      consecutiveFailures: 1,
      lastErrorCode: 'restart_failed',
    });
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'failed' }]);
  });

  it('is not sent where no login works, and the ledger says why', async () => {
    const ward = await openWard();
    await ward.host.stop();
    await (
      await restartNow(ward.app, ADMIN, ward.id, { now: new Date() })
    ).done;
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([
      { outcome: 'not_sent', detail: expect.stringContaining('not sent: the host refused the connection') },
    ]);
    expect(ward.state()).toMatchObject({ status: 'down', consecutiveFailures: 1 });
  });
});

describe('the end of the server', () => {
  it('bars what is asked for later too, and an order is closed as not sent', async () => {
    const ward = await openWard();
    await onDemandOf(ward.app).stop(new AbortController().signal);
    const check = await checkNow(ward.app, ADMIN, [ward.id]);
    expect(await check.done).toBe('stopped');
    const restart = await restartNow(ward.app, ADMIN, ward.id, { now: new Date() });
    // Waits for what came after the first time.
    await onDemandOf(ward.app).stop(new AbortController().signal);
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([
      { outcome: 'not_sent', detail: 'not sent: the server was stopping' },
    ]);
    expect(await restart.done).toBe('stopped');
    expect(ward.host.dials()).toBe(0);
  });
});

describe('resetCircuit', () => {
  it('closes the circuit, and the next sweep restarts again, after a crash loop too', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    for (let round = 0; round < 6; round++) {
      await ward.sweep();
      ward.host.set({ state: 'inactive' });
    }
    expect(ward.state()).toMatchObject({ circuitState: 'open', circuitReason: 'crash_loop' });
    const restarts = ward.host.count('restart');
    await resetCircuit(ward.app, ADMIN, [ward.id], new Date());
    expect(ward.state()).toMatchObject({ status: 'unhealthy', circuitState: 'closed', consecutiveFailures: 0 });
    expect(actionsOf(ward)).toEqual(['circuit_closed', 'circuit_reset']);
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(restarts + 1);
    expect(ward.state()).toMatchObject({ status: 'healthy' });
  });
});

describe('setVpsHealing', () => {
  it('leaves a stopped service alone and does not count, until it is switched on again', async () => {
    const ward = await openWard();
    await setVpsHealing(ward.app, ADMIN, [ward.id], false, new Date());
    ward.host.set({ state: 'inactive' });
    for (let round = 0; round < 4; round++) await ward.sweep();
    expect(ward.host.count('restart')).toBe(0);
    expect(ward.state()).toMatchObject({ status: 'unhealthy', circuitState: 'closed', consecutiveFailures: 0 });
    expect(ward.state()?.lastError).toContain('automatic restarts of this VPS are switched off');
    expect(readVps(ward.app, ADMIN, ward.id, new Date())?.healingPausedSince).toBeInstanceOf(Date);

    await setVpsHealing(ward.app, ADMIN, [ward.id], true, new Date());
    // A second time changes nothing, and says nothing.
    await setVpsHealing(ward.app, ADMIN, [ward.id], true, new Date());
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(1);
    expect(actionsOf(ward)).toEqual(['healing_paused', 'healing_resumed']);
  });

  it('counts for a restart that was about to be sent', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    const release = ward.host.hold('show');
    const sweeping = ward.sweep();
    await until(() => ward.host.count('show'), 1);
    await setVpsHealing(ward.app, ADMIN, [ward.id], false, new Date());
    release();
    await sweeping;
    expect(ward.host.count('restart')).toBe(0);
    expect(ward.state()).toMatchObject({ status: 'unhealthy', consecutiveFailures: 0 });
  });
});

describe('healing that stops for the whole fleet', () => {
  it.each([
    ['by an admin', 'are switched off', ({ app: { db } }: Ward) => setHealing(db, ADMIN, 'off')],
    [
      'by a sweep',
      'pause',
      async ({ app: { db } }: Ward) => {
        const lease = await new LeaseKeeper(db, 'monitor', { info: () => undefined, error: () => undefined }).hold();
        if ('tenure' in lease) await pauseHealing(db, lease.tenure, { stopped: 6, fleet: 10 }, new Date());
      },
    ],
  ])('%s counts for a restart that was about to be sent, but not for one by hand', async (_, words, stop) => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await sweepWhileHeld(ward, 'is-active', () => stop(ward));
    expect(ward.host.count('restart')).toBe(0);
    expect(ward.state()).toMatchObject({ status: 'unhealthy', consecutiveFailures: 0 });
    expect(ward.state()?.lastError).toContain(`automatic restarts ${words}`);
    await (
      await restartNow(ward.app, ADMIN, ward.id, { now: new Date() })
    ).done;
    expect(ward.host.count('restart')).toBe(1);
  });
});

describe('editVps', () => {
  it('pins the key of another machine anew, keeps a key that is not given, and refuses a taken address', async () => {
    const ward = await openWard();
    const { app, id } = ward;
    await ward.sweep();
    const other = await startTestHost();
    const parsed = parseVpsEdit({ customer: 'a@example.test', host: '127.0.0.1', privateKey: '' });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
    const { port, user } = ward.host;
    expect(readEditable(app, ADMIN, id)).toMatchObject({ host: '127.0.0.1', port, user });
    const edit = { ...parsed.edit, user };
    expect(await editVps(app, ADMIN, id, { ...edit, port })).toEqual([]);
    const moved = { ...edit, port: other.port, privateKey: other.privateKey };
    expect(await editVps(app, ADMIN, id, moved)).toEqual(['port', 'private key']);
    expect(readVps(app, ADMIN, id, new Date())?.hostKeyFingerprint).toBeNull();
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', totalChecks: 2 });
    expect(other.dials()).toBe(1);
    expect(actionsOf(ward)).toEqual(['vps_edited']);

    const { id: second } = await addTestVps(app, ward.host);
    await expect(editVps(app, ADMIN, second, moved)).rejects.toThrow('another VPS');
    await expect(editVps(app, { role: 'customer', userId: ward.userId }, id, edit)).rejects.toThrow(RefusedError);
  });
});

describe('a VPS that is moved to another machine', () => {
  it('begins with a closed circuit, and with the restarts of the former one forgiven', async () => {
    const ward = await openWard();
    await trip(ward);
    const other = await startTestHost();
    other.set({ state: 'inactive' });
    await move(ward, other);
    expect(ward.state()).toMatchObject({ circuitState: 'closed', consecutiveFailures: 0 });
    await ward.sweep();
    expect(other.count('restart')).toBe(1);
    expect(ward.state()).toMatchObject({ status: 'healthy' });
  });

  it('is not restarted where it was', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await sweepWhileHeld(ward, 'is-active', () => move(ward));
    expect(ward.host.count('restart')).toBe(0);
    expect(ward.state()).toBeUndefined();
    expect(ledgerOf(ward.app, ward.userId)).toEqual([]);
  });

  it('is not restarted where it was by hand either, and the ledger says so', async () => {
    const ward = await openWard();
    const { done } = await restartNow(ward.app, ADMIN, ward.id, { now: new Date() });
    await whileHeld(ward.host, 'is-active', () => move(ward));
    await done;
    expect(ward.host.count('restart')).toBe(0);
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([
      { outcome: 'not_sent', detail: 'not sent: the VPS is not watched any more, or was changed meanwhile' },
    ]);
  });

  it('has in its ledger how a restart ended that was sent where it was', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await sweepWhileHeld(ward, 'restart', () => move(ward));
    expect(ward.host.count('restart')).toBe(1);
    expect(ledgerOf(ward.app, ward.userId)).toMatchObject([{ outcome: 'succeeded' }]);
    // The look that led to the restart, before the move; nothing of its end.
    expect(ward.state()).toMatchObject({ totalChecks: 1, totalRecoveries: 0 });
  });
});

describe('a VPS that is moved to another machine while it is looked at', () => {
  it('takes neither state nor host key from the former one', async () => {
    const ward = await openWard();
    const { app, id } = ward;
    await sweepWhileHeld(ward, 'is-active', () => move(ward));
    expect(ward.state()).toBeUndefined();
    expect(readVps(app, ADMIN, id, new Date())).toMatchObject({ port: 1, hostKeyFingerprint: null });
  });
});

describe('a status page', () => {
  it('is off at first, its owner and admins switch it, and its old addresses are void', async () => {
    const ward = await openWard();
    const { app, id, userId } = ward;
    const owner: Actor = { role: 'customer', userId };
    const stranger: Actor = { role: 'customer', userId: 'user-other' };
    expect(readStatusPage(app, owner, id)).toBeNull();
    expect(readStatusPage(app, stranger, id)).toBeUndefined();
    expect(await changeStatusPage(app, stranger, id, { kind: 'on', title: '' })).toEqual({ kind: 'not_found' });
    await changeStatusPage(app, owner, id, { kind: 'on', title: ' Shop ' });
    const first = readStatusPage(app, ADMIN, id);
    expect(first).toMatchObject({ title: 'Shop', token: expect.stringMatching(/^[\w-]{43}$/) });
    await ward.sweep();
    const shown = readPublicStatus(app, first?.token ?? '', new Date());
    expect(shown).toMatchObject({ title: 'Shop', state: 'running' });
    expect(JSON.stringify(shown)).not.toMatch(/127\.0\.0\.1|@|rachel8|vps-|user-/);
    await changeStatusPage(app, ADMIN, id, { kind: 'renew' });
    expect(readPublicStatus(app, first?.token ?? '', new Date())).toBeUndefined();
    await changeStatusPage(app, owner, id, { kind: 'off' });
    expect(readStatusPage(app, owner, id)).toBeNull();
    expect(actionsOf(ward)).toEqual(['status_page_renewed']);
  });
});

describe('maintenance', () => {
  it('begins and ends it for each of them', async () => {
    const ward = await openWard();
    const parsed = parseMaintenance({ untilHealthy: true, reason: 'new disk' }, new Date());
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
    await planMaintenance(ward.app, ADMIN, [ward.id], parsed.window);
    expect(readVps(ward.app, ADMIN, ward.id, new Date())?.maintenanceSince).toBeInstanceOf(Date);
    await endMaintenance(ward.app, ADMIN, [ward.id], new Date());
    expect(readVps(ward.app, ADMIN, ward.id, new Date())?.maintenanceSince).toBeNull();
    expect(actionsOf(ward)).toEqual(['maintenance_planned', 'maintenance_ended']);
  });
});

const MINUTE_MS = 60_000;

describe('ending maintenance while a weekly window is open', () => {
  const WEEK_MS = 7 * 24 * 60 * MINUTE_MS;

  it('ends this occurrence: the VPS is healed again, and next week the window opens as always', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    const now = new Date();
    const began = new Date(Math.floor(now.getTime() / MINUTE_MS) * MINUTE_MS - 10 * MINUTE_MS);
    const weekly = `${began.toLocaleDateString('en', { weekday: 'short', timeZone: 'UTC' })} ${began.toISOString().slice(11, 16)}`;
    const parsed = parseMaintenance({ weekly, for: '2h' }, now);
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
    await planMaintenance(ward.app, ADMIN, [ward.id], parsed.window);
    const maintenanceAt = (at: Date) => readVps(ward.app, ADMIN, ward.id, at)?.maintenanceSince ?? null;
    expect(maintenanceAt(now)).toEqual(began);
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(0);

    expect(await endMaintenance(ward.app, ADMIN, [ward.id], now)).toEqual({ vpsIds: [ward.id] });
    expect(maintenanceAt(now)).toBeNull();
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(1);
    expect(ward.state()).toMatchObject({ status: 'healthy', maintenanceSeenSince: null });
    expect(maintenanceAt(new Date(now.getTime() + WEEK_MS))).toEqual(new Date(began.getTime() + WEEK_MS));
    expect(actionsOf(ward)).toEqual(['maintenance_planned', 'maintenance_ended']);
    // There is none any more.
    expect(await endMaintenance(ward.app, ADMIN, [ward.id], now)).toEqual({ vpsIds: [] });
  });
});

describe('a question that is answered late', () => {
  it('does nothing to the VPS that its customer has by then', async () => {
    const ward = await openWard();
    await removeVps(ward.app, ADMIN, ward.id);
    const customer = ward.app.db.select().from(users).where(eq(users.id, ward.userId)).get()?.email ?? '';
    const { port, user, privateKey } = ward.host;
    const parsed = parseVps({ customer, host: '127.0.0.1', port: String(port), user, privateKey });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
    const { id } = await addVps(ward.app, ADMIN, parsed.vps);
    await checkNow(ward.app, ADMIN, [id]).then(({ done }) => done);
    expect(ward.state()).toMatchObject({ totalChecks: 1 });
    const late: (() => Promise<unknown>)[] = [
      () => removeVps(ward.app, ADMIN, ward.id),
      () => repinHostKey(ward.app, ADMIN, ward.id, { kind: 'next' }),
      () => endMaintenance(ward.app, ADMIN, [ward.id], new Date()),
      () => cancelWindow(ward.app, ADMIN, ward.id, 'window-1'),
      () => resetCircuit(ward.app, ADMIN, [ward.id], new Date()),
    ];
    for (const yes of late) await expect(yes()).rejects.toThrow('there is no such VPS');
    expect(ward.state()).toMatchObject({ totalChecks: 1 });
    expect(readVps(ward.app, ADMIN, id, new Date())).toMatchObject({ status: 'healthy' });
  });
});

describe('wardround vps', () => {
  let scratch: ReturnType<typeof scratchEnvironment>;
  afterEach(() => scratch.remove());

  it('checks, restarts, pauses, resets and edits one VPS', async () => {
    scratch = scratchEnvironment({ RESTART_SETTLE_MS: '50', SSH_CONNECT_TIMEOUT_MS: '1000' });
    const login = makeLogin(scratch.folder);
    const vps = await startVps(login.publicKey);
    onTestFinished(() => vps.host.close());
    const [id = ''] = await addAll(scratch.environment, login.keyFile, [vps]);
    const run = (...args: string[]) => runCli(scratch.environment, 'vps', ...args);
    const json = async (...args: string[]) =>
      JSON.parse((await run(...args, '--json')).stdout) as Record<string, unknown>;

    expect(await json('check', id)).toMatchObject({ status: 'healthy', totalChecks: 1 });
    expect(await json('restart', id)).toMatchObject({ status: 'healthy', restart: { outcome: 'succeeded' } });
    expect((await run('healing', id, 'off')).stdout).toMatch(/healing is off since .*; checks go on/);
    vps.machine.unit = 'failed';
    const stopped = await run('check', id);
    expect(stopped).toMatchObject({ exitCode: 1, stderr: '' });
    expect(stopped.stdout).toContain('automatic restarts of this VPS are switched off');
    vps.machine.restart = 'fails';
    expect(await run('restart', id, '--yes')).toMatchObject({ exitCode: 1 });
    expect(await json('reset', id)).toMatchObject({ consecutiveFailures: 0, circuitState: 'closed' });
    expect(await json('healing', id, 'on')).toMatchObject({ healingPausedSince: null });
    expect(await json('edit', id, '--service', 'nginx', '--name', 'Anna')).toMatchObject({
      service: 'nginx',
      customer: 'Anna',
      port: vps.host.port,
    });
    expect((await run('edit', id)).stdout).toContain('Nothing was changed.');
    expect(await run('edit', id, '--port', 'x')).toMatchObject({ exitCode: 2 });
    expect((await run('healing', '--help')).stdout).toContain('turn them on or off');
  });
});
