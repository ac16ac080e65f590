import { eq } from 'drizzle-orm';
import type { Transaction } from '../db/client.ts';
import { users } from '../db/schema.ts';
import type { ChannelName, NotificationKind } from '../facts/message.ts';
import { channelsFor } from './preferences.ts';

/** Somebody who is to be told, and by which channel. */
export type Recipient = { readonly recipientId: string; readonly channel: ChannelName };

/** Who hears of this: every admin, or the customer whose VPS it is; each by the channels that they want for this kind. */
export function recipientsOf(
  tx: Transaction,
  kind: NotificationKind,
  audience: { readonly kind: 'admin' } | { readonly kind: 'customer'; readonly userId: string },
): Recipient[] {
  const admins = () => tx.select({ id: users.id }).from(users).where(eq(users.role, 'admin')).all();
  const ids = audience.kind === 'customer' ? [audience.userId] : admins().map(({ id }) => id);
  return ids.flatMap((recipientId) => channelsFor(tx, recipientId, kind).map((channel) => ({ recipientId, channel })));
}
