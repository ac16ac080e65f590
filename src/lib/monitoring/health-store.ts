import { and, eq, gt, isNotNull, isNull } from 'drizzle-orm';
import type { Settings } from '../config.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import {
  healthChecks,
  maintenanceWindows,
  newId,
  restartAttempts,
  restartEvidence,
  subscriptions,
  type Incident,
  type Subscription,
} from '../db/schema.ts';
import { entriesOf, isOfLook } from './rules/journal-entries.ts';
import type { JournalActor } from '../facts/journal.ts';
import { appendJournal } from '../db/journal-store.ts';
import { forgetHistory, recordSample } from '../history/sample-store.ts';
import { samplesOf } from './rules/samples-of.ts';
import { announceIn } from '../notifications/announcer.ts';
import { announce } from './rules/announcements.ts';
import { vpsFacts } from './vps-facts.ts';
import { findActive, readMaintenance } from './fleet.ts';
import type { Withheld } from './rules/healing.ts';
import { advanceIncident, beginIncident } from './rules/incident.ts';
import { endUnwatchedIncident, openIncidentOf, saveIncident, type IncidentOwner } from './incident-store.ts';
import { holdsLease } from './lease.ts';
import { endWindowsUntilHealthy } from './maintenance-store.ts';
import { readMonitorState } from './monitor-state.ts';
import { advance, resetCircuit, UNCHECKED, type Check, type HealthState, type Transition } from './rules/transition.ts';
import type { Verdict } from './rules/verdict.ts';

/** A check as it comes from a sweep, and what it belongs to. */
export type CheckRecord = {
  readonly userId: string;
  readonly subscriptionId: string;
  /** What was looked at, as `targetOf` names it. */
  readonly target: string;
  readonly check: Check;
  /** The key the host has shown: pinned, where none is. */
  readonly hostKey: string | null;
  /** The ledger entry of the restart, if one was intended. */
  readonly restartId: string | null;
};

export type Recorded = Transition & { readonly userId: string; readonly before: HealthState };

/** Another process has taken over the sweep: nothing was written. */
export class LeaseLostError extends Error {
  override readonly name = 'LeaseLostError';
}

const assertLease = (tx: Transaction): void => {
  if (!holdsLease(tx, 'sweep')) throw new LeaseLostError('another process has taken over the sweep');
};

const readState = (tx: Transaction, userId: string): HealthState =>
  tx.select().from(healthChecks).where(eq(healthChecks.userId, userId)).get() ?? UNCHECKED;

const upsertState = (tx: Transaction, userId: string, state: HealthState): void => {
  const row = { ...columnsOf(state), updatedAt: new Date() };
  tx.insert(healthChecks)
    .values({ userId, ...row })
    .onConflictDoUpdate({ target: healthChecks.userId, set: row })
    .run();
};

/** The state without the identity of the row it was read from. */
const columnsOf = (state: HealthState): HealthState =>
  Object.fromEntries(Object.keys(UNCHECKED).map((key) => [key, state[key as keyof HealthState]])) as HealthState;

/** Which service of which machine, by which account, stands behind a subscription: an edit may put another one there. */
export const targetOf = ({ vpsIpAddress, sshPort, sshUser, serviceName }: Subscription): string =>
  JSON.stringify([vpsIpAddress, sshPort, sshUser, serviceName]);

/** The subscription as it is now, if what was looked at still stands behind it. */
function findUnchanged(tx: Transaction, vpsId: string, target: string): Subscription | undefined {
  const subscription = findActive(tx, vpsId);
  return subscription && targetOf(subscription) === target ? subscription : undefined;
}

type RecordSettings = Pick<Settings, 'breaker' | 'history' | 'downAfterChecks' | 'monitoredService'>;

/**
 * Writes the checks of a batch in one transaction: all of them, or none; each with everything that follows from it
 * (state, incident, journal, history, messages). The next state is computed inside it, from the row as it is then, so
 * that a change made meanwhile is not lost. Of a VPS that was removed meanwhile, or is another machine or service
 * now, nothing is written but how its restart ended. Throws `LeaseLostError`.
 */
export const recordChecks = (
  db: Database,
  records: readonly CheckRecord[],
  settings: RecordSettings,
): Promise<Recorded[]> =>
  write(db, (tx) => {
    assertLease(tx);
    return records.flatMap((record) => {
      closeLedger(tx, record);
      const subscription = findUnchanged(tx, record.subscriptionId, record.target);
      return subscription ? [recordCheck(tx, record, subscription, settings)] : [];
    });
  });

