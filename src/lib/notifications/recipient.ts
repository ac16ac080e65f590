import { and, eq } from 'drizzle-orm';
import { LOCAL_OPERATOR_NAME } from '../auth/actor.ts';
import type { Database, Transaction } from '../db/client.ts';
import { notificationTargets, users } from '../db/schema.ts';
import type { ChannelName } from '../facts/message.ts';
import type { Recipient } from './channel.ts';

/**
 * Whom a message is for, with the rights that this user has now: what was written for an admin is not sent to somebody
 * who is none any more, and a disabled account is told nothing. `problem` says why there is nobody, for admins.
 */
export function findRecipient(
  db: Database,
  userId: string,
  channel: ChannelName,
  audience: 'customer' | 'admin',
): Recipient | { readonly problem: string } {
  const user = db.select().from(users).where(eq(users.id, userId)).get();
  if (!user) return { problem: 'the recipient is gone' };
  if (user.banned) return { problem: 'the account of the recipient is disabled' };
  if (audience === 'admin' && user.role !== 'admin') return { problem: 'the recipient is not an admin any more' };
  const own = and(eq(notificationTargets.userId, userId), eq(notificationTargets.channel, channel));
  const target = db.select().from(notificationTargets).where(own).get() ?? null;
  return { user, target, vouched: isAdminNow(db, target?.addressNamedBy ?? null) };
}

/** Whether somebody whose word is enough (a user's id, or `cli`) is an admin at this moment. */
export function isAdminNow(db: Database | Transaction, name: string | null): boolean {
  if (name === LOCAL_OPERATOR_NAME) return true;
  if (name === null) return false;
  const isAdmin = and(eq(users.id, name), eq(users.role, 'admin'), eq(users.banned, false));
  return db.select({ id: users.id }).from(users).where(isAdmin).get() !== undefined;
}
