import { randomUUID } from 'node:crypto';
import { and, eq, ne } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Database, Transaction } from '../db/client.ts';
import { accounts, oneTimeLinks, sessions, users, verifications } from '../db/schema.ts';
import { authOf } from './auth.ts';
import { forgetAttempts } from './rate-limit.ts';

/** What better-auth calls signing in with a password. */
const PASSWORD = 'credential';

/**
 * Takes a quarter of a second of another thread: call it before the transaction that stores it. Rejects with
 * `TooManyHashesError` while too many wait (see `hash-gate.ts`).
 */
export const hashPassword = async (app: App, password: string): Promise<string> =>
  (await (await authOf(app)).$context).password.hash(password);

const hashOf = (db: Database, userId: string): string | null =>
  db
    .select({ hash: accounts.password })
    .from(accounts)
    .where(and(eq(accounts.userId, userId), eq(accounts.providerId, PASSWORD)))
    .get()?.hash ?? null;

/** Without one nobody has signed in to the account yet. */
export const hasPassword = (db: Database, userId: string): boolean => hashOf(db, userId) !== null;

/** Whether this is the user's password; takes as long when the user has none. Rejects as `hashPassword` does. */
export async function isPassword(app: App, userId: string, password: string): Promise<boolean> {
  const context = await (await authOf(app)).$context;
  const hash = hashOf(app.db, userId);
  if (hash !== null) return context.password.verify({ hash, password });
  await context.password.hash(password);
  return false;
}

/**
 * Sets the password of a user, who may not have had one. Links and half-done sign-ins with the old one are void, and what
 * was counted against the account is forgotten: guesses at the old one keep nobody out.
 */
export function storePassword(tx: Transaction, userId: string, hash: string): void {
  tx.insert(accounts)
    .values({ id: randomUUID(), accountId: userId, providerId: PASSWORD, userId, password: hash })
    .onConflictDoUpdate({
      target: [accounts.userId, accounts.providerId],
      set: { password: hash, updatedAt: new Date() },
    })
    .run();
  tx.delete(oneTimeLinks).where(eq(oneTimeLinks.userId, userId)).run();
  tx.delete(verifications).where(eq(verifications.value, userId)).run();
  const email = tx.select({ email: users.email }).from(users).where(eq(users.id, userId)).get()?.email ?? '';
  forgetAttempts(tx, [
    ['sign-in account', email],
    ['sign-in device', email],
    ['reset mail account', email],
    ['reset mail device', email],
    ['password check', userId],
  ]);
}

/** Ends all sessions of a user, but for one if given. Announce it after commit. Returns how many there were. */
export const endSessions = (tx: Transaction, userId: string, exceptSessionId: string | null = null): number =>
  tx
    .delete(sessions)
    .where(and(eq(sessions.userId, userId), exceptSessionId === null ? undefined : ne(sessions.id, exceptSessionId)))
    .run().changes;
