import { and, asc, eq, exists, gt, gte, inArray, isNull, ne, or, type SQL } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client.ts';
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
import { UNCHECKED, type HealthState } from './rules/transition.ts';

/** A VPS that is due, with what is known of it. */
export type DueVps = {
  readonly subscription: Subscription;
  readonly state: HealthState;
  readonly windows: readonly MaintenanceWindow[];
};

/** A VPS is active, and so is swept, when its subscription is active and its machine was provisioned and is ready. */
const isActive = (): SQL | undefined =>
  and(
    eq(subscriptions.status, 'active'),
    eq(subscriptions.vpsProvisioned, true),
    eq(subscriptions.provisioningStatus, 'ready'),
  );

/** The active VPSs, all or those with these subscriptions, in a fixed order: oldest subscription first. */
export function listActive(db: Database, ids?: readonly string[]): DueVps[] {
  // Those that have ended are kept for years.
  const mayBeOn = or(isNull(maintenanceWindows.endsAt), gt(maintenanceWindows.endsAt, new Date()));
  const windows = Map.groupBy(db.select().from(maintenanceWindows).where(mayBeOn).all(), ({ userId }) => userId);
  return db
    .select({ subscription: subscriptions, health: healthChecks })
    .from(subscriptions)
    .innerJoin(users, eq(users.id, subscriptions.userId))
    .leftJoin(healthChecks, eq(healthChecks.userId, subscriptions.userId))
    .where(and(isActive(), ids && inArray(subscriptions.id, [...ids])))
    .orderBy(asc(subscriptions.createdAt), asc(subscriptions.id))
    .all()
    .map(({ subscription, health }) => ({
      subscription,
      state: health ?? UNCHECKED,
      windows: windows.get(subscription.userId) ?? [],
    }));
}

/** The maintenance of this user's VPS, as it stands in the database at this moment. */
export const readMaintenance = (tx: Database | Transaction, userId: string, now: Date): Maintenance | null =>
  maintenanceAt(tx.select().from(maintenanceWindows).where(eq(maintenanceWindows.userId, userId)).all(), now);

/** The subscription as it is now, if its VPS is still active: it may have been removed while it was looked at. */
export const findActive = (tx: Transaction, subscriptionId: string): Subscription | undefined =>
  tx
    .select()
    .from(subscriptions)
    .where(and(eq(subscriptions.id, subscriptionId), isActive()))
    .get();

/**
 * When restarts were sent to this user's VPS, from `since` on. One that never reached its host is none, nor is the order of
 * an admin that still waits: what is sent has left its evidence before.
 */
export const listRestarts = (db: Database, userId: string, since: Date): Date[] =>
  db
    .select({ at: restartAttempts.intendedAt })
    .from(restartAttempts)
    .where(
      and(
        eq(restartAttempts.userId, userId),
        gte(restartAttempts.intendedAt, since),
        or(
          ne(restartAttempts.outcome, 'not_sent'),
          and(isNull(restartAttempts.outcome), or(isNull(restartAttempts.requestedBy), hasEvidence(db))),
        ),
      ),
    )
    .all()
    .map((row) => row.at);

const hasEvidence = (db: Database): SQL =>
  exists(db.select().from(restartEvidence).where(eq(restartEvidence.restartId, restartAttempts.id)));
