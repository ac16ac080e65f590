import { eq } from 'drizzle-orm';
import { write, type Database, type Transaction } from '../db/client.ts';
import { healthChecks, newId, restartAttempts, subscriptions } from '../db/schema.ts';
import type { BreakerSettings } from './circuit-breaker.ts';
import { findActive } from './fleet.ts';
import { holdsLease } from './lease.ts';
import { advance, UNCHECKED, type Check, type HealthState, type Transition } from './transition.ts';

/** A check as it comes from a sweep, and what it belongs to. */
export type CheckRecord = {
  readonly userId: string;
  readonly subscriptionId: string;
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

/**
 * Writes the checks of a batch in one transaction: all of them, or none. The next state is computed inside it, from the
 * row as it is then, so that a change made meanwhile is not lost. A VPS removed meanwhile is passed over.
 * Throws `LeaseLostError`.
 */
export const recordChecks = (
  db: Database,
  records: readonly CheckRecord[],
  breaker: BreakerSettings,
): Promise<Recorded[]> =>
  write(db, (tx) => {
    if (!holdsLease(tx, 'sweep')) throw new LeaseLostError('another process has taken over the sweep');
    const recorded: Recorded[] = [];
    for (const record of records) {
      const subscription = findActive(tx, record.subscriptionId);
      if (!subscription) continue;
      const before = readState(tx, record.userId);
      // Maintenance that began while the check ran is maintenance: this failure was made on purpose.
      const maintenance = record.check.maintenance || subscription.maintenanceSince !== null;
      const transition = advance(before, { ...record.check, maintenance }, breaker);
      upsertState(tx, record.userId, transition.next);
      closeLedger(tx, record);
      if (record.hostKey !== null && subscription.sshHostKey === null)
        tx.update(subscriptions).set({ sshHostKey: record.hostKey }).where(eq(subscriptions.id, subscription.id)).run();
      recorded.push({ ...transition, userId: record.userId, before });
    }
    return recorded;
  });

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
  | { readonly granted: false; readonly reason: 'maintenance' | 'not_active' };

/**
 * Writes down that a restart is about to be sent, so that a crash of this program cannot hide it; right before, looks
 * once more whether it is still wanted. Throws `LeaseLostError`.
 */
export const recordRestartIntent = (db: Database, userId: string, subscriptionId: string, now: Date): Promise<Intent> =>
  write(db, (tx): Intent => {
    if (!holdsLease(tx, 'sweep')) throw new LeaseLostError('another process has taken over the sweep');
    const subscription = findActive(tx, subscriptionId);
    if (!subscription) return { granted: false, reason: 'not_active' };
    if (subscription.maintenanceSince !== null) return { granted: false, reason: 'maintenance' };
    const restartId = newId('restart');
    tx.insert(restartAttempts).values({ id: restartId, userId, intendedAt: now }).run();
    upsertState(tx, userId, { ...readState(tx, userId), lastRestartAttemptAt: now });
    return { granted: true, restartId };
  });

/** After a login that worked outside of a sweep: the next sweep need not wait any longer. */
export const clearLoginBackoff = (db: Database, userId: string): Promise<unknown> =>
  write(db, (tx) =>
    tx.update(healthChecks).set({ authFailures: 0, authRetryAt: null }).where(eq(healthChecks.userId, userId)).run(),
  );

/** Forgets the state and the ledger of a VPS that is removed; part of the caller's transaction. */
export function forgetHealth(tx: Transaction, userId: string): void {
  tx.delete(healthChecks).where(eq(healthChecks.userId, userId)).run();
  tx.delete(restartAttempts).where(eq(restartAttempts.userId, userId)).run();
}
