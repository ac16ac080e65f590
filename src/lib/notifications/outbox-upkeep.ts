import { and, eq, inArray, lte, notInArray } from 'drizzle-orm';
import { adminName, type Actor } from '../auth/actor.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { notifications, type NotificationRow } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { publish } from '../live/bus.ts';
import { endedBy } from './rules/delivery-plan.ts';
import type { ChannelName } from '../facts/message.ts';
import { threadOf } from './outbox-read.ts';

/**
 * Puts back what a process was sending when it died; nobody knows whether it arrived, so it is sent again under the same
 * id. `inFlight`: what this process is sending itself. Returns how many.
 */
export const recoverSending = (db: Database, inFlight: readonly string[], now: Date): Promise<number> =>
  write(
    db,
    (tx) =>
      tx
        .update(notifications)
        .set({
          status: 'pending',
          claimedBy: null,
          nextAttemptAt: now,
          mayHaveArrived: true,
          lastError: 'the process that was sending it ended',
        })
        .where(and(eq(notifications.status, 'sending'), notInArray(notifications.id, [...inFlight])))
        .run().changes,
  );

/** Gives up what has waited since before `before` for a channel that cannot send anything. Returns how many. */
export async function failOlderThan(db: Database, channels: readonly ChannelName[], before: Date): Promise<number> {
  const old = and(
    eq(notifications.status, 'pending'),
    inArray(notifications.channel, [...channels]),
    lte(notifications.createdAt, before),
  );
  // A look first: this is asked every second, and a write waits for the disk.
  if (channels.length === 0 || !db.select({ id: notifications.id }).from(notifications).where(old).limit(1).get())
    return 0;
  const lastError = 'nothing could be sent on this channel for three days';
  return write(db, (tx) => tx.update(notifications).set({ status: 'failed', lastError }).where(old).run().changes);
}

/**
 * Lets failed messages wait once more; `ids` null: all of them. Beginnings that their endings have told meanwhile stay
 * as they are. Returns the ids of those that wait again.
 */
export const retryFailed = (db: Database, actor: Actor, ids: readonly string[] | null, now: Date): Promise<string[]> =>
  write(db, (tx) => {
    const by = adminName(actor);
    const retried = tx
      .select()
      .from(notifications)
      .where(and(eq(notifications.status, 'failed'), ids === null ? undefined : inArray(notifications.id, [...ids])))
      .all()
      .filter((row) => !isTold(tx, row))
      .map(({ id }) => {
        tx.update(notifications)
          .set({ status: 'pending', attempts: 0, nextAttemptAt: now })
          .where(eq(notifications.id, id))
          .run();
        return id;
      });
    if (retried.length === 0) return retried;
    noteAdminAction(tx, by, null, 'messages_retried', { count: retried.length });
    publish(tx, { kind: 'outbox' });
    return retried;
  });

/** Whether an ending that was sent has told this one. */
const isTold = (tx: Transaction, row: NotificationRow): boolean =>
  tx
    .select()
    .from(notifications)
    .where(
      and(
        eq(notifications.status, 'sent'),
        eq(notifications.recipientId, row.recipientId),
        eq(notifications.channel, row.channel),
        row.incidentId === null ? undefined : eq(notifications.incidentId, row.incidentId),
      ),
    )
    .all()
    .some((other) => endedBy(other.kind).some((kind) => kind === row.kind) && threadOf(other) === threadOf(row));
