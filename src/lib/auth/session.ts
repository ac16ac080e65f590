import { and, desc, eq, gt } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { sessions, users } from '../db/schema.ts';
import type { Actor } from './actor.ts';
import { headersOf, type Asking } from './asking.ts';
import { authOf } from './auth.ts';
import { endSessions } from './credentials.ts';
import { announceSessionsEnded, type LiveSession } from './session-end.ts';

/** Who is signed in, read anew for each request: a session that ended, or a role that changed, counts at once. */
export type SignedIn = {
  readonly session: LiveSession;
  readonly actor: Actor & { readonly userId: string };
  readonly user: {
    readonly id: string;
    readonly email: string;
    readonly name: string | null;
    readonly hasSecondFactor: boolean;
  };
};

const SESSION_COOKIE = 'wardround.session_token=';

/** Whether there is, or was, a session in this browser. */
export const hasSessionCookie = ({ cookie }: Asking): boolean => cookie.includes(SESSION_COOKIE);

/** Reads the session of a request. `setCookies` are `Set-Cookie` headers to pass on: sessions in use live longer. */
export async function readSession(
  app: App,
  asking: Asking,
): Promise<{ readonly signedIn: SignedIn | null; readonly setCookies: readonly string[] }> {
  if (!hasSessionCookie(asking)) return { signedIn: null, setCookies: [] };
  const { headers, response } = await (
    await authOf(app)
  ).api.getSession({ headers: headersOf(asking), returnHeaders: true });
  const setCookies = headers.getSetCookie();
  if (response === null) return { signedIn: null, setCookies };
  const user = app.db.select().from(users).where(eq(users.id, response.user.id)).get();
  if (!user || user.banned) return { signedIn: null, setCookies };
  return {
    signedIn: {
      session: { id: response.session.id, userId: user.id },
      actor: { role: user.role, userId: user.id },
      user: { id: user.id, email: user.email, name: user.name, hasSecondFactor: user.twoFactorEnabled },
    },
    setCookies,
  };
}

export type SessionRow = {
  readonly id: string;
  /** The session that asks. */
  readonly current: boolean;
  readonly signedInAt: Date;
  /** To the day: that is how often it is written. */
  readonly lastUsedAt: Date;
  readonly address: string;
  readonly userAgent: string;
};

/** The user's own sessions, the one that asks first. */
export const listSessions = ({ db }: App, { session }: SignedIn, now: Date): SessionRow[] =>
  db
    .select()
    .from(sessions)
    .where(and(eq(sessions.userId, session.userId), gt(sessions.expiresAt, now)))
    .orderBy(desc(sessions.updatedAt))
    .all()
    .map((row) => ({
      id: row.id,
      current: row.id === session.id,
      signedInAt: row.createdAt,
      lastUsedAt: row.updatedAt,
      address: row.ipAddress ?? '',
      userAgent: row.userAgent ?? '',
    }))
    .toSorted((a, b) => Number(b.current) - Number(a.current));

/** Signs the user out everywhere but here. Returns how many sessions that were. */
export async function endOtherSessions(app: App, { session }: SignedIn): Promise<number> {
  const ended = await write(app.db, (tx) => endSessions(tx, session.userId, session.id));
  announceSessionsEnded(app, session.userId, session.id);
  return ended;
}
