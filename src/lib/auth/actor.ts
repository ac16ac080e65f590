import { eq, sql, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';

/** On whose behalf something is read or done. Every read and write takes one, and its rights are part of the query. */
export type Actor =
  | {
      readonly role: 'admin';
      /** Null for whoever sits at the machine itself. */
      readonly userId: string | null;
    }
  | { readonly role: 'customer'; readonly userId: string };

/** Whoever runs the command line: has the database and the key anyway. */
export const LOCAL_OPERATOR: Actor = { role: 'admin', userId: null };

export const LOCAL_OPERATOR_NAME = 'cli';

/** How the journal names who did something. */
export const journalName = (actor: Actor): string => actor.userId ?? LOCAL_OPERATOR_NAME;

/** The same, of someone who does what only admins may: throws for customers. No page lets it come to that. */
export function adminName(actor: Actor): string {
  if (actor.role !== 'admin') throw new Error('only an admin may do that');
  return journalName(actor);
}

/** What `locals` holds on a guarded route. Throws where nobody is signed in: the route is public by mistake. */
export function guarded<T>(who: T | null): T {
  if (who === null) throw new Error('nobody is signed in, yet this route needs someone: see src/lib/auth/routes.ts');
  return who;
}

/** The right to see a row, as part of every query: its `owner`'s and every admin's. */
export const ownedBy = (actor: Actor, owner: SQLiteColumn): SQL =>
  actor.role === 'admin' ? sql`true` : eq(owner, actor.userId);
