import { eq } from 'drizzle-orm';
import { adminName, type Actor } from '../auth/actor.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { monitorState, type MonitorState } from '../db/schema.ts';
import type { Tenure } from '../db/lease.ts';
import { publish } from '../live/bus.ts';
import { appendJournal, noteAdminAction } from '../db/journal-store.ts';
import { announceIn } from '../notifications/announcer.ts';
import type { MonitorFault } from '../facts/message.ts';
import { assertTenure } from './tenure.ts';
import { looksLikeOurOutage, looksLikeOurOutageInPart, type Reachability } from './rules/outage-guard.ts';

const ROW = 1;

/** As it is before anything has happened. */
export const CALM: MonitorState = {
  id: ROW,
  healing: 'on',
  healingSince: null,
  healingBy: null,
  healingReason: null,
  pauseStopped: null,
  pauseFleet: null,
  outageSince: null,
  outageUnreachable: null,
  outageReachableBefore: null,
  outageAcceptedAt: null,
  outageAcceptedBy: null,
  sweptAt: null,
  sweepFault: null,
  sweepFailedAt: null,
};

/** What is true of the monitor as a whole. */
export const readMonitorState = (db: Database | Transaction): MonitorState =>
  db.select().from(monitorState).where(eq(monitorState.id, ROW)).get() ?? CALM;

const change = (tx: Transaction, columns: Partial<Omit<MonitorState, 'id'>>): void => {
  tx.insert(monitorState)
    .values({ ...CALM, ...columns })
    .onConflictDoUpdate({ target: monitorState.id, set: columns })
    .run();
  publish(tx, { kind: 'monitor' });
};

/** Writes down that a fault of the whole monitor began or ended, and tells the admins. */
function noteFault(
  tx: Transaction,
  kind: 'monitor_fault_began' | 'monitor_fault_ended',
  fault: MonitorFault,
  { at, beganAt, actor = 'monitor' }: { readonly at: Date; readonly beganAt: Date; readonly actor?: string },
): void {
  const { kind: name, ...counts } = fault;
  const detail = { fault: name, ...counts };
  appendJournal(tx, [{ at, kind, userId: null, vpsId: null, incidentId: null, actor, detail }]);
  const occurrence = `${name}-${beganAt.getTime()}`;
  announceIn(tx, [{ kind, audience: 'admin', occurrence }], {
    userId: null,
    incident: null,
    facts: { about: 'fleet', atMs: at.getTime(), beganAtMs: beganAt.getTime(), fault },
    at,
  });
}

const outageOf = (state: MonitorState): MonitorFault => ({
  kind: 'outage',
  unreachable: state.outageUnreachable ?? 0,
  reachableBefore: state.outageReachableBefore ?? 0,
});

const NO_OUTAGE = {
  outageSince: null,
  outageUnreachable: null,
  outageReachableBefore: null,
  outageAcceptedAt: null,
  outageAcceptedBy: null,
};

/**
 * Judges a sweep as a whole; gives whether what it found unreachable counts. Told once at the beginning and the end.
 * `unseen`: how many VPSs it has left to what an admin has asked for; what depends on them is for the next sweep to see.
 */
export const judgeSweep = (
  db: Database,
  tenure: Tenure,
  { unseen, ...found }: Reachability & { readonly unseen: number },
  at: Date,
): Promise<{ readonly counts: boolean }> =>
  write(db, (tx) => {
    assertTenure(tx, tenure);
    const state = readMonitorState(tx);
    // What an admin has accepted holds for the unseen too, once they are looked at.
    if (unseen > 0 && state.outageAcceptedAt !== null) return { counts: true };
    const outage = looksLikeOurOutageInPart(found, unseen);
    if (outage === null) return { counts: false };
    if (state.outageSince !== null && (!outage || state.outageAcceptedAt !== null)) {
      noteFault(tx, 'monitor_fault_ended', outageOf(state), { at, beganAt: state.outageSince });
      change(tx, NO_OUTAGE);
      return { counts: true };
    }
    if (!outage) return { counts: true };
    const columns = { outageUnreachable: found.lost, outageReachableBefore: found.reachableBefore };
    change(tx, { ...columns, outageSince: state.outageSince ?? at });
    if (state.outageSince === null)
      noteFault(tx, 'monitor_fault_began', outageOf({ ...state, ...columns }), { at, beganAt: at });
    return { counts: false };
  });