function recordCheck(
  tx: Transaction,
  record: CheckRecord,
  subscription: Subscription,
  settings: RecordSettings,
): Recorded {
  const { userId } = record;
  const before = readState(tx, userId);
  // Maintenance that began while the check ran is maintenance: this failure was made on purpose.
  const maintenance = record.check.maintenance || readMaintenance(tx, userId, record.check.at) !== null;
  const check: Check = { ...record.check, maintenance };
  const { next, events } = advance(before, check, settings.breaker);
  const healthy = events.some(({ kind }) => kind === 'healthy' || kind === 'restarted');

  const owner = { userId, vpsId: subscription.id };
  const open = openIncidentOf(tx, userId);
  const { lookedAt, at } = check;
  const advanced = advanceIncident(open ?? null, events, { lookedAt, at, healthy });
  const incident = advanced === null ? null : saveIncident(tx, owner, open, advanced);

  const outcome = { at, before, next, events, incident, maintenance };
  const { told, announcements } = announce(outcome, settings.downAfterChecks);
  upsertState(tx, userId, { ...next, ...told });
  appendJournal(
    tx,
    entriesOf(outcome).map((entry) => ({
      ...entry,
      ...owner,
      at: isOfLook(entry.kind) ? lookedAt : at,
      incidentId: incident?.id ?? null,
      actor: 'monitor',
    })),
  );
  for (const sample of samplesOf(check)) recordSample(tx, { userId, ...sample }, settings.history.sampleValidMs);
  if (announcements.length > 0)
    announceIn(tx, announcements, {
      userId,
      incident,
      at,
      facts: vpsFacts(tx, subscription, next, { at, incident, settings }),
    });

  if (record.hostKey !== null && subscription.sshHostKey === null)
    tx.update(subscriptions).set({ sshHostKey: record.hostKey }).where(eq(subscriptions.id, subscription.id)).run();
  if (healthy) endWindowsUntilHealthy(tx, userId, at);
  return { next, events, userId, before };
}

function closeLedger(tx: Transaction, { restartId, check }: CheckRecord): void {
  if (restartId === null || check.healing.action !== 'restart') return;
  const { outcome } = check.healing;
  tx.update(restartAttempts)
    .set({
      finishedAt: new Date(),
      outcome: outcome.outcome === 'still_starting' || outcome.outcome === 'interrupted' ? 'unknown' : outcome.outcome,
      detail: outcome.outcome === 'succeeded' ? null : outcome.message,
    })
    .where(eq(restartAttempts.id, restartId))
    .run();
}

export type Intent =
  | { readonly granted: true; readonly restartId: string }
  | { readonly granted: false; readonly reason: 'maintenance' | Exclude<Withheld, 'restart_cap'> | 'not_active' };

/** Where and why a restart is about to be sent, and what the host said of its unit before. */
export type IntentFacts = {
  /** What it is sent to, as `targetOf` names it. */
  readonly target: string;
  readonly verdict: Verdict;
  readonly lookedAt: Date;
  readonly trial: boolean;
  readonly unitText: string;
  readonly journal: string;
};

/**
 * Writes down that a restart is about to be sent, with the evidence that it will wipe out, so that a crash of this
 * program can hide neither; right before, looks once more whether it is still wanted. Throws `LeaseLostError`.
 */
export const recordRestartIntent = (db: Database, owner: IncidentOwner, facts: IntentFacts): Promise<Intent> =>
  write(db, (tx): Intent => {
    assertLease(tx);
    const { userId, vpsId } = owner;
    const { target, verdict, lookedAt, trial } = facts;
    const subscription = findUnchanged(tx, vpsId, target);
    if (!subscription) return { granted: false, reason: 'not_active' };
    if (subscription.healingPausedSince !== null) return { granted: false, reason: 'vps_paused' };
    const { healing } = readMonitorState(tx);
    if (healing !== 'on') return { granted: false, reason: `healing_${healing}` };
    const now = new Date();
    if (readMaintenance(tx, userId, now) !== null) return { granted: false, reason: 'maintenance' };
    const incident = incidentFor(tx, owner, verdict, lookedAt);
    const restartId = newId('restart');
    tx.insert(restartAttempts).values({ id: restartId, userId, incidentId: incident.id, intendedAt: lookedAt }).run();
    noteRestartBegins(tx, owner, facts, {
      at: now,
      kind: trial ? 'trial_began' : 'restart_intended',
      restartId,
      incidentId: incident.id,
      actor: 'monitor',
    });
    return { granted: true, restartId };
  });

function incidentFor(tx: Transaction, owner: IncidentOwner, verdict: Verdict, lookedAt: Date): Incident {
  const found = { cause: 'service_not_active', message: '', ...verdict };
  return openIncidentOf(tx, owner.userId) ?? saveIncident(tx, owner, undefined, beginIncident(lookedAt, found));
}

type Beginning = {
  readonly at: Date;
  readonly kind: 'trial_began' | 'restart_intended';
  readonly restartId: string;
  readonly incidentId: string | null;
  readonly actor: JournalActor;
};

