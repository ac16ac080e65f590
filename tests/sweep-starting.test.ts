import { asc, eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import type { Actor } from '../src/lib/auth/actor.ts';
import { incidents, notifications } from '../src/lib/db/schema.ts';
import { restartNow } from '../src/lib/fleet-admin/vps-actions.ts';
import { ledgerOf, letTimePass, openWard, stateOf, type Ward } from './support/scratch-app.ts';
import { openSimulatedFleet } from './support/simulated-fleet.ts';

const SECOND_MS = 1_000;
const HOUR_MS = 3_600_000;
const ADMIN: Actor = { role: 'admin', userId: 'user-admin' };

/** The waiting for a restart is over long before such a service is up. */
const IMPATIENT = { environment: { RESTART_TIMEOUT_MS: '500' } };
const SLOW = { onRestart: 'starts-slowly', timeout: '1min 30s' } as const;

const sweepAfter = async (ward: Ward, seconds: number): Promise<void> => {
  letTimePass(ward.app, seconds * SECOND_MS);
  await ward.sweep();
};
const outcomes = ({ app, userId }: Ward): (string | null)[] => ledgerOf(app, userId).map(({ outcome }) => outcome);
const kindsTold = ({ app }: Ward): string[] =>
  app.db
    .select()
    .from(notifications)
    .all()
    .map(({ kind }) => kind);
const incidentsOf = ({ app, userId }: Ward) =>
  app.db.select().from(incidents).where(eq(incidents.userId, userId)).orderBy(asc(incidents.openedAt)).all();

describe('a service that somebody starts, and that needs long for it', () => {
  it('is waited for as long as its own timeout says, shown as unhealthy, and counts as nothing', async () => {
    const ward = await openWard();
    await ward.sweep();
    ward.host.set({ state: 'activating', sub: 'start', timeout: '5min' });
    await ward.sweep();
    for (const said of ['\\d', '2\\d', '4\\d', '6\\d']) {
      expect(ward.state()).toMatchObject({
        status: 'unhealthy',
        lastError: expect.stringMatching(`^starting since ${said} s$`),
        lastErrorCode: 'service_starting',
        consecutiveFailures: 0,
        totalFailures: 0,
        circuitState: 'closed',
      });
      await sweepAfter(ward, 20);
    }
    expect(ward.host.count('restart')).toBe(0);
    ward.host.set({ state: 'active' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({
      status: 'healthy',
      totalFailures: 0,
      totalRecoveries: 1,
      startingSince: null,
    });
    expect(kindsTold(ward)).toEqual([]);
    expect(incidentsOf(ward)).toEqual([]);
  });

  it('is restarted when that time is over', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'activating', sub: 'start', timeout: '1min 30s' });
    await ward.sweep();
    await sweepAfter(ward, 90);
    expect(ward.host.count('restart')).toBe(1);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalFailures: 1, totalRecoveries: 1 });
  });

  it('is waited for across a restart of the monitor', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'activating', sub: 'start-pre', timeout: 'infinity' });
    await ward.sweep();
    await ward.scratch.reopen();
    await sweepAfter(ward, 570);
    expect(ward.state()).toMatchObject({ lastErrorCode: 'service_starting', totalFailures: 0 });
    await sweepAfter(ward, 30);
    expect(ward.host.count('restart')).toBe(1);
  });

  it('has failed where systemd begins another start, and after the third the circuit opens without a restart of ours', async () => {
    const ward = await openWard();
    for (const invocation of ['a1', 'b2', 'c3', 'd4']) {
      ward.host.set({ state: 'activating', sub: 'start', timeout: '1min 30s', invocation });
      await ward.sweep();
    }
    expect(ward.state()).toMatchObject({ status: 'circuit_open', totalFailures: 3, circuitReason: 'failures' });
    expect(ward.host.count('restart')).toBe(0);
  });

  it('has failed, too, where systemd waits before it begins another one', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'activating', sub: 'start', timeout: '1min 30s' });
    await ward.sweep();
    ward.host.set({ sub: 'auto-restart' });
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(1);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalFailures: 1 });
  });
});

