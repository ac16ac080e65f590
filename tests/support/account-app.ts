import { eq } from 'drizzle-orm';
import { onTestFinished } from 'vitest';
import type { App } from '../../src/lib/app.ts';
import type { Asking } from '../../src/lib/auth/asking.ts';
import { hashPassword, storePassword } from '../../src/lib/auth/credentials.ts';
import type { Mail } from '../../src/lib/mail/smtp.ts';
import { readSession, type SignedIn } from '../../src/lib/auth/session.ts';
import { signIn } from '../../src/lib/auth/sign-in.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { write } from '../../src/lib/db/client.ts';
import { newId, sessions, users } from '../../src/lib/db/schema.ts';
import { openScratchApp } from './scratch-app.ts';

export const PASSWORD = 'a password for tests';

/** A real app on files of its own that keeps the mails it sends; gone when the test is over. */
export async function openAccountApp(environment: Environment = {}) {
  const scratch = await openScratchApp(environment);
  onTestFinished(() => scratch.close());
  const mails: Mail[] = [];
  const withMail = (app: App): App => ({ ...app, sendMail: async (mail) => void mails.push(mail) });
  return { app: withMail(scratch.app), mails, reopen: async () => withMail(await scratch.reopen()) };
}

/** Hashing is slow on purpose: one hash does for all who have the same password. */
let hashOfPassword: Promise<string> | undefined;

/** Someone with an account; with `PASSWORD`, or with none. */
export async function addUser(
  app: App,
  email: string,
  { role = 'customer', password = true }: { role?: 'admin' | 'customer'; password?: boolean } = {},
): Promise<string> {
  const id = newId('user');
  const hash = password ? await (hashOfPassword ??= hashPassword(app, PASSWORD)) : null;
  await write(app.db, (tx) => {
    tx.insert(users).values({ id, email, role }).run();
    if (hash !== null) storePassword(tx, id, hash);
  });
  return id;
}

export const askFrom = (address: string | null, cookie = ''): Asking => ({
  address,
  userAgent: 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0',
  cookie,
});

/** The `Cookie` header that a browser sends after these `Set-Cookie` headers. */
export const cookieFrom = (setCookies: readonly string[]): string =>
  setCookies
    .map((cookie) => cookie.split(';')[0] ?? '')
    .filter((cookie) => !cookie.endsWith('='))
    .join('; ');

/** Signs in and gives the session, with the browser that has it. */
export async function openSession(
  app: App,
  email: string,
  password = PASSWORD,
): Promise<{ readonly signedIn: SignedIn; readonly asking: Asking }> {
  const result = await signIn(app, askFrom('192.0.2.1'), { email, password }, new Date());
  if (result.kind !== 'signed_in') throw new Error(`${email} was not signed in: ${result.kind}`);
  return sessionOf(app, askFrom('192.0.2.1', cookieFrom(result.setCookies)));
}

export async function sessionOf(
  app: App,
  asking: Asking,
): Promise<{ readonly signedIn: SignedIn; readonly asking: Asking }> {
  const { signedIn } = await readSession(app, asking);
  if (signedIn === null) throw new Error('there is no session');
  return { signedIn, asking };
}

export const sessionsOf = (app: App, userId: string): string[] =>
  app.db
    .select({ id: sessions.id })
    .from(sessions)
    .where(eq(sessions.userId, userId))
    .all()
    .map(({ id }) => id);

export const tokenIn = (text: string): string => /token=([\w-]+)/.exec(text)?.[1] ?? '';