/**
 * Whether what a check of some VPSs finds unreachable counts. A part of the fleet is no basis to judge the whole: it
 * neither begins nor ends an outage.
 */
export function countsInPart(db: Database, found: Reachability): boolean {
  const { outageSince, outageAcceptedAt } = readMonitorState(db);
  return !looksLikeOurOutage(found) && (outageSince === null || outageAcceptedAt !== null);
}

/** Writes down that a sweep is completed and saved, with what went wrong in it: all servers tell by this how old things are. */
export const noteSweep = (
  db: Database,
  tenure: Tenure,
  { at, fault }: { readonly at: Date; readonly fault: string | null },
): Promise<void> =>
  write(db, (tx) => {
    assertTenure(tx, tenure);
    change(tx, { sweptAt: at, sweepFault: fault, sweepFailedAt: null });
  });

/** Writes down that a sweep came to nothing, and why, so that other servers can say so. */
export const noteFailedSweep = (
  db: Database,
  tenure: Tenure,
  { at, fault }: { readonly at: Date; readonly fault: string },
): Promise<void> =>
  write(db, (tx) => {
    assertTenure(tx, tenure);
    change(tx, { sweepFault: fault, sweepFailedAt: at });
  });

/** Stops healing until an admin has decided, and tells the admins. */
export const pauseHealing = (
  db: Database,
  tenure: Tenure,
  found: { readonly stopped: number; readonly fleet: number },
  at: Date,
): Promise<void> =>
  write(db, (tx) => {
    assertTenure(tx, tenure);
    if (readMonitorState(tx).healing !== 'on') return;
    const { stopped: pauseStopped, fleet: pauseFleet } = found;
    const since = { healingSince: at, healingBy: 'monitor', healingReason: null };
    change(tx, { healing: 'paused', ...since, pauseStopped, pauseFleet });
    noteFault(tx, 'monitor_fault_began', { kind: 'healing_paused', ...found }, { at, beganAt: at });
  });

/** Turns automatic restarts on or off for the whole fleet; on also ends a pause. Checks go on either way. */
export const setHealing = (
  db: Database,
  actor: Actor,
  healing: 'on' | 'off',
  { at = new Date(), reason = null }: { readonly at?: Date; readonly reason?: string | null } = {},
): Promise<MonitorState> =>
  write(db, (tx) => {
    const by = adminName(actor);
    const before = readMonitorState(tx);
    if (before.healing === healing) return before;
    const since = { healingSince: at, healingBy: by, healingReason: reason };
    change(tx, { healing, ...since, pauseStopped: null, pauseFleet: null });
    noteAdminAction(tx, by, null, `healing_${healing}`, { reason });
    if (before.healing === 'paused') {
      const fault = {
        kind: 'healing_paused',
        stopped: before.pauseStopped ?? 0,
        fleet: before.pauseFleet ?? 0,
      } as const;
      noteFault(tx, 'monitor_fault_ended', fault, { at, beganAt: before.healingSince ?? at, actor: by });
    }
    return readMonitorState(tx);
  });

/** An admin says that the fleet is really unreachable: the next sweep counts. False: there is no outage to accept. */
export const acceptOutage = (db: Database, actor: Actor, at = new Date()): Promise<boolean> =>
  write(db, (tx) => {
    const by = adminName(actor);
    if (readMonitorState(tx).outageSince === null) return false;
    change(tx, { outageAcceptedAt: at, outageAcceptedBy: by });
    noteAdminAction(tx, by, null, 'outage_accepted');
    return true;
  });
