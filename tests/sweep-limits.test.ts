import { asc } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { healthEvents, incidents, notifications } from '../src/lib/db/schema.ts';
import { acceptOutage, CALM, readMonitorState, setHealing } from '../src/lib/monitoring/monitor-state.ts';
import { claimsOf } from '../src/lib/monitoring/vps-claims.ts';
import { readStrips } from '../src/lib/views/checks-read.ts';
import { stateOf } from './support/scratch-app.ts';
import { openSimulatedFleet, type SimulatedFleet } from './support/simulated-fleet.ts';

const statuses = ({ app, vpss }: SimulatedFleet): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { userId } of vpss) {
    const status = stateOf(app, userId)?.status ?? 'none';
    counts[status] = (counts[status] ?? 0) + 1;
  }
  return counts;
};
const messages = ({ app }: SimulatedFleet): string[] =>
  app.db
    .select()
    .from(notifications)
    .orderBy(asc(notifications.createdAt))
    .all()
    .map(({ kind, audience }) => `${audience}: ${kind}`);
const journal = ({ app }: SimulatedFleet, kind: string) =>
  app.db
    .select()
    .from(healthEvents)
    .all()
    .filter((event) => event.kind === kind);

/** Takes some VPSs in hand, as a check does that an admin has asked for, while `meanwhile` goes on. */
async function whileInOtherHands(
  { app, vpss }: SimulatedFleet,
  [from, to]: readonly [number, number],
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  const ids = vpss.slice(from, to).map(({ id }) => id);
  const claims = claimsOf(app);
  for (const id of ids) expect(claims.tryClaim(id, Infinity)).toBe(true);
  await meanwhile();
  for (const id of ids) claims.giveBack(id);
}

describe('an outage of our own', () => {
  it('moves nothing, is told once when it begins and once when it ends', async () => {
    const fleet = await openSimulatedFleet(7);
    await fleet.sweep();
    const before = fleet.vpss.map(({ userId }) => stateOf(fleet.app, userId));
    await fleet.refuse(0, 3);
    for (let round = 0; round < 4; round++) {
      expect(await fleet.sweep()).toMatchObject({ checked: 4, healthy: 4, unchecked: 3 });
      expect(readMonitorState(fleet.app.db)).toMatchObject({ outageUnreachable: 3, outageReachableBefore: 7 });
    }
    for (const [index, { userId }] of fleet.vpss.slice(0, 3).entries())
      expect(stateOf(fleet.app, userId)).toMatchObject({
        status: 'healthy',
        circuitState: 'closed',
        consecutiveFailures: 0,
        totalChecks: 1,
        totalFailures: 0,
        lastCheckAt: before[index]?.lastCheckAt,
        lastErrorCode: 'outage',
      });
    expect(fleet.app.db.select().from(incidents).all()).toEqual([]);
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began']);
    const strips = [...readStrips(fleet.app, LOCAL_OPERATOR, null, new Date()).values()];
    expect(strips).toHaveLength(7);
    expect(strips.filter((strip) => /[ud]/.test(strip))).toEqual([]);

    await fleet.accept(0, 3);
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 7 });
    expect(readMonitorState(fleet.app.db).outageSince).toBeNull();
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began', 'admin: monitor_fault_ended']);
  });

  it('does not end for a sweep that leaves those that are lost to what an admin has asked for', async () => {
    const fleet = await openSimulatedFleet(7);
    await fleet.sweep();
    await fleet.refuse(0, 3);
    await fleet.sweep();
    await whileInOtherHands(fleet, [0, 3], async () => {
      expect(await fleet.sweep()).toMatchObject({ checked: 4, healthy: 4, unchecked: 0 });
    });
    expect(readMonitorState(fleet.app.db)).toMatchObject({ outageUnreachable: 3, outageReachableBefore: 7 });
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began']);
    await whileInOtherHands(fleet, [0, 1], () => fleet.sweep());
    expect(statuses(fleet)).toEqual({ healthy: 7 });
    // Those that are looked at settle it by themselves: whatever the one is, the others answer.
    await fleet.accept(1, 3);
    await whileInOtherHands(fleet, [0, 1], () => fleet.sweep());
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began', 'admin: monitor_fault_ended']);
  });

  it('does not count in the part that a sweep looks at, while the rest may be lost too', async () => {
    const fleet = await openSimulatedFleet(7);
    await fleet.sweep();
    await fleet.refuse(0, 3);
    await whileInOtherHands(fleet, [1, 3], () => fleet.sweep());
    expect(statuses(fleet)).toEqual({ healthy: 7 });
    expect(messages(fleet)).toEqual([]);
    await fleet.sweep();
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began']);
  });

  it('is accepted until the whole fleet has been looked at', async () => {
    const fleet = await openSimulatedFleet(7);
    await fleet.sweep();
    await fleet.refuse(0, 7);
    await fleet.sweep();
    await acceptOutage(fleet.app.db, LOCAL_OPERATOR);
    await whileInOtherHands(fleet, [0, 3], () => fleet.sweep());
    expect(statuses(fleet)).toEqual({ healthy: 3, down: 4 });
    await fleet.sweep();
    expect(statuses(fleet)).toMatchObject({ down: 7 });
    expect(messages(fleet).filter((message) => message.startsWith('admin'))).toEqual([
      'admin: monitor_fault_began',
      'admin: monitor_fault_ended',
    ]);
  });

  it('is none when two of seven are lost: they count, and both customers hear of it after the second sweep', async () => {
    const fleet = await openSimulatedFleet(7);
    await fleet.sweep();
    await fleet.refuse(0, 2);
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 5, down: 2 });
    expect(messages(fleet)).toEqual([]);
    await fleet.sweep();
    expect(messages(fleet)).toEqual(['customer: down', 'customer: down']);
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 5, circuit_open: 2 });
    expect(messages(fleet).slice(2)).toEqual(['admin: circuit_opened', 'admin: circuit_opened']);
    expect(journal(fleet, 'monitor_fault_began')).toEqual([]);
  });

  it('is not seen in what was unreachable before, and does not move that either', async () => {
    const fleet = await openSimulatedFleet(7);
    await fleet.refuse(6, 7);
    await fleet.sweep();
    expect(stateOf(fleet.app, fleet.vpss[6]?.userId ?? '')).toMatchObject({ status: 'down', totalFailures: 1 });
    await fleet.refuse(0, 3);
    await fleet.sweep();
    expect(readMonitorState(fleet.app.db)).toMatchObject({ outageUnreachable: 3, outageReachableBefore: 6 });
    expect(stateOf(fleet.app, fleet.vpss[6]?.userId ?? '')).toMatchObject({ status: 'down', totalFailures: 1 });
  });

  it('is not seen in hosts that answer, and refuse the login: they are told of, and left alone for a while', async () => {
    const fleet = await openSimulatedFleet(5);
    await fleet.sweep();
    fleet.loseLogin();
    await fleet.sweep();
    expect(readMonitorState(fleet.app.db).outageSince).toBeNull();
    expect(statuses(fleet)).toEqual({ down: 5 });
    expect(messages(fleet)).toEqual([]);
    for (const { userId } of fleet.vpss)
      expect(stateOf(fleet.app, userId)).toMatchObject({ authFailures: 1, authRetryAt: expect.any(Date) });
    await fleet.sweep();
    expect(messages(fleet).filter((message) => message.startsWith('admin'))).toEqual(
      Array.from({ length: 5 }, () => 'admin: access_rejected'),
    );
  });

  it('counts as one of the fleet once an admin has said so', async () => {
    const fleet = await openSimulatedFleet(5);
    await fleet.sweep();
    expect(await acceptOutage(fleet.app.db, LOCAL_OPERATOR)).toBe(false);
    await fleet.refuse(0, 4);
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 5 });
    expect(await acceptOutage(fleet.app.db, LOCAL_OPERATOR)).toBe(true);
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 1, down: 4 });
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began', 'admin: monitor_fault_ended']);
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 1, down: 4 });
    expect(readMonitorState(fleet.app.db).outageSince).toBeNull();
  });
});

