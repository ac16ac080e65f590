import { and, eq } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client.ts';
import { notificationTargets, users } from '../db/schema.ts';
import { CHANNEL_NAMES, type ChannelName, type NotificationKind } from '../facts/message.ts';

export type Target = typeof notificationTargets.$inferSelect;

const isOf = (userId: string, channel: ChannelName) =>
  and(eq(notificationTargets.userId, userId), eq(notificationTargets.channel, channel));

/** What a user has set for this channel, if anything. */
export const readTarget = (db: Database | Transaction, userId: string, channel: ChannelName): Target | undefined =>
  db.select().from(notificationTargets).where(isOf(userId, channel)).get();

/** Whether anything is sent there. Without a choice of the user's own: by e-mail. */
export const isOn = (channel: ChannelName, target: Target | undefined): boolean =>
  target?.enabled ?? channel === 'email';

/** On which channels a user wants to hear of this kind. */
export const channelsFor = (db: Database | Transaction, userId: string, kind: NotificationKind): ChannelName[] =>
  CHANNEL_NAMES.filter((channel) => {
    const target = readTarget(db, userId, channel);
    const kinds = target?.kinds ?? null;
    return isOn(channel, target) && (kinds === null || kinds.includes(kind));
  });

/** Whether a user who is an admin would hear nothing any more without this channel. */
export function isLastWay(tx: Transaction, userId: string, channel: ChannelName): boolean {
  const role = tx.select({ role: users.role }).from(users).where(eq(users.id, userId)).get()?.role;
  const others = CHANNEL_NAMES.filter((other) => other !== channel);
  return role === 'admin' && !others.some((other) => isOn(other, readTarget(tx, userId, other)));
}

/** Sends nothing more there, until the user turns it on again. */
export const switchOff = (tx: Transaction, userId: string, channel: ChannelName): void => {
  tx.insert(notificationTargets)
    .values({ userId, channel, enabled: false })
    .onConflictDoUpdate({
      target: [notificationTargets.userId, notificationTargets.channel],
      set: { enabled: false },
    })
    .run();
};
