import { and, eq } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { incidents, notifications, users, type Incident } from '../db/schema.ts';
import type { Announcement, ChannelName, MessageFacts, NotificationKind } from '../facts/message.ts';
import { enqueue } from './outbox.ts';
import { channelsFor } from './target-store.ts';

/**
 * Puts what is to be told into the outbox, a row for each recipient and channel, within the caller's transaction. Returns
 * how many those are.
 */
export function announceIn(
  tx: Transaction,
  announcements: readonly Announcement[],
  about: {
    readonly userId: string | null;
    readonly incident: Pick<Incident, 'id'> | null;
    readonly facts: Exclude<MessageFacts, { about: 'digest' }>;
    readonly at: Date;
    /** A way by which nothing gets through now: a channel, to this recipient or (null) to anybody. */
    readonly except?: { readonly channel: ChannelName; readonly recipientId: string | null };
  },
): number {
  const { userId, incident, facts, at, except } = about;
  const isClosed = ({ recipientId, channel }: Recipient): boolean =>
    channel === except?.channel && (except.recipientId === null || except.recipientId === recipientId);
  let told = 0;
  for (const { kind, audience, occurrence } of announcements) {
    if (audience === 'customer' && userId === null) continue;
    const whom = audience === 'admin' || userId === null ? { kind: 'admin' as const } : { kind: audience, userId };
    const all = kind === 'up' ? wereTold(tx, userId, recipientsOf(tx, kind, whom)) : recipientsOf(tx, kind, whom);
    const recipients = all.filter((one) => !isClosed(one));
    told += recipients.length;
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
  return told;
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

/** Somebody who is to be told, and by which channel. */
type Recipient = { readonly recipientId: string; readonly channel: ChannelName };

/** Who hears of this: every admin, or the customer whose VPS it is; each by the channels that they want for this kind. */
function recipientsOf(
  tx: Transaction,
  kind: NotificationKind,
  audience: { readonly kind: 'admin' } | { readonly kind: 'customer'; readonly userId: string },
): Recipient[] {
  const admins = () =>
    tx
      .select({ id: users.id })
      .from(users)
      .where(and(eq(users.role, 'admin'), eq(users.banned, false)))
      .all();
  const ids = audience.kind === 'customer' ? [audience.userId] : admins().map(({ id }) => id);
  return ids.flatMap((recipientId) => channelsFor(tx, recipientId, kind).map((channel) => ({ recipientId, channel })));
}