function noteRestartBegins(
  tx: Transaction,
  owner: IncidentOwner,
  { lookedAt, unitText, journal }: Pick<IntentFacts, 'lookedAt' | 'unitText' | 'journal'>,
  { restartId, ...entry }: Beginning,
): void {
  tx.insert(restartEvidence).values({ restartId, takenAt: entry.at, unit: unitText, journal }).run();
  upsertState(tx, owner.userId, { ...readState(tx, owner.userId), lastRestartAttemptAt: lookedAt });
  appendJournal(tx, [{ ...entry, ...owner, detail: { restartId } }]);
}

/** After that, an order without an end is one whose process has died. */
const ORDER_LASTS_MS = 5 * 60_000;

/** Whether a restart that was asked for by hand, of whatever process, has not ended yet. */
export const isRestartOrdered = (tx: Transaction, userId: string, now: Date): boolean =>
  tx
    .select()
    .from(restartAttempts)
    .where(
      and(
        eq(restartAttempts.userId, userId),
        gt(restartAttempts.intendedAt, new Date(now.getTime() - ORDER_LASTS_MS)),
        isNotNull(restartAttempts.requestedBy),
        isNull(restartAttempts.outcome),
      ),
    )
    .get() !== undefined;

/** Writes down that an admin has asked for a restart, before anything is done about it. Gives its place in the ledger. */
export function orderRestart(tx: Transaction, userId: string, requestedBy: JournalActor, at: Date): string {
  const restartId = newId('restart');
  tx.insert(restartAttempts).values({ id: restartId, userId, intendedAt: at, requestedBy }).run();
  return restartId;
}

/**
 * The same as `recordRestartIntent` for a restart that an admin has asked for: neither maintenance nor the circuit stands
 * in its way. False: the VPS is not watched any more, or is another machine now. Throws `LeaseLostError`.
 */
export const recordRequestedRestart = (
  db: Database,
  owner: IncidentOwner,
  restartId: string,
  facts: Omit<IntentFacts, 'trial'>,
): Promise<boolean> =>
  write(db, (tx) => {
    assertLease(tx);
    const order = tx.select().from(restartAttempts).where(eq(restartAttempts.id, restartId)).get();
    const { target, verdict, lookedAt } = facts;
    if (!order || !findUnchanged(tx, owner.vpsId, target)) return false;
    const incident = verdict.kind === 'healthy' ? null : incidentFor(tx, owner, verdict, lookedAt);
    const incidentId = incident?.id ?? null;
    tx.update(restartAttempts).set({ incidentId }).where(eq(restartAttempts.id, restartId)).run();
    const actor = order.requestedBy ?? 'monitor';
    noteRestartBegins(tx, owner, facts, { at: new Date(), kind: 'restart_intended', restartId, incidentId, actor });
    return true;
  });

/** Closes the order of a restart that has come to no end: it was never sent, or nobody knows what became of it. */
export const closeOrder = (db: Database, restartId: string, whyNot: string): Promise<unknown> =>
  write(db, (tx) => {
    const sent = tx.select().from(restartEvidence).where(eq(restartEvidence.restartId, restartId)).get() !== undefined;
    return tx
      .update(restartAttempts)
      .set({ finishedAt: new Date(), outcome: sent ? 'unknown' : 'not_sent', detail: whyNot })
      .where(and(eq(restartAttempts.id, restartId), isNull(restartAttempts.outcome)))
      .run();
  });

/** Closes the circuit because an admin says so; see `resetCircuit` in `transition.ts`. Part of the caller's transaction. */
export function resetCircuitOf(tx: Transaction, owner: IncidentOwner, actor: JournalActor, at: Date): void {
  const before = readState(tx, owner.userId);
  if (before === UNCHECKED) return;
  upsertState(tx, owner.userId, resetCircuit(before, at));
  if (before.circuitState === 'closed') return;
  const incidentId = openIncidentOf(tx, owner.userId)?.id ?? null;
  appendJournal(tx, [{ at, kind: 'circuit_closed', ...owner, incidentId, actor, detail: {} }]);
}

/** The next sweep need not wait any longer: a login has worked outside of a sweep, or the login is another one now. */
export const clearLoginBackoffIn = (tx: Transaction, userId: string): void => {
  tx.update(healthChecks).set({ authFailures: 0, authRetryAt: null }).where(eq(healthChecks.userId, userId)).run();
};
export const clearLoginBackoff = (db: Database, userId: string): Promise<void> =>
  write(db, (tx) => clearLoginBackoffIn(tx, userId));

/** Forgets state, ledger and history of a VPS that is removed, and ends its incident; part of the caller's transaction. */
export function forgetHealth(tx: Transaction, userId: string): void {
  endUnwatchedIncident(tx, userId, new Date());
  tx.delete(healthChecks).where(eq(healthChecks.userId, userId)).run();
  tx.delete(restartAttempts).where(eq(restartAttempts.userId, userId)).run();
  tx.delete(maintenanceWindows).where(eq(maintenanceWindows.userId, userId)).run();
  forgetHistory(tx, userId);
}
