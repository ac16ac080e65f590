import { and, asc, count, eq, ne } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write, type Transaction } from '../db/client.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { newId, oneTimeLinks, subscriptions, twoFactors, users } from '../db/schema.ts';
import type { Problem } from '../parsing/problems.ts';
import { normalizeEmail, parseAdmin, parseName, type NewAdmin, type NewUser } from './account-form.ts';
import { adminName, type Actor } from './actor.ts';
import { endSessions, hashPassword, storePassword } from './credentials.ts';
import { announceSessionsEnded } from './session-end.ts';
import type { SignedIn } from './session.ts';

export const hasAdmin = (db: Pick<Transaction, 'select'>): boolean =>
  db.select({ id: users.id }).from(users).where(eq(users.role, 'admin')).get() !== undefined;

/** Adds an admin, which ends every link for the first one. Null where the address belongs to someone already. */
export function insertAdmin(tx: Transaction, { email, name }: NewUser, passwordHash: string): string | null {
  if (tx.select().from(users).where(eq(users.email, email)).get()) return null;
  const id = newId('user');
  tx.insert(users).values({ id, email, name, role: 'admin' }).run();
  storePassword(tx, id, passwordHash);
  tx.delete(oneTimeLinks).where(eq(oneTimeLinks.purpose, 'first_admin')).run();
  return id;
}

export type CreateAdminResult =
  | { readonly kind: 'created'; readonly userId: string }
  | { readonly kind: 'email_taken' }
  | { readonly kind: 'refused'; readonly problems: readonly Problem<keyof NewAdmin>[] };

/** For the command line, and for admins. Throws when a customer asks: no page lets it come to that. */
export async function createAdmin(app: App, actor: Actor, given: NewAdmin): Promise<CreateAdminResult> {
  adminName(actor);
  const parsed = await parseAdmin(given);
  if ('problems' in parsed) return { kind: 'refused', ...parsed };
  const hash = await hashPassword(app, given.password);
  const userId = await write(app.db, (tx) => insertAdmin(tx, parsed.value, hash));
  return userId === null ? { kind: 'email_taken' } : { kind: 'created', userId };
}

export type AdminRow = {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly secondFactor: boolean;
  readonly createdAt: Date;
};

/** The admins, oldest first; nobody else may know them. */
export const listAdmins = ({ db }: App, actor: Actor): AdminRow[] =>
  actor.role !== 'admin'
    ? []
    : db
        .select({
          id: users.id,
          email: users.email,
          name: users.name,
          secondFactor: users.twoFactorEnabled,
          createdAt: users.createdAt,
        })
        .from(users)
        .where(eq(users.role, 'admin'))
        .orderBy(asc(users.createdAt), asc(users.id))
        .all();

export type RoleChange =
  { readonly kind: 'changed' } | { readonly kind: 'not_found' } | { readonly kind: 'last_admin' };

/** Gives a user another role, and ends all of the user's sessions: none goes on with rights that were taken away. */
export async function changeRole(
  app: App,
  actor: Actor,
  userId: string,
  role: 'admin' | 'customer',
): Promise<RoleChange> {
  const result = await write(app.db, (tx): RoleChange => {
    const user = tx.select().from(users).where(eq(users.id, userId)).get();
    if (actor.role !== 'admin' || !user) return { kind: 'not_found' };
    if (user.role === role) return { kind: 'changed' };
    if (role === 'customer' && isLastAdmin(tx, userId)) return { kind: 'last_admin' };
    // The second factor comes with the role: a customer has no page to manage it.
    if (role === 'customer') tx.delete(twoFactors).where(eq(twoFactors.userId, userId)).run();
    tx.update(users)
      .set(role === 'customer' ? { role, twoFactorEnabled: false } : { role })
      .where(eq(users.id, userId))
      .run();
    if (role === 'admin') tx.delete(oneTimeLinks).where(eq(oneTimeLinks.purpose, 'first_admin')).run();
    endSessions(tx, userId);
    noteAdminAction(tx, adminName(actor), null, 'role_changed', { email: user.email, role });
    return { kind: 'changed' };
  });
  if (result.kind === 'changed') announceSessionsEnded(app, userId);
  return result;
}

export type AdminRemoval =
  | { readonly kind: 'removed'; readonly id: string }
  /** Has a VPS, and so remains as a customer. */
  | { readonly kind: 'demoted'; readonly id: string }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'last_admin' };

/** Ends someone's being an admin: the account goes, unless a VPS belongs to it. */
export async function removeAdmin(app: App, actor: Actor, typed: string): Promise<AdminRemoval> {
  const admin = app.db
    .select({ id: users.id })
    .from(users)
    .where(and(eq(users.email, normalizeEmail(typed)), eq(users.role, 'admin')))
    .get();
  if (!admin) return { kind: 'not_found' };
  const demoted = await changeRole(app, actor, admin.id, 'customer');
  if (demoted.kind !== 'changed') return demoted;
  const gone = await write(app.db, (tx) => {
    if (tx.select().from(subscriptions).where(eq(subscriptions.userId, admin.id)).get()) return false;
    return (
      tx
        .delete(users)
        .where(and(eq(users.id, admin.id), eq(users.role, 'customer')))
        .run().changes === 1
    );
  });
  return { kind: gone ? 'removed' : 'demoted', id: admin.id };
}

/** Whether nobody else could act as an admin: one whose account is disabled cannot. */
export const isLastAdmin = (tx: Transaction, userId: string): boolean =>
  tx
    .select({ others: count() })
    .from(users)
    .where(and(eq(users.role, 'admin'), eq(users.banned, false), ne(users.id, userId)))
    .get()?.others === 0;

/** Changes the user's own name; nothing means none. Gives what is wrong with it, if anything. */
export async function changeName({ db }: App, { user }: SignedIn, typed: string): Promise<string | undefined> {
  const parsed = parseName(typed);
  if ('problem' in parsed) return parsed.problem;
  await write(db, (tx) => tx.update(users).set(parsed).where(eq(users.id, user.id)).run());
  return undefined;
}