describe('a sweep that is interrupted', () => {
  it('judges no outage by the part that it has seen, and neither begins nor ends one', async () => {
    const fleet = await openSimulatedFleet(10);
    await fleet.sweep();
    const before = fleet.vpss.map(({ userId }) => stateOf(fleet.app, userId));
    const { sweptAt } = readMonitorState(fleet.app.db);
    await fleet.refuse(0, 10);
    await fleet.sweepUntil(5);
    expect(readMonitorState(fleet.app.db)).toEqual({ ...CALM, sweptAt });
    expect(fleet.vpss.map(({ userId }) => stateOf(fleet.app, userId))).toEqual(before);
    expect(messages(fleet)).toEqual([]);

    await fleet.sweep();
    const outage = readMonitorState(fleet.app.db);
    expect(outage).toMatchObject({ outageUnreachable: 10 });
    await fleet.accept(0, 10);
    await fleet.sweepUntil(5);
    expect(readMonitorState(fleet.app.db)).toEqual(outage);
    expect(messages(fleet)).toEqual(['admin: monitor_fault_began']);
  });

  it('neither pauses healing nor restarts what looks like a mass stop so far', async () => {
    const fleet = await openSimulatedFleet(10);
    await fleet.sweep();
    const before = fleet.vpss.map(({ userId }) => stateOf(fleet.app, userId));
    const { sweptAt } = readMonitorState(fleet.app.db);
    fleet.set({ unit: 'failed' }, 0, 10);
    await fleet.sweepUntil(5);
    expect(readMonitorState(fleet.app.db)).toEqual({ ...CALM, sweptAt });
    expect(fleet.restarts()).toBe(0);
    expect(fleet.vpss.map(({ userId }) => stateOf(fleet.app, userId))).toEqual(before);
    expect(messages(fleet)).toEqual([]);
    await fleet.sweep();
    expect(readMonitorState(fleet.app.db)).toMatchObject({ healing: 'paused', pauseStopped: 10, pauseFleet: 10 });
  });
});

