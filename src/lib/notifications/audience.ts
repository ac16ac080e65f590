import { eq, inArray } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { notificationTargets, users } from '../db/schema.ts';
import type { ChannelName, NotificationKind } from './message.ts';

/** Somebody who is to be told, and by which channel. */
export type Recipient = { readonly recipientId: string; readonly channel: ChannelName };

/** Who hears of this: every admin, or the customer whose VPS it is; each by the channels that they want for this kind. */
export function recipientsOf(
  tx: Transaction,
  kind: NotificationKind,
  audience: { readonly kind: 'admin' } | { readonly kind: 'customer'; readonly userId: string },
): Recipient[] {
  const ids =
    audience.kind === 'customer'
      ? [audience.userId]
      : tx
          .select({ id: users.id })
          .from(users)
          .where(eq(users.role, 'admin'))
          .all()
          .map(({ id }) => id);
  const targets = tx.select().from(notificationTargets).where(inArray(notificationTargets.userId, ids)).all();
  return ids.flatMap((recipientId) => {
    const own = targets.filter(({ userId }) => userId === recipientId);
    const wanted = own.filter(({ enabled, kinds }) => enabled && (kinds === null || kinds.includes(kind)));
    const channels: ChannelName[] = wanted.map(({ channel }) => channel);
    // Whoever has said nothing about mail gets it.
    if (!own.some(({ channel }) => channel === 'email')) channels.push('email');
    return channels.map((channel) => ({ recipientId, channel }));
  });
}
