import { asc, eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { healthEvents, incidents, notifications, subscriptions, users } from '../src/lib/db/schema.ts';
import { removeVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { planMaintenance } from '../src/lib/fleet-admin/vps-actions.ts';
import { acknowledgeIncident } from '../src/lib/fleet-admin/incident-admin.ts';
import { readLastChecks } from '../src/lib/views/checks-read.ts';
import { listIncidents, readIncident } from '../src/lib/views/incident-read.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { parseMaintenance } from '../src/lib/fleet-admin/maintenance-request.ts';
import { enforceGracePeriod } from '../src/lib/jobs/grace-period-enforcer.ts';
import { letTimePass, openWard, setMaintenance, sweepWhileHeld, type Ward } from './support/scratch-app.ts';

const incidentsOf = ({ app }: Ward) => app.db.select().from(incidents).orderBy(asc(incidents.openedAt)).all();
const journalOf = ({ app }: Ward): string[] =>
  app.db
    .select()
    .from(healthEvents)
    .orderBy(asc(healthEvents.id))
    .all()
    .map(({ kind }) => kind)
    .filter((kind) => kind !== 'admin_action');
const samplesOf = ({ app }: Ward): string[] =>
  app.db
    .select({ id: subscriptions.id })
    .from(subscriptions)
    .all()
    .flatMap(({ id }) => readLastChecks(app, LOCAL_OPERATOR, id, new Date()) ?? [])
    .map(({ state }) => state);

describe('an incident', () => {
  it('spans from the first failed check to recovery, with its restarts, and is told in the journal', async () => {
    const ward = await openWard();
    await ward.sweep();
    ward.host.set({ state: 'failed', onRestart: 'fails', sub: 'failed', result: 'exit-code' });
    await ward.sweep();
    expect(incidentsOf(ward)).toMatchObject([{ endedAt: null, cause: 'service_not_active', failedChecks: 1 }]);
    await ward.sweep();
    await ward.sweep();
    ward.host.set({ state: 'active' });
    await ward.sweep();
    const [incident] = listIncidents(ward.app, LOCAL_OPERATOR, { limit: 10 });
    expect(incident).toMatchObject({
      vpsId: ward.id,
      endedBy: 'by_itself',
      failedChecks: 3,
      restarts: 3,
      firstError: 'service not active: failed (exit-code)',
      circuitOpenedAt: expect.any(Date),
    });
    expect(incident?.endedAt?.getTime()).toBeGreaterThan(incident?.openedAt.getTime() ?? Infinity);
    expect(journalOf(ward)).toEqual([
      'check_failed',
      'restart_intended',
      'restart_failed',
      'restart_intended',
      'restart_failed',
      'restart_intended',
      'restart_failed',
      'circuit_opened',
      'recovered',
      'circuit_closed',
    ]);
    expect(samplesOf(ward)).toEqual(['healthy', 'unhealthy', 'unhealthy', 'unhealthy', 'healthy']);
    await ward.sweep();
    expect(incidentsOf(ward)).toHaveLength(1);
  });

  it('that a restart ends within the same check is one, and short', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await ward.sweep();
    expect(incidentsOf(ward)).toMatchObject([{ endedBy: 'restart', failedChecks: 1 }]);
    expect(journalOf(ward)).toEqual(['check_failed', 'restart_intended', 'restart_succeeded', 'recovered']);
    const [incident] = incidentsOf(ward);
    const page = readIncident(ward.app, LOCAL_OPERATOR, incident?.id ?? '');
    // Read in the order in which it happened: what was seen, then what was done about it.
    expect(page?.events.map(({ kind }) => kind)).toEqual([
      'check_failed',
      'restart_intended',
      'restart_succeeded',
      'recovered',
    ]);
    // Up again from the end of the restart, not from the next look.
    expect(samplesOf(ward)).toEqual(['unhealthy', 'healthy']);
  });

  it('is one, however often its error changes, and the journal keeps each new error', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', load: 'masked' });
    await ward.sweep();
    await ward.host.stop();
    await ward.sweep();
    await ward.sweep();
    expect(incidentsOf(ward)).toMatchObject([{ cause: 'unit_masked', failedChecks: 3, endedAt: null }]);
    expect(journalOf(ward)).toEqual(['configuration_fault', 'check_failed', 'circuit_opened']);
  });

  it('ends when its VPS is removed, and stays readable', async () => {
    const ward = await openWard();
    await ward.host.stop();
    await ward.sweep();
    await removeVps(ward.app, LOCAL_OPERATOR, ward.id);
    expect(incidentsOf(ward)).toMatchObject([{ endedBy: 'not_watched', endedAt: expect.any(Date) }]);
    expect(listIncidents(ward.app, LOCAL_OPERATOR, { limit: 10 })).toMatchObject([{ host: null }]);
  });

  it('of another customer does not exist for a customer', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    await ward.sweep();
    const [incident] = incidentsOf(ward);
    const id = incident?.id ?? '';
    const other = { role: 'customer', userId: 'user-other' } as const;
    expect(readIncident(ward.app, other, id)).toBeUndefined();
    expect(listIncidents(ward.app, other, { limit: 10 })).toEqual([]);
    const own = readIncident(ward.app, { role: 'customer', userId: ward.userId }, id);
    expect(own?.restarts).toMatchObject([{ outcome: 'succeeded', unit: null, journal: null }]);
    expect(JSON.stringify(own)).not.toContain('service not active');
  });

  it('is acknowledged once, while it is open', async () => {
    const ward = await openWard();
    await ward.host.stop();
    await ward.sweep();
    const id = incidentsOf(ward)[0]?.id ?? '';
    const at = new Date('2026-01-01T12:00:00Z');
    await acknowledgeIncident(ward.app, LOCAL_OPERATOR, id, at);
    await acknowledgeIncident(ward.app, LOCAL_OPERATOR, id, new Date());
    expect(incidentsOf(ward)).toMatchObject([{ acknowledgedAt: at, acknowledgedBy: 'cli' }]);
    await ward.host.start();
    await ward.sweep();
    await expect(acknowledgeIncident(ward.app, LOCAL_OPERATOR, id, at)).rejects.toThrow('has ended already');
    await expect(acknowledgeIncident(ward.app, LOCAL_OPERATOR, 'incident-x', at)).rejects.toThrow('no incident');
  });
});

