import { eq } from 'drizzle-orm';
import type { Settings } from '../config.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { appendJournal } from '../db/journal-store.ts';
import type { Tenure } from '../db/lease.ts';
import { prepared } from '../db/prepared.ts';
import { rowsOf } from '../db/rows.ts';
import {
  healthChecks,
  maintenanceWindows,
  newId,
  restartAttempts,
  subscriptions,
  type Incident,
  type Subscription,
} from '../db/schema.ts';
import type { JournalActor } from '../facts/journal.ts';
import type { LinkFacts } from '../facts/link.ts';
import { forgetHistory, recordSample } from '../history/sample-store.ts';
import { publish } from '../live/bus.ts';
import { announceIn } from '../notifications/announcer.ts';
import { shouldAttemptRestart } from './circuit-breaker.ts';
import { findActive, readMaintenance } from './fleet.ts';
import { endUnwatchedIncident, openIncidentOf, saveIncident, type IncidentOwner } from './incident-store.ts';
import { endWindowsUntilHealthy } from './maintenance-store.ts';
import { closeLedger, closeLost, findLostRestart } from './restart-ledger.ts';
import { announce } from './rules/announcements.ts';
import { restartFollows, type HealingDecision } from './rules/healing.ts';
import { advanceIncident } from './rules/incident.ts';
import { entriesOf, isOfLook } from './rules/journal-entries.ts';
import { columnsOfLink } from './rules/link-columns.ts';
import { sampleOfLook, sampleOfRestart } from './rules/samples-of.ts';
import {
  advance,
  closeLostRestart,
  endRestart,
  isUpAfter,
  resetCircuit,
  stateOfRow,
  UNCHECKED,
  type Check,
  type HealthState,
  type RestartEnd,
  type Transition,
} from './rules/transition.ts';
import { assertTenure } from './tenure.ts';
import { targetOf } from './vps-target.ts';
import { vpsFacts } from './vps-facts.ts';

type Subject = {
  readonly userId: string;
  readonly subscriptionId: string;
  /** What was looked at, as `targetOf` names it. */
  readonly target: string;
};

/** A look that is to be written down. */
export type LookRecord = Subject & {
  readonly kind: 'look';
  readonly check: Check;
  /** The key the host has shown: pinned, where none is. */
  readonly hostKey: string | null;
  /** How it was reached; null where it was not. */
  readonly link: LinkFacts | null;
};

/** The end of a restart whose intent, with the look before it, is written down already. */
export type RestartRecord = Subject & {
  readonly kind: 'restart';
  /** Its entry in the ledger. */
  readonly restartId: string;
  readonly end: Omit<RestartEnd, 'maintenance'>;
};

export type CheckRecord = LookRecord | RestartRecord;

export type Recorded = Transition & {
  readonly userId: string;
  readonly before: HealthState;
  readonly incident: Incident | null;
  /** What may be done about it still, as things are in the transaction. */
  readonly healing: HealingDecision;
};

/** What a look changes where all is well still. */
const SEEN = [
  'lastCheckAt',
  'lastHealthyAt',
  'lastProbeMs',
  'totalChecks',
  'hostKeySeenAt',
] as const satisfies (keyof HealthState)[];
const REST = (Object.keys(UNCHECKED) as (keyof HealthState)[]).filter((key) => !SEEN.some((seen) => seen === key));

/** Nearly every look changes a row that is there: without its keys, SQLite has neither references nor indexes to check. */
const states = prepared((db) => {
  const rows = rowsOf(db, healthChecks);
  return {
    find: rows.find('userId'),
    changeSeen: rows.change([...SEEN, 'updatedAt'], 'userId'),
    changeAll: rows.change([...SEEN, ...REST, 'updatedAt'], 'userId'),
    add: rows.add(),
  };
});

const readState = ({ database }: Transaction, userId: string): HealthState => stateOfRow(states(database).find(userId));

/** Writes the state where `before` was read, in the same transaction: what is the same is not written again. */
function saveState({ database }: Transaction, userId: string, before: HealthState, state: HealthState): void {
  const { changeSeen, changeAll, add } = states(database);
  const now = new Date();
  const row = { ...state, updatedAt: now };
  const change = REST.every((key) => isSame(before[key], state[key])) ? changeSeen : changeAll;
  if (!change(row, userId)) add({ ...row, userId, id: newId('health'), createdAt: now });
}

