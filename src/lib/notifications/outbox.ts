import type { Transaction } from '../db/client.ts';
import { notifications } from '../db/schema.ts';

/** A message as it is put into the outbox; it waits from the start (`pending`). */
export type NewMessage = Pick<
  typeof notifications.$inferInsert,
  'kind' | 'audience' | 'recipientId' | 'channel' | 'incidentId' | 'dedupeKey' | 'facts' | 'nextAttemptAt' | 'createdAt'
>;

/**
 * Writes messages in the transaction of what they tell of; one that is there already (same `dedupeKey`) is left as it
 * is. Call `wakeDispatcher()` after the commit.
 */
export function enqueue(tx: Transaction, messages: readonly NewMessage[]): void {
  for (const message of messages)
    tx.insert(notifications).values(message).onConflictDoNothing({ target: notifications.dedupeKey }).run();
}