describe('evidence', () => {
  const evidenceOf = (ward: Ward) =>
    readIncident(ward.app, LOCAL_OPERATOR, incidentsOf(ward)[0]?.id ?? '')?.restarts[0];

  it('is what the host said right before the restart, without control characters', async () => {
    const ward = await openWard();
    const journal = 'first line\n\u001b[31msecond\u001b[0m line\u0007\n';
    ward.host.set({ state: 'failed', sub: 'failed', result: 'exit-code', journal });
    await ward.sweep();
    expect(evidenceOf(ward)).toMatchObject({ outcome: 'succeeded', journal: 'first line\nsecond line' });
    expect(evidenceOf(ward)?.unit?.split('\n')).toEqual([
      'LoadState=loaded',
      'ActiveState=failed',
      'SubState=failed',
      'Result=exit-code',
      'ExecMainStatus=1',
      'NRestarts=0',
      'InvocationID=0123456789abcdef',
      'TimeoutStartUSec=',
      expect.stringMatching(/^Uptime=[\d.]+$/),
    ]);
    const lines = ward.host.commands().map((line) => /is-active|show|journalctl|restart/.exec(line)?.[0]);
    expect(lines).toEqual(['is-active', 'show', 'journalctl', 'restart', 'is-active']);
  });

  it('of a talkative unit is cut to 16 KiB, and begins with a whole line', async () => {
    const ward = await openWard();
    const journal = Array.from({ length: 400 }, (_, index) => `line ${index} ${'x'.repeat(200)}`).join('\n');
    ward.host.set({ state: 'inactive', journal });
    await ward.sweep();
    const kept = evidenceOf(ward)?.journal ?? '';
    expect(kept.length).toBeGreaterThan(12 * 1024);
    expect(kept.length).toBeLessThanOrEqual(16 * 1024);
    expect(kept).toMatch(/^line \d+ x/);
    expect(kept.split('\n').at(-1)).toContain('line 399');
  });

  it('is no condition of the restart', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive' });
    ward.host.refuseSudo('--unit*', 'Sorry, user test is not allowed to execute journalctl');
    await ward.sweep();
    expect(evidenceOf(ward)).toMatchObject({ outcome: 'succeeded', journal: '' });
  });

  it('is written before the restart is sent', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', journal: 'the last words' });
    await sweepWhileHeld(ward, 'restart', () => {
      expect(evidenceOf(ward)).toMatchObject({ outcome: null, journal: 'the last words' });
      expect(journalOf(ward)).toEqual(['check_failed', 'restart_intended']);
      return Promise.resolve();
    });
  });

  it('takes the login that may read the journal without sudo', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'inactive', journal: 'readable' });
    ward.host.refuseSudo('--unit*', 'Sorry');
    await ward.sweep();
    expect(evidenceOf(ward)).toMatchObject({ journal: 'readable' });
  });
});

describe('maintenance', () => {
  it('is noted in the journal when a sweep finds it begun and ended', async () => {
    const ward = await openWard();
    await setMaintenance(ward.app, ward, true);
    ward.host.set({ state: 'inactive' });
    await ward.sweep();
    await ward.sweep();
    await setMaintenance(ward.app, ward, false);
    ward.host.set({ state: 'active' });
    await ward.sweep();
    expect(journalOf(ward)).toEqual(['maintenance_began', 'maintenance_ended']);
    expect(samplesOf(ward)).toEqual(['maintenance', 'maintenance', 'healthy']);
    expect(incidentsOf(ward)).toEqual([]);
    expect(ward.app.db.select().from(notifications).all()).toEqual([]);
  });

  it('until the next healthy check ends with that check', async () => {
    const ward = await openWard();
    const parsed = parseMaintenance({ untilHealthy: true }, new Date());
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
    await planMaintenance(ward.app, LOCAL_OPERATOR, [ward.id], parsed.window);
    ward.host.set({ state: 'inactive', onRestart: 'fails' });
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(0);
    ward.host.set({ state: 'active' });
    await ward.sweep();
    ward.host.set({ state: 'inactive' });
    await ward.sweep();
    expect(ward.host.count('restart')).toBe(1);
  });
});

