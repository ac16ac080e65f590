import { and, eq } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { notifications, type Incident } from '../db/schema.ts';
import { recipientsOf, type Recipient } from './audience.ts';
import type { MessageFacts, NotificationKind } from './message.ts';
import { enqueue } from './outbox.ts';
import type { Announcement } from './rules.ts';

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
    const recipients = wereTold(tx, kind, incident, recipientsOf(tx, kind, whom));
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

/** Back up is told to those who were told of the outage, and to nobody else. */
function wereTold(
  tx: Transaction,
  kind: NotificationKind,
  incident: Pick<Incident, 'id'> | null,
  recipients: readonly Recipient[],
): readonly Recipient[] {
  if (kind !== 'up' || incident === null) return recipients;
  const told = tx
    .select({ recipientId: notifications.recipientId, channel: notifications.channel })
    .from(notifications)
    .where(and(eq(notifications.incidentId, incident.id), eq(notifications.kind, 'down')))
    .all();
  return recipients.filter((one) =>
    told.some(({ recipientId, channel }) => recipientId === one.recipientId && channel === one.channel),
  );
}