describe('healing', () => {
  it('sends a tenth of a large fleet its restarts in one sweep', async () => {
    const fleet = await openSimulatedFleet(60);
    fleet.set({ unit: 'failed' }, 0, 8);
    expect(await fleet.sweep()).toMatchObject({ restarted: 6, unhealthy: 2, healthy: 58 });
    expect(fleet.restarts()).toBe(6);
  });

  it('sends at most so many restarts a sweep, and the rest is healed in the next ones without opening a circuit', async () => {
    const fleet = await openSimulatedFleet(15);
    await fleet.sweep();
    fleet.set({ unit: 'failed' }, 0, 7);
    expect(await fleet.sweep()).toMatchObject({ restarted: 5, unhealthy: 2 });
    expect(fleet.restarts()).toBe(5);
    const waiting = fleet.vpss
      .map(({ userId }) => stateOf(fleet.app, userId))
      .filter((row) => row?.status === 'unhealthy');
    expect(waiting).toHaveLength(2);
    for (const row of waiting) {
      expect(row).toMatchObject({ consecutiveFailures: 0, totalFailures: 1, circuitState: 'closed' });
      expect(row?.lastError).toContain('as many restarts as it may');
    }
    expect(await fleet.sweep()).toMatchObject({ restarted: 2, healthy: 15 });
  });

  it.each([
    ['at the beginning', 0],
    ['at the end', 4],
  ])('pauses when more than half of ten stop at once, %s of the fleet, until an admin decides', async (_, from) => {
    const fleet = await openSimulatedFleet(10);
    await fleet.sweep();
    fleet.set({ unit: 'failed' }, from, from + 6);
    await fleet.sweep();
    // Those that were seen before the majority showed may have been restarted: one of a batch of five at most half.
    const early = fleet.restarts();
    expect(early).toBeLessThanOrEqual(from === 0 ? 0 : 1);
    expect(readMonitorState(fleet.app.db)).toMatchObject({ healing: 'paused', pauseStopped: 6, pauseFleet: 10 });
    for (let round = 0; round < 3; round++) await fleet.sweep();
    expect(fleet.restarts()).toBe(early);
    expect(statuses(fleet)).toEqual({ healthy: 4 + early, unhealthy: 6 - early });
    expect(messages(fleet).filter((message) => message.startsWith('admin'))).toEqual(['admin: monitor_fault_began']);

    await setHealing(fleet.app.db, LOCAL_OPERATOR, 'on');
    await fleet.sweep();
    await fleet.sweep();
    expect(statuses(fleet)).toEqual({ healthy: 10 });
    expect(journal(fleet, 'monitor_fault_ended')).toMatchObject([{ actor: 'cli' }]);
  });

  it('waits for the next sweep when the part that is looked at has stopped, and the rest may have', async () => {
    const fleet = await openSimulatedFleet(10);
    await fleet.sweep();
    fleet.set({ unit: 'failed' }, 0, 10);
    await whileInOtherHands(fleet, [0, 5], () => fleet.sweep());
    expect(fleet.restarts()).toBe(0);
    expect(readMonitorState(fleet.app.db).healing).toBe('on');
    expect(statuses(fleet)).toEqual({ healthy: 5, unhealthy: 5 });
  });

  it('goes on when half of ten stop, or more than half of nine', async () => {
    for (const [size, stopped] of [
      [10, 5],
      [9, 5],
    ] as const) {
      const fleet = await openSimulatedFleet(size);
      await fleet.sweep();
      fleet.set({ unit: 'failed' }, 0, stopped);
      await fleet.sweep();
      expect(readMonitorState(fleet.app.db).healing).toBe('on');
      expect(statuses(fleet)).toEqual({ healthy: size });
    }
  });

  it('does not pause for a fleet that was found stopped at the first look', async () => {
    const fleet = await openSimulatedFleet(10);
    fleet.set({ unit: 'failed' }, 0, 6);
    await fleet.sweep();
    expect(readMonitorState(fleet.app.db).healing).toBe('on');
    expect(fleet.restarts()).toBe(5);
  });

  it('can be turned off for the whole fleet, while checks go on and customers hear of it', async () => {
    const fleet = await openSimulatedFleet(2);
    await fleet.sweep();
    await setHealing(fleet.app.db, LOCAL_OPERATOR, 'off');
    fleet.set({ unit: 'failed' }, 0, 1);
    for (let round = 0; round < 4; round++) await fleet.sweep();
    expect(fleet.restarts()).toBe(0);
    expect(stateOf(fleet.app, fleet.vpss[0]?.userId ?? '')).toMatchObject({
      status: 'unhealthy',
      circuitState: 'closed',
      totalChecks: 5,
      lastError: expect.stringContaining('automatic restarts are switched off'),
    });
    expect(messages(fleet)).toEqual(['customer: down']);
    await setHealing(fleet.app.db, LOCAL_OPERATOR, 'on');
    expect(await fleet.sweep()).toMatchObject({ restarted: 1, healthy: 2 });
    expect(messages(fleet)).toEqual(['customer: down', 'customer: up']);
    expect(
      journal(fleet, 'admin_action')
        .map(({ detail }) => detail.action)
        .slice(-2),
    ).toEqual(['healing_off', 'healing_on']);
  });
});