describe('messages', () => {
  const sent = (ward: Ward): string[] =>
    ward.app.db
      .select()
      .from(notifications)
      .orderBy(asc(notifications.createdAt))
      .all()
      .map(({ kind }) => kind);

  it.each([
    ['is down again, then up', true],
    ['is up at once', false],
  ])('tell that it is back up also after a subscription was cancelled and renewed, and it %s', async (_, isDown) => {
    const ward = await openWard();
    const { db } = ward.app;
    const subscription = eq(subscriptions.id, ward.id);
    for (const told of [
      ['down', 'up'],
      ['down', 'up', 'down', 'up'],
    ]) {
      await ward.host.stop();
      for (let round = 0; round < 2; round++) await ward.sweep();
      db.update(subscriptions)
        .set({ status: 'past_due', pastDueSince: new Date(0) })
        .where(subscription)
        .run();
      await enforceGracePeriod(db, new Date(), 1);
      db.update(subscriptions).set({ status: 'active', pastDueSince: null }).where(subscription).run();
      if (isDown) await ward.sweep();
      await ward.host.start();
      await ward.sweep();
      expect(sent(ward)).toEqual(told);
    }
  });

  it('are in the outbox with the change they tell of, once', async () => {
    const ward = await openWard();
    await ward.sweep();
    await ward.host.stop();
    for (let round = 0; round < 5; round++) await ward.sweep();
    expect(sent(ward)).toEqual(['down']);
    await ward.scratch.reopen();
    await ward.sweep();
    await ward.host.start();
    await ward.sweep();
    expect(sent(ward)).toEqual(['down', 'up']);
    const [down, up] = ward.app.db.select().from(notifications).orderBy(asc(notifications.createdAt)).all();
    expect(down).toMatchObject({ recipientId: ward.userId, channel: 'email', status: 'pending' });
    expect(up?.facts).toMatchObject({ about: 'vps', incident: { endedAtMs: expect.any(Number), failedChecks: 6 } });
    expect(ward.state()).toMatchObject({ lastNotifiedDownAt: expect.any(Date), lastNotifiedUpAt: expect.any(Date) });
  });

  it.each<[string, (ward: Ward) => void]>([
    ['sudo refuses', ({ host }) => host.refuseSudo('*', 'sudo: a password is required')],
    ['a message of the day comes first', ({ host }) => host.set({ state: 'Welcome!\nactive' })],
    [
      'systemctl finds no bus',
      ({ host }) => host.refuseSudo('*', 'Failed to connect to bus: No such file or directory'),
    ],
  ])('are for admins only while SSH works and %s', async (_, spoil) => {
    const ward = await openWard();
    ward.app.db.insert(users).values({ id: 'user-admin', email: 'root@admin.example', role: 'admin' }).run();
    await ward.sweep();
    spoil(ward);
    for (let round = 0; round < 4; round++) await ward.sweep();
    expect(ward.state()).toMatchObject({ status: 'circuit_open', reachable: true });
    const told = ward.app.db.select().from(notifications).all();
    expect(told.map(({ audience }) => audience)).toEqual(['admin', 'admin']);
    // Whether the service runs is not known, so it counts neither as up nor as down.
    expect(samplesOf(ward)).toEqual(['healthy', 'unknown', 'unknown', 'unknown', 'unknown']);
    expect(told[0]).toMatchObject({ kind: expect.stringMatching(/^(access_rejected|configuration_fault)$/) });
  });

  it('hold no secret and nothing of the key', async () => {
    const ward = await openWard();
    await ward.host.stop();
    await ward.sweep();
    await ward.sweep();
    const stored = JSON.stringify(ward.app.db.select().from(notifications).all());
    expect(stored).toContain('"down"');
    for (const line of ward.host.privateKey.split('\n').slice(1, -2)) expect(stored).not.toContain(line);
  });
});

describe('a circuit that stays open', () => {
  it('is reminded of daily by its incident, not by its latest trial', async () => {
    const ward = await openWard();
    ward.host.set({ state: 'failed', onRestart: 'fails' });
    for (let round = 0; round < 3; round++) await ward.sweep();
    const opened = incidentsOf(ward)[0]?.circuitOpenedAt;
    letTimePass(ward.app, 31 * 60_000);
    await ward.sweep();
    expect(incidentsOf(ward)[0]?.circuitOpenedAt?.getTime()).toBe((opened?.getTime() ?? 0) - 31 * 60_000);
    expect(ward.state()?.circuitOpenedAt?.getTime()).toBeGreaterThan(opened?.getTime() ?? Infinity);
    expect(journalOf(ward).slice(-3)).toEqual(['trial_began', 'restart_failed', 'trial_failed']);
  });
});