describe('a restart of a service that needs longer to start than we wait', () => {
  it('is sent once, has not failed meanwhile, and has worked when the service is up', async () => {
    const ward = await openWard(IMPATIENT);
    ward.host.set({ state: 'failed', result: 'exit-code', ...SLOW });
    await ward.sweep();
    const { lastError } = ward.state() ?? {};
    expect(lastError).toMatch(/^starting since \d+ s$/);
    for (let sweep = 1; sweep <= 3; sweep++) {
      expect(ward.state()).toMatchObject({ status: 'unhealthy', consecutiveFailures: 0, totalFailures: 1 });
      expect(outcomes(ward)).toEqual([null]);
      await sweepAfter(ward, 20);
    }
    ward.host.set({ state: 'active', onRestart: 'works' });
    await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'healthy', consecutiveFailures: 0, totalRecoveries: 1 });
    expect(ward.host.count('restart')).toBe(1);
    expect(outcomes(ward)).toEqual(['succeeded']);
    expect(incidentsOf(ward)).toMatchObject([{ failedChecks: 1, endedBy: 'restart' }]);
    expect(kindsTold(ward)).not.toContain('down');
  });

  it('has failed when the start does, which counts once', async () => {
    const ward = await openWard(IMPATIENT);
    ward.host.set({ state: 'failed', ...SLOW });
    await ward.sweep();
    ward.host.set({ state: 'failed', sub: 'failed', onRestart: 'fails' });
    await ward.sweep();
    expect(outcomes(ward)).toEqual(['failed', 'failed']);
    expect(ward.state()).toMatchObject({ consecutiveFailures: 2, totalFailures: 2, lastErrorCode: 'restart_failed' });
  });

  it('has failed when its time is over, and the next one is sent', async () => {
    const ward = await openWard(IMPATIENT);
    ward.host.set({ state: 'failed', ...SLOW });
    await ward.sweep();
    await sweepAfter(ward, 90);
    expect(ward.host.count('restart')).toBe(2);
    expect(outcomes(ward)).toEqual(['failed', null]);
    expect(ward.state()).toMatchObject({ consecutiveFailures: 1, totalFailures: 2, lastErrorCode: 'service_starting' });
    // Its own restart is no start that has failed.
    await sweepAfter(ward, 20);
    expect(ward.state()).toMatchObject({ consecutiveFailures: 1, totalFailures: 2 });
    expect(ward.host.count('restart')).toBe(2);
    ward.host.set({ onRestart: 'works' });
  });

  it('is waited for by the age that the host tells, whatever our clock does meanwhile', async () => {
    const fleet = await openSimulatedFleet(1, { RESTART_TIMEOUT_MS: '300' });
    const state = () => fleet.vpss[0] && stateOf(fleet.app, fleet.vpss[0].userId);
    fleet.set({ unit: 'failed', restart: { startsInMs: 3_600_000 } }, 0, 1);
    await fleet.sweep();
    for (const hours of [1, -2]) {
      letTimePass(fleet.app, hours * HOUR_MS);
      await fleet.sweep();
      expect(state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'service_starting', totalFailures: 1 });
      expect(state()?.lastError).toMatch(/^starting since \d{1,2} s$/);
    }
    expect(fleet.restarts()).toBe(1);
    fleet.set({ unit: 'active' }, 0, 1);
    await fleet.sweep();
    expect(state()).toMatchObject({ status: 'healthy', totalFailures: 1, totalRecoveries: 1 });
    expect(fleet.restarts()).toBe(1);
  });

  it('leaves the order of an admin open, too', async () => {
    const ward = await openWard(IMPATIENT);
    await ward.sweep();
    ward.host.set(SLOW);
    const { done } = await restartNow(ward.app, ADMIN, ward.id, { now: new Date() });
    expect(await done).toBe('done');
    expect(ward.state()).toMatchObject({ status: 'unhealthy', lastErrorCode: 'service_starting', totalFailures: 0 });
    expect(outcomes(ward)).toEqual([null]);
    ward.host.set({ state: 'active', onRestart: 'works' });
    await ward.sweep();
    expect(outcomes(ward)).toEqual(['succeeded']);
    expect(ward.state()).toMatchObject({ status: 'healthy', totalFailures: 0 });
  });
});
