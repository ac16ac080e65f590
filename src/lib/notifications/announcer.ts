import { and, eq } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { incidents, notifications, type Incident } from '../db/schema.ts';
import { recipientsOf, type Recipient } from './audience.ts';
import type { MessageFacts } from '../facts/message.ts';
import { enqueue } from './outbox.ts';
import type { Announcement } from '../monitoring/rules/announcements.ts';

/** Puts what is to be told into the outbox, a row for each recipient and channel, within the caller's transaction. */
export function announceIn(
  tx: Transaction,
  announcements: readonly Announcement[],
  about: {
    readonly userId: string | null;
    readonly incident: Pick<Incident, 'id'> | null;
    readonly facts: Exclude<MessageFacts, { about: 'digest' }>;
    readonly at: Date;
  },
): void {
  const { userId, incident, facts, at } = about;
  for (const { kind, audience, occurrence } of announcements) {
    if (audience === 'customer' && userId === null) continue;
    const whom = audience === 'admin' || userId === null ? { kind: 'admin' as const } : { kind: audience, userId };
    const recipients =
      kind === 'up' ? wereTold(tx, userId, recipientsOf(tx, kind, whom)) : recipientsOf(tx, kind, whom);
    enqueue(
      tx,
      recipients.map(({ recipientId, channel }) => ({
        kind,
        audience,
        recipientId,
        channel,
        incidentId: incident?.id ?? null,
        dedupeKey: [incident?.id ?? userId ?? 'fleet', kind, occurrence, recipientId, channel].join('/'),
        facts,
        nextAttemptAt: at,
        createdAt: at,
      })),
    );
  }
}

/**
 * Back up is told to those who were told of the outage, and to nobody else. The last mail says who that was, not the
 * incident: one that ended with a cancelled subscription is followed by another.
 */
function wereTold(tx: Transaction, userId: string | null, recipients: readonly Recipient[]): readonly Recipient[] {
  const downs = tx
    .select({
      recipientId: notifications.recipientId,
      channel: notifications.channel,
      createdAt: notifications.createdAt,
    })
    .from(notifications)
    .innerJoin(incidents, eq(incidents.id, notifications.incidentId))
    .where(and(eq(incidents.userId, userId ?? ''), eq(notifications.kind, 'down')))
    .all();
  const last = Math.max(...downs.map(({ createdAt }) => createdAt.getTime()));
  return recipients.filter((one) =>
    downs.some(
      ({ recipientId, channel, createdAt }) =>
        createdAt.getTime() === last && recipientId === one.recipientId && channel === one.channel,
    ),
  );
}