const isSame = (one: HealthState[keyof HealthState], other: HealthState[keyof HealthState]): boolean =>
  one === other || (one instanceof Date && other instanceof Date && one.getTime() === other.getTime());

/** The subscription as it is now, if what was looked at still stands behind it. */
export function findUnchanged(tx: Transaction, vpsId: string, target: string): Subscription | undefined {
  const subscription = findActive(tx, vpsId);
  return subscription && targetOf(subscription) === target ? subscription : undefined;
}

/** What most VPSs have none of: where there is none, nothing is read of it. */
type Beside = { readonly windows: boolean; readonly incident: boolean; readonly restarts: boolean };

const readBeside = ({ database }: Transaction, userId: string): Beside => {
  const [windows = 0, incident = 0, restarts = 0] = besideRow(database).get({ userId }) ?? [];
  return { windows: windows === 1, incident: incident === 1, restarts: restarts === 1 };
};

const besideRow = prepared(({ $client }) =>
  $client
    .prepare<{ userId: string }, number[]>(
      `SELECT EXISTS (SELECT 1 FROM maintenance_windows WHERE user_id = @userId),
              EXISTS (SELECT 1 FROM incidents WHERE user_id = @userId AND ended_at IS NULL),
              EXISTS (SELECT 1 FROM restart_attempts WHERE user_id = @userId)`,
    )
    .raw(),
);

export type RecordSettings = Pick<Settings, 'breaker' | 'history' | 'downAfterChecks' | 'monitoredService'>;

/**
 * Writes what a round has found, in one transaction: all of it, or nothing; each with everything that follows from it
 * (state, incident, journal, history, messages). The next state is computed inside it, from the row as it is then, so
 * that a change made meanwhile is not lost. Of a VPS that was removed meanwhile, or is another machine or service
 * now, nothing is written but how its restart ended. Throws `LeaseLostError`.
 */
export const recordChecks = (
  db: Database,
  tenure: Tenure,
  records: readonly CheckRecord[],
  settings: RecordSettings,
): Promise<Recorded[]> =>
  write(
    db,
    (tx) => {
      assertTenure(tx, tenure);
      return records.flatMap((record) => {
        if (record.kind === 'restart') closeLedger(tx, record);
        const subscription = findUnchanged(tx, record.subscriptionId, record.target);
        if (!subscription) return [];
        return record.kind === 'restart'
          ? [recordEnd(tx, record, subscription, settings)]
          : (recordLook(tx, record, subscription, settings) ?? []);
      });
    },
    // A look that a power cut takes back is taken again. Whatever is sent because of it (a restart, a message) is written
    // down at once right before, and this with it.
    records.every(({ kind }) => kind === 'look') ? 'with_next' : 'at_once',
  );

/**
 * Writes one look, within the caller's transaction, after it has told what became of a restart whose end nobody saw.
 * Undefined: something newer stands there already.
 */
export function recordLook(
  tx: Transaction,
  { userId, check: looked, hostKey, link }: LookRecord,
  subscription: Subscription,
  settings: RecordSettings,
): Recorded | undefined {
  const before = readState(tx, userId);
  const { lookedAt } = looked;
  if (isOutdated(lookedAt, before, new Date())) return undefined;
  // Maintenance that began while the look went on is maintenance: this failure was made on purpose.
  const beside = readBeside(tx, userId);
  const maintenance = looked.maintenance || (beside.windows && readMaintenance(tx, userId, lookedAt) !== null);

  const lost = beside.restarts ? findLostRestart(tx, userId, before) : null;
  const closed = lost && closeLostRestart(before, lost, { ...looked, maintenance }, settings.breaker);
  if (lost && closed?.outcome) closeLost(tx, lost, closed.outcome);
  const state = closed?.next ?? before;
  const check = { ...looked, maintenance, healing: stillAllowed(looked.healing, state, lookedAt, settings) };
  const { next: judged, events } = advance(state, check, settings.breaker);
  const next = link === null ? judged : { ...judged, ...columnsOfLink(link) };

  const sample = sampleOfLook(check);
  if (sample) recordSample(tx, { userId, ...sample }, settings.history.sampleValidMs);
  if (hostKey !== null && subscription.sshHostKey === null)
    tx.update(subscriptions)
      .set({ sshHostKey: hostKey, sshHostKeyAt: lookedAt })
      .where(eq(subscriptions.id, subscription.id))
      .run();
  const happened = { before, next, events: [...(closed?.events ?? []), ...events] };
  const times = { at: lookedAt, lookedAt, maintenance, restartFollows: restartFollows(check.healing), beside };
  return { ...conclude(tx, subscription, { ...happened, ...times }, settings), healing: check.healing };
}

