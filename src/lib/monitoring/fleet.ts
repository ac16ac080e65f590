import { and, asc, count, eq, exists, gt, inArray, isNull, ne, or, sql, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Database, Transaction } from '../db/client.ts';
import { prepared } from '../db/prepared.ts';
import { rowsOf } from '../db/rows.ts';
import { isWatched, watched } from '../db/watched.ts';
import {
  healthChecks,
  maintenanceWindows,
  restartAttempts,
  restartEvidence,
  subscriptions,
  users,
  type MaintenanceWindow,
  type Subscription,
} from '../db/schema.ts';
import { maintenanceAt, type Maintenance } from './rules/maintenance.ts';
import type { HealingRules } from './rules/healing.ts';
import { stateOfRow, type HealthState } from './rules/transition.ts';

/** A VPS that is due, with what is known of it. */
export type DueVps = {
  readonly subscription: Subscription;
  readonly state: HealthState;
  readonly windows: readonly MaintenanceWindow[];
  /** When restarts were sent, as far back as the budget and the trial of an open circuit ask. */
  readonly restarts: readonly Date[];
};

/**
 * The active VPSs, all or those with these subscriptions. Whoever was looked at longest ago comes first, so that a
 * monitor that is ended in the middle again and again gets around all the same.
 */
export function listActive(
  db: Database,
  { restartBudget }: Pick<HealingRules, 'restartBudget'>,
  ids?: readonly string[],
): DueVps[] {
  const now = new Date();
  // Those that have ended are kept for years.
  const mayBeOn = or(isNull(maintenanceWindows.endsAt), gt(maintenanceWindows.endsAt, now));
  const planned = db
    .select()
    .from(maintenanceWindows)
    .where(and(mayBeOn, ofVpss(db, maintenanceWindows.userId, ids)));
  const windows = Map.groupBy(planned.all(), ({ userId }) => userId);
  const restarts = Map.groupBy(listRestarts(db, now.getTime() - restartBudget.windowMs, ids), ({ userId }) => userId);
  return db
    .select({ subscription: subscriptions, health: healthChecks })
    .from(subscriptions)
    .innerJoin(users, eq(users.id, subscriptions.userId))
    .leftJoin(healthChecks, eq(healthChecks.userId, subscriptions.userId))
    .where(and(watched(), ids && inArray(subscriptions.id, [...ids])))
    .orderBy(asc(healthChecks.lastCheckAt), asc(subscriptions.createdAt), asc(subscriptions.id))
    .all()
    .map(({ subscription, health }) => ({
      subscription,
      state: stateOfRow(health),
      windows: windows.get(subscription.userId) ?? [],
      restarts: (restarts.get(subscription.userId) ?? []).map(({ at }) => at),
    }));
}

/** How many VPSs are watched. */
export const countActive = (db: Database): number =>
  db
    .select({ count: count() })
    .from(subscriptions)
    .innerJoin(users, eq(users.id, subscriptions.userId))
    .where(watched())
    .get()?.count ?? 0;

/** The status that is written down of this VPS; null: it was never looked at, or is not watched. */
export function readStatusOf(db: Database, subscriptionId: string): HealthState['status'] | null {
  const row = db
    .select({ status: healthChecks.status, lastCheckAt: healthChecks.lastCheckAt })
    .from(subscriptions)
    .innerJoin(healthChecks, eq(healthChecks.userId, subscriptions.userId))
    .where(and(eq(subscriptions.id, subscriptionId), watched()))
    .get();
  return row === undefined || row.lastCheckAt === null ? null : row.status;
}

/** The maintenance of this user's VPS, as it stands in the database at this moment. */
export const readMaintenance = ({ database }: Transaction, userId: string, now: Date): Maintenance | null =>
  maintenanceAt(windowsOf(database).all({ userId }), now);

const windowsOf = prepared((db) =>
  db
    .select()
    .from(maintenanceWindows)
    .where(eq(maintenanceWindows.userId, sql.placeholder('userId')))
    .prepare(),
);

/** The subscription as it is now, if its VPS is still active: it may have been removed while it was looked at. */
export function findActive({ database }: Transaction, subscriptionId: string): Subscription | undefined {
  const found = subscriptionOf(database)(subscriptionId);
  return found && isWatched(found) ? found : undefined;
}

const subscriptionOf = prepared((db) => rowsOf(db, subscriptions).find('id'));

/**
 * The restarts of the watched fleet since `sinceMs` and, where a circuit is open, since it opened; none from before it was
 * reset. One that never reached its host is none, nor is the order of an admin that still waits: what is sent has left
 * its evidence before.
 */
const listRestarts = (db: Database, sinceMs: number, ids?: readonly string[]): { userId: string; at: Date }[] =>
  db
    .select({ userId: restartAttempts.userId, at: restartAttempts.intendedAt })
    .from(subscriptions)
    .leftJoin(healthChecks, eq(healthChecks.userId, subscriptions.userId))
    // A cross join is SQLite's word for "in this order": the ledger is kept for years, and each VPS has its end of it.
    .crossJoin(restartAttempts)
    .where(
      and(
        eq(restartAttempts.userId, subscriptions.userId),
        watched(),
        sql`${restartAttempts.intendedAt} >= max(
          min(${sinceMs}, coalesce(${healthChecks.circuitOpenedAt}, ${sinceMs})),
          coalesce(${healthChecks.circuitResetAt}, 0))`,
        ids && inArray(subscriptions.id, [...ids]),
        or(
          ne(restartAttempts.outcome, 'not_sent'),
          and(isNull(restartAttempts.outcome), or(isNull(restartAttempts.requestedBy), hasEvidence(db))),
        ),
      ),
    )
    .all();

/** Rows of those who have these VPSs; of everybody where none are named. */
const ofVpss = (db: Database, userId: SQLiteColumn, ids: readonly string[] | undefined): SQL | undefined =>
  ids &&
  inArray(
    userId,
    db
      .select({ userId: subscriptions.userId })
      .from(subscriptions)
      .where(inArray(subscriptions.id, [...ids])),
  );

const hasEvidence = (db: Database): SQL =>
  exists(db.select().from(restartEvidence).where(eq(restartEvidence.restartId, restartAttempts.id)));
