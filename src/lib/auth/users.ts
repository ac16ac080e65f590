import { and, asc, count, eq, gt, inArray, max, or } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write, type Transaction } from '../db/client.ts';
import { contains } from '../db/contains.ts';
import { accounts, newId, oneTimeLinks, sessions, subscriptions, users } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { problem, type Problem } from '../parsing/problems.ts';
import { parseUser } from './account-form.ts';
import { isLastAdmin } from './accounts.ts';
import { adminName, type Actor } from './actor.ts';
import { endSessions } from './credentials.ts';
import { announceSessionsEnded } from './session-end.ts';

export type UserRow = {
  readonly id: string;
  readonly email: string;
  readonly name: string | null;
  readonly role: 'admin' | 'customer';
  readonly secondFactor: boolean;
  readonly disabled: boolean;
  /** Has a password. */
  readonly canSignIn: boolean;
  /** Until when a link for setting one can be used; null: there is none, or no more. */
  readonly linkUntil: Date | null;
  /** How many there are now. */
  readonly sessions: number;
  readonly vps: { readonly id: string; readonly host: string } | null;
};

/** More than a person reads; who is not among them is searched for. */
const LIST_ROWS = 100;

export type UserList = {
  /** As many as a page shows. */
  readonly users: readonly UserRow[];
  /** How many were found. */
  readonly found: number;
};

/** Whose address, name or host contains `search`; admins first, then by address. Nobody for a customer. */
export function listUsers({ db }: App, actor: Actor, search: string, now: Date): UserList {
  if (actor.role !== 'admin') return { users: [], found: 0 };
  const isMeant = or(...[users.email, users.name, subscriptions.vpsIpAddress].map((text) => contains(text, search)));
  const sums = db
    .select({ found: count() })
    .from(users)
    .leftJoin(subscriptions, eq(subscriptions.userId, users.id))
    .where(isMeant)
    .get();
  const rows = db
    .select({ user: users, vpsId: subscriptions.id, host: subscriptions.vpsIpAddress, password: accounts.password })
    .from(users)
    .leftJoin(subscriptions, eq(subscriptions.userId, users.id))
    .leftJoin(accounts, and(eq(accounts.userId, users.id), eq(accounts.providerId, 'credential')))
    .where(isMeant)
    .orderBy(asc(users.role), asc(users.email))
    .limit(LIST_ROWS)
    .all();
  const ids = rows.map(({ user }) => user.id);
  const open = new Map(
    db
      .select({ userId: sessions.userId, open: count() })
      .from(sessions)
      .where(and(inArray(sessions.userId, ids), gt(sessions.expiresAt, now)))
      .groupBy(sessions.userId)
      .all()
      .map((row) => [row.userId, row.open]),
  );
  const links = new Map(
    db
      .select({ userId: oneTimeLinks.userId, until: max(oneTimeLinks.expiresAt) })
      .from(oneTimeLinks)
      .where(
        and(inArray(oneTimeLinks.userId, ids), eq(oneTimeLinks.purpose, 'password'), gt(oneTimeLinks.expiresAt, now)),
      )
      .groupBy(oneTimeLinks.userId)
      .all()
      .map((row) => [row.userId, row.until]),
  );
  return {
    found: sums?.found ?? 0,
    users: rows.map(({ user, vpsId, host, password }) => ({
      id: user.id,
      email: user.email,
      name: user.name,
      role: user.role,
      secondFactor: user.twoFactorEnabled,
      disabled: user.banned,
      canSignIn: password !== null,
      linkUntil: links.get(user.id) ?? null,
      sessions: open.get(user.id) ?? 0,
      vps: vpsId === null ? null : { id: vpsId, host: host ?? '' },
    })),
  };
}

export type NewUser = { readonly email: string; readonly name: string; readonly role: 'admin' | 'customer' };
export type AddUserResult =
  | { readonly kind: 'added'; readonly email: string }
  | { readonly kind: 'refused'; readonly problems: readonly Problem<'email' | 'name'>[] };

/** Adds an account without a password: an invitation follows. Throws when a customer asks: no page lets it come to that. */
export async function addUser({ db }: App, actor: Actor, given: NewUser): Promise<AddUserResult> {
  const by = adminName(actor);
  const parsed = parseUser(given);
  if ('problems' in parsed) return { kind: 'refused', ...parsed };
  const { email, name } = parsed.value;
  const added = await write(db, (tx) => {
    if (tx.select().from(users).where(eq(users.email, email)).get()) return false;
    tx.insert(users)
      .values({ id: newId('user'), email, name, role: given.role })
      .run();
    noteAdminAction(tx, by, null, 'user_invited', { email, role: given.role });
    return true;
  });
  return added
    ? { kind: 'added', email }
    : { kind: 'refused', problems: [problem('email', 'this address has an account already: it is in the list below')] };
}

export type UserChange =
  | { readonly kind: 'changed' }
  | { readonly kind: 'not_found' }
  | { readonly kind: 'last_admin' }
  /** Nobody locks the own account, or removes it. */
  | { readonly kind: 'yourself' }
  | { readonly kind: 'has_vps' };

/** Does `work` to a user as an admin, and tells the user's open pages that their sessions have ended. */
async function changeUser(
  app: App,
  actor: Actor,
  userId: string,
  work: (tx: Transaction, user: typeof users.$inferSelect) => UserChange,
): Promise<UserChange> {
  const result = await write(app.db, (tx): UserChange => {
    const user = tx.select().from(users).where(eq(users.id, userId)).get();
    return actor.role !== 'admin' || !user ? { kind: 'not_found' } : work(tx, user);
  });
  if (result.kind === 'changed') announceSessionsEnded(app, userId);
  return result;
}

/** Keeps a user from signing in, and ends every session; or lets the user in again. What the user has stays. */
export const setDisabled = (app: App, actor: Actor, userId: string, disabled: boolean): Promise<UserChange> =>
  changeUser(app, actor, userId, (tx, user) => {
    if (userId === actor.userId) return { kind: 'yourself' };
    if (disabled && user.role === 'admin' && isLastAdmin(tx, userId)) return { kind: 'last_admin' };
    tx.update(users).set({ banned: disabled }).where(eq(users.id, userId)).run();
    if (disabled) endSessions(tx, userId);
    const action = disabled ? 'user_disabled' : 'user_enabled';
    noteAdminAction(tx, adminName(actor), null, action, { email: user.email });
    return { kind: 'changed' };
  });

/** Signs a user out everywhere. */
export const endAllSessions = (app: App, actor: Actor, userId: string): Promise<UserChange> =>
  changeUser(app, actor, userId, (tx, { email }) => {
    endSessions(tx, userId);
    noteAdminAction(tx, adminName(actor), null, 'sessions_ended', { email });
    return { kind: 'changed' };
  });

/** Deletes an account without a VPS, and whatever belongs to it. */
export const removeUser = (app: App, actor: Actor, userId: string): Promise<UserChange> =>
  changeUser(app, actor, userId, (tx, user) => {
    if (userId === actor.userId) return { kind: 'yourself' };
    if (tx.select().from(subscriptions).where(eq(subscriptions.userId, userId)).get()) return { kind: 'has_vps' };
    if (user.role === 'admin' && isLastAdmin(tx, userId)) return { kind: 'last_admin' };
    tx.delete(users).where(eq(users.id, userId)).run();
    noteAdminAction(tx, adminName(actor), null, 'user_removed', { email: user.email });
    return { kind: 'changed' };
  });