/** A look that is older than the one in the row; not where that one is in the future, as the clock was set back since. */
const isOutdated = (lookedAt: Date, { lastCheckAt }: HealthState, now: Date): boolean =>
  lastCheckAt !== null && lookedAt < lastCheckAt && lastCheckAt <= now;

/** A restart that was lost may have been the failure too many. */
const stillAllowed = (
  healing: HealingDecision,
  state: HealthState,
  at: Date,
  { breaker }: RecordSettings,
): HealingDecision =>
  healing.action === 'restart' && !shouldAttemptRestart(state, at, breaker)
    ? { action: 'none', reason: 'circuit_open' }
    : healing;

function recordEnd(
  tx: Transaction,
  record: RestartRecord,
  subscription: Subscription,
  settings: RecordSettings,
): Recorded {
  const { userId, end } = record;
  const before = readState(tx, userId);
  const beside = readBeside(tx, userId);
  const maintenance = beside.windows && readMaintenance(tx, userId, end.at) !== null;
  const { next, events } = endRestart(before, { ...end, maintenance }, settings.breaker);
  const sample = maintenance ? null : sampleOfRestart(end);
  if (sample) recordSample(tx, { userId, ...sample }, settings.history.sampleValidMs);
  const happened = { before, next, events, at: end.at, lookedAt: end.at, maintenance, restartFollows: false, beside };
  return {
    ...conclude(tx, subscription, happened, settings),
    healing: { action: 'none', reason: 'not_called_for' },
  };
}

type Happened = Transition & {
  readonly before: HealthState;
  readonly at: Date;
  readonly lookedAt: Date;
  readonly maintenance: boolean;
  readonly restartFollows: boolean;
  readonly beside: Beside;
};

/** Writes the state and everything that follows from what has happened: incident, journal, messages, open pages. */
function conclude(
  tx: Transaction,
  subscription: Subscription,
  { before, next, events, at, lookedAt, maintenance, restartFollows: follows, beside }: Happened,
  settings: RecordSettings,
): Omit<Recorded, 'healing'> {
  const { userId, id: vpsId } = subscription;
  const owner = { userId, vpsId };
  const open = beside.incident ? openIncidentOf(tx, userId) : undefined;
  const healthy = isUpAfter(events);
  const advanced = advanceIncident(open ?? null, events, { lookedAt, at, healthy });
  const incident = advanced === null ? null : saveIncident(tx, owner, open, advanced);

  const outcome = { at, before, next, events, incident, maintenance, restartFollows: follows };
  const { told, announcements } = announce(outcome, settings.downAfterChecks);
  saveState(tx, userId, before, { ...next, ...told });
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
  if (announcements.length > 0)
    announceIn(tx, announcements, {
      userId,
      incident,
      at,
      facts: vpsFacts(tx, subscription, next, { at, incident, settings }),
    });
  if (healthy && beside.windows) endWindowsUntilHealthy(tx, userId, at);
  publish(tx, { kind: 'vps', vpsIds: [vpsId] });
  return { next, events, userId, before, incident };
}

/** Notes in the row that a restart is on its way. */
export function noteRestartAttempt(tx: Transaction, userId: string, at: Date): void {
  const before = readState(tx, userId);
  saveState(tx, userId, before, { ...before, lastRestartAttemptAt: at });
}

/** Closes the circuit because an admin says so; see `resetCircuit` in `transition.ts`. Part of the caller's transaction. */
export function resetCircuitOf(tx: Transaction, owner: IncidentOwner, actor: JournalActor, at: Date): void {
  const before = readState(tx, owner.userId);
  if (before === UNCHECKED) return;
  saveState(tx, owner.userId, before, resetCircuit(before, at));
  if (before.circuitState === 'closed') return;
  const incidentId = openIncidentOf(tx, owner.userId)?.id ?? null;
  appendJournal(tx, [{ at, kind: 'circuit_closed', ...owner, incidentId, actor, detail: {} }]);
}

/** Nothing of former logins counts any longer: one has worked outside of a sweep, or login or host key are others now. */
export const clearLoginBackoffIn = (tx: Transaction, userId: string): void => {
  const none = { authFailures: 0, authRetryAt: null, offeredHostKey: null, offeredHostKeyAt: null };
  tx.update(healthChecks).set(none).where(eq(healthChecks.userId, userId)).run();
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
