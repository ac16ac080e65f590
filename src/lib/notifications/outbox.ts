import { and, eq, inArray } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client.ts';
import { write } from '../db/client.ts';
import { newId, notifications, type NotificationRow } from '../db/schema.ts';
import { isCurrent, type Tenure } from '../db/lease.ts';
import { publish } from '../live/bus.ts';
import { endedBy, untoldBeginning, type Plan } from './rules/delivery-plan.ts';
import type { DigestItem } from '../facts/message.ts';
import { threadOf } from './outbox-read.ts';

/** A message as it is put into the outbox; it waits from the start (`pending`). */
export type NewMessage = Pick<
  typeof notifications.$inferInsert,
  'kind' | 'audience' | 'recipientId' | 'channel' | 'incidentId' | 'dedupeKey' | 'facts' | 'nextAttemptAt' | 'createdAt'
>;

/**
 * Writes messages in the transaction of what they tell of; one that is there already (same `dedupeKey`) is left as it
 * is. The notifier of this process hears of it after the commit.
 */
export function enqueue(tx: Transaction, messages: readonly NewMessage[]): void {
  for (const message of messages)
    tx.insert(notifications).values(message).onConflictDoNothing({ target: notifications.dedupeKey }).run();
  if (messages.length > 0) publish(tx, { kind: 'outbox' });
}

/**
 * Marks what is overtaken and makes the digests, all at once. What has changed since the plan was made is left out, and
 * a process that is no longer the notifier changes nothing.
 */
export const applyPlan = (db: Database, tenure: Tenure, { collapse, digests }: Plan, now: Date): Promise<void> =>
  write(db, (tx) => {
    if (!isCurrent(tx, tenure)) return;
    for (const { id, toldBy } of collapse) {
      const ending = tx.select().from(notifications).where(isPending(toldBy)).get();
      if (ending) tx.update(notifications).set({ status: 'collapsed', toldBy }).where(isPending(id)).run();
    }
    for (const itemIds of digests) {
      const items = itemIds.flatMap((id) => tx.select().from(notifications).where(isPending(id)).all());
      createDigest(tx, items, now);
    }
  });

const isPending = (id: string) => and(eq(notifications.id, id), eq(notifications.status, 'pending'));

function createDigest(tx: Transaction, items: readonly NotificationRow[], now: Date): void {
  const [first] = items;
  if (!first) return;
  const id = newId('message');
  const told = items.map(asItem).filter((item) => item !== null);
  tx.insert(notifications)
    .values({
      id,
      kind: 'digest',
      audience: first.audience,
      recipientId: first.recipientId,
      channel: first.channel,
      // A message is in one digest at most, so this is one of a kind too.
      dedupeKey: `digest:${first.dedupeKey}`,
      facts: { about: 'digest', atMs: now.getTime(), items: told },
      nextAttemptAt: now,
      createdAt: now,
    })
    .run();
  for (const item of items)
    tx.update(notifications).set({ status: 'digested', toldBy: id }).where(eq(notifications.id, item.id)).run();
}

const asItem = ({ kind, facts }: NotificationRow): DigestItem | null =>
  kind === 'digest' || facts.about === 'digest' ? null : { kind, facts };

/** A message that this process alone may send now. */
export type Claimed = {
  readonly row: NotificationRow;
  readonly thread: string | null;
  /** What it has to tell as well, as it ends something whose beginning was never told. */
  readonly beginning: DigestItem | null;
};

/** Takes a message by compare-and-set; null where it is not waiting any more, has to wait, or is not ours to send. */
export const claim = (db: Database, tenure: Tenure, id: string, now: Date): Promise<Claimed | null> =>
  write(db, (tx) => {
    const waiting = tx.select().from(notifications).where(isPending(id)).get();
    if (!waiting || !isCurrent(tx, tenure)) return null;
    const begun = findBeginnings(tx, waiting);
    if (begun.some(({ status }) => status === 'pending' || status === 'sending')) return null;
    const row: NotificationRow = {
      ...waiting,
      status: 'sending',
      claimedBy: tenure.holder,
      attempts: waiting.attempts + 1,
      lastAttemptAt: now,
    };
    tx.update(notifications).set(row).where(isPending(id)).run();
    const untold = untoldBeginning(begun);
    return { row, thread: threadOf(row), beginning: untold && asItem(untold) };
  });

/** What this message ends, oldest first, for the same recipient on the same channel. */
const findBeginnings = (tx: Transaction, ending: NotificationRow): NotificationRow[] =>
  endedBy(ending.kind).length === 0
    ? []
    : tx
        .select()
        .from(notifications)
        .where(
          and(
            ending.incidentId === null ? undefined : eq(notifications.incidentId, ending.incidentId),
            inArray(notifications.kind, [...endedBy(ending.kind)]),
            eq(notifications.recipientId, ending.recipientId),
            eq(notifications.channel, ending.channel),
          ),
        )
        .orderBy(notifications.createdAt)
        .all()
        .filter((row) => threadOf(row) === threadOf(ending))
        .map((row) => ({ ...row, status: statusOf(tx, row) }));

/** Of a message in a digest: what became of the digest. */
const statusOf = (tx: Transaction, { status, toldBy }: NotificationRow): NotificationRow['status'] =>
  status === 'digested' && toldBy !== null
    ? (tx.select().from(notifications).where(eq(notifications.id, toldBy)).get()?.status ?? status)
    : status;
