import { rmSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { Machine } from '../demo/machine.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { healthEvents, notifications, restartEvidence } from '../src/lib/db/schema.ts';
import { addUser } from './support/account-app.ts';
import { readMonitorState, setHealing } from '../src/lib/monitoring/monitor-state.ts';
import { openLinkedWard, type LinkedWard } from './support/linked-ward.ts';
import { ledgerOf, setMaintenance } from './support/scratch-app.ts';

const PATIENCE = { timeout: 20_000, interval: 10 };

async function openHealthyWard(machines: readonly Partial<Machine>[] = [{}], environment = {}): Promise<LinkedWard> {
  const ward = await openLinkedWard({ kind: 'auto', machines, environment });
  await ward.sweep();
  for (const { state } of ward.vpss)
    expect(state()).toMatchObject({ status: 'healthy', linkKind: 'bus', linkLimit: null });
  return ward;
}
const ledger = ({ app, vps }: LinkedWard) => ledgerOf(app, vps.userId);
const whole = (state: object) => expect.objectContaining(state) as object;

describe('a service that is killed', () => {
  it('is healed at once, with its intent and evidence, in the words of a sweep', async () => {
    const ward = await openHealthyWard();
    ward.vps.machine.unit = 'failed';
    await expect.poll(() => ward.vps.state(), PATIENCE).toEqual(whole({ status: 'healthy', totalRecoveries: 1 }));
    expect(ward.vps.machine.starts).toBe(2);
    expect(ward.vps.state()).toMatchObject({ totalChecks: 2, totalFailures: 1, linkNewsAt: expect.any(Date) as Date });
    expect(ledger(ward)).toEqual([whole({ outcome: 'succeeded' })]);
    expect(ward.app.db.select().from(restartEvidence).all()).toEqual([
      whole({
        unit: expect.stringContaining('ActiveState=failed') as string,
        journal: expect.stringMatching(/./) as string,
      }),
    ]);
    expect(ward.lines.filter((line) => line.includes(ward.vps.userId)).slice(-3)).toEqual([
      expect.stringContaining('unhealthy (consecutive: 1, attempting restart)'),
      expect.stringContaining('restart successful, marking healthy'),
      expect.stringContaining('recovered (recovery #1)'),
    ]);
  });

  it('is healed before the next sweep also where its bus had ended', async () => {
    const ward = await openHealthyWard();
    ward.vps.host.endBridges();
    ward.vps.machine.unit = 'failed';
    await expect.poll(() => ward.vps.state(), PATIENCE).toEqual(whole({ status: 'healthy', totalRecoveries: 1 }));
    expect([ward.vps.machine.starts, ward.vps.logins()]).toEqual([2, 1]);
    // Its news comes again.
    expect(ward.vps.state()).toMatchObject({ linkKind: 'bus', linkLimit: null });
  });

  it('is started where the bus allows it, and else by sudo', async () => {
    const ward = await openHealthyWard([{}, { bus: 'read' }]);
    for (const { machine } of ward.vpss) machine.unit = 'failed';
    for (const { state } of ward.vpss) await expect.poll(state, PATIENCE).toEqual(whole({ totalRecoveries: 1 }));
    const [byBus, bySudo] = ward.vpss.map(({ commands }) =>
      commands.filter((one) => one.includes('systemctl restart')),
    );
    expect([byBus?.length, bySudo?.length]).toEqual([0, 1]);
    await ward.sweep();
    expect(ward.vpss.map(({ state }) => state()?.linkLimit)).toEqual([null, 'start_refused']);
  });

  it('again gets no more restarts than a sweep would send: the next one is of a sweep', async () => {
    const ward = await openHealthyWard([{}], { HEALTH_CHECK_CRON: '0 * * * *' });
    ward.vps.machine.unit = 'failed';
    await expect.poll(() => ward.vps.state(), PATIENCE).toEqual(whole({ totalRecoveries: 1 }));
    ward.vps.machine.unit = 'failed';
    await expect
      .poll(() => ward.vps.state(), PATIENCE)
      .toEqual(whole({ status: 'unhealthy', lastError: expect.stringContaining('restarted a moment ago') as string }));
    expect(ward.vps.state()).toMatchObject({ consecutiveFailures: 0, totalFailures: 2 });
    // Within the interval of an hour the sweep does not send it either.
    await ward.sweep();
    expect(ward.vps.machine.starts).toBe(2);
  });

  it.for<[string, (ward: LinkedWard) => Promise<unknown>]>([
    ['under maintenance', (ward) => setMaintenance(ward.app, ward.vps, true)],
    ['while healing is off', (ward) => setHealing(ward.app.db, LOCAL_OPERATOR, 'off')],
  ])('is looked at and left alone %s', async ([, forbid]) => {
    const ward = await openHealthyWard();
    await forbid(ward);
    ward.vps.machine.unit = 'failed';
    await expect.poll(() => ward.vps.state()?.totalChecks, PATIENCE).toBe(2);
    expect(ward.vps.machine.starts).toBe(1);
    expect(ledger(ward)).toEqual([]);
  });
});

describe('news', () => {
  it('that a service is back ends its outage, without a restart', async () => {
    const ward = await openHealthyWard();
    await setHealing(ward.app.db, LOCAL_OPERATOR, 'off');
    ward.vps.machine.unit = 'failed';
    await expect.poll(() => ward.vps.state()?.status, PATIENCE).toBe('unhealthy');
    ward.vps.machine.unit = 'active';
    await expect.poll(() => ward.vps.state(), PATIENCE).toEqual(whole({ status: 'healthy', totalRecoveries: 1 }));
    expect(ledger(ward)).toEqual([]);
  });

  it('of a stop that is followed by a start calls for nothing', async () => {
    const ward = await openHealthyWard();
    const { machine } = ward.vps;
    machine.unit = 'inactive';
    machine.unit = 'active';
    // What comes after it has been heard after it.
    const heard = ward.vps.state()?.totalChecks;
    await ward.sweep();
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', totalFailures: 0, totalChecks: Number(heard) + 1 });
  });

  it('of a mass stop sends no more restarts than a sweep may, and pauses healing', async () => {
    const ward = await openHealthyWard(Array<Partial<Machine>>(12).fill({}));
    for (const { machine } of ward.vpss) machine.unit = 'failed';
    await expect.poll(() => readMonitorState(ward.app.db).healing, PATIENCE).toBe('paused');
    await ward.end();
    const restarted = ward.vpss.filter(({ machine }) => machine.starts > 1);
    expect(restarted.length).toBeLessThanOrEqual(5);
    await ward.sweep();
    expect(ward.vpss.filter(({ machine }) => machine.starts > 1)).toHaveLength(restarted.length);
  });

  it('that cannot be followed, as the database is gone, is not tried again at once', async () => {
    const ward = await openHealthyWard([{}, {}]);
    const isSaid = (line: string): boolean => line.includes('could not be followed');
    rmSync(ward.app.settings.databasePath);
    for (const [index, { machine }] of ward.vpss.entries()) {
      machine.unit = 'failed';
      await expect.poll(() => ward.lines.filter(isSaid).length, PATIENCE).toBe(index + 1);
    }
    // The second one by itself: the first was not among what was looked at with it.
    expect(ward.lines.filter(isSaid)).toEqual(Array(2).fill(expect.stringContaining('news of 1 VPS could not')));
    expect(ward.vpss.map(({ machine }) => machine.starts)).toEqual([1, 1]);
  });

  it('is not what tells that a VPS is unreachable', async () => {
    const ward = await openHealthyWard([{}], { SSH_CONNECT_TIMEOUT_MS: '300', SSH_COMMAND_TIMEOUT_MS: '300' });
    const { machine, host } = ward.vps;
    machine.unit = 'failed';
    await host.refuse();
    await ward.end();
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', reachable: true, totalChecks: 1 });
    await ward.sweep();
    expect(ward.vps.state()).toMatchObject({ status: 'down', reachable: false });
  });
});

describe('a service that systemd itself restarts', () => {
  const restartBySystemd = ({ vps: { machine } }: LinkedWard, times: number): void => {
    for (let time = 0; time < times; time++) {
      machine.unit = 'activating';
      machine.starts += 1;
      machine.restarts += 1;
      machine.unit = 'active';
    }
  };
  const noted = ({ app }: LinkedWard) =>
    app.db
      .select()
      .from(healthEvents)
      .all()
      .filter(({ kind }) => kind === 'systemd_restarted')
      .map(({ detail }) => detail);

  it('has not failed, and it is written down', async () => {
    const ward = await openHealthyWard();
    restartBySystemd(ward, 2);
    await expect.poll(() => noted(ward), PATIENCE).toEqual([{ restarts: 2, isLoop: false }]);
    expect(ward.vps.state()).toMatchObject({ status: 'healthy', totalFailures: 0, totalChecks: 1 });
    expect(ledger(ward)).toEqual([]);
  });

  it('more than five times in half an hour is told to admins, once', async () => {
    const ward = await openHealthyWard();
    await addUser(ward.app, 'root@example.test', { role: 'admin', password: false });
    restartBySystemd(ward, 6);
    await expect.poll(() => noted(ward), PATIENCE).toEqual([{ restarts: 6, isLoop: true }]);
    expect(ward.app.db.select().from(notifications).all()).toEqual([whole({ kind: 'kept_alive', audience: 'admin' })]);
    restartBySystemd(ward, 3);
    await expect.poll(() => noted(ward), PATIENCE).toEqual([whole({ restarts: 6 }), { restarts: 3, isLoop: true }]);
    expect(ward.app.db.select().from(notifications).all()).toHaveLength(1);
  });
});
