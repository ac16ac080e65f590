import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { users } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { createLog, messageOf } from '../log.ts';
import { normalizeEmail, parseEmail, passwordProblem } from './account-form.ts';
import { adminName, type Actor } from './actor.ts';
import { networkOf, type Asking } from './asking.ts';
import { endSessions, hashPassword, isPassword, storePassword } from './credentials.ts';
import { passwordMail } from './mail.ts';
import { makeLink, peekLink, takeLink } from './one-time-link.ts';
import { countAttempt, forgiveAttempt, type Counted } from './rate-limit.ts';
import { announceSessionsEnded } from './session-end.ts';
import type { SignedIn } from './session.ts';

const log = createLog('accounts');
const HOUR_MS = 60 * 60_000;
const RESET_VALID_MS = HOUR_MS;
const INVITATION_VALID_MS = 7 * 24 * HOUR_MS;

type Limited = { readonly kind: 'limited'; readonly retryAt: Date };
type Refused = { readonly kind: 'refused'; readonly problem: string };

export type ResetRequest =
  /** `delivered` never rejects, and nobody should wait for it who answers a stranger: it tells whether there is a user. */
  | { readonly kind: 'accepted'; readonly delivered: Promise<void> }
  | Limited
  | Refused
  /** There is no way to send mails. */
  | { readonly kind: 'no_mail' };

/** Mails a link for a new password, if the address is that of a user; the answer is the same if not. */
export async function requestPasswordReset(app: App, asking: Asking, typed: string, now: Date): Promise<ResetRequest> {
  const { sendMail } = app;
  if (sendMail === null) return { kind: 'no_mail' };
  const parsed = parseEmail(typed);
  if ('problem' in parsed) return { kind: 'refused', ...parsed };
  const { email } = parsed;
  const counted: Counted[] = [
    ['reset mail account', email],
    ['reset mail address', networkOf(asking.address)],
  ];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };

  const deliver = async (): Promise<void> => {
    const user = app.db.select({ id: users.id }).from(users).where(eq(users.email, email)).get();
    if (!user) return;
    const expiresAt = new Date(now.getTime() + RESET_VALID_MS);
    const link = await write(app.db, (tx) =>
      makeLink(tx, app, { purpose: 'password', userId: user.id, expiresAt }, now),
    );
    await sendMail(passwordMail('reset', email, link, 'an hour'));
  };
  const delivered = deliver().catch((error: unknown) => {
    log.error(`a mail for a new password could not be sent: ${messageOf(error)}`);
  });
  return { kind: 'accepted', delivered };
}

export type Invitation =
  | { readonly kind: 'invited'; readonly link: string; readonly expiresAt: Date; readonly mail: 'sent' | 'off' | Error }
  | { readonly kind: 'unknown_user' };

/** A link with which the user sets a password, the first one or another; mailed too, where mail is set up. */
export async function inviteUser(app: App, actor: Actor, typed: string, now: Date): Promise<Invitation> {
  const email = normalizeEmail(typed);
  const user = app.db.select({ id: users.id }).from(users).where(eq(users.email, email)).get();
  if (actor.role !== 'admin' || !user) return { kind: 'unknown_user' };
  const expiresAt = new Date(now.getTime() + INVITATION_VALID_MS);
  const link = await write(app.db, (tx) => {
    noteAdminAction(tx, adminName(actor), null, 'password_link_made', { email });
    return makeLink(tx, app, { purpose: 'password', userId: user.id, expiresAt }, now);
  });
  if (app.sendMail === null) return { kind: 'invited', link, expiresAt, mail: 'off' };
  const mail = await app.sendMail(passwordMail('invitation', email, link, '7 days')).then(
    () => 'sent' as const,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  return { kind: 'invited', link, expiresAt, mail };
}

/** Whose password a link is for, to be shown above the form; undefined when the link does not work (any more). */
export function whoseLink({ db }: App, token: string, now: Date): { readonly email: string } | undefined {
  const userId = peekLink(db, 'password', token, now)?.userId ?? null;
  return userId === null ? undefined : db.select({ email: users.email }).from(users).where(eq(users.id, userId)).get();
}

export type ResetResult = { readonly kind: 'done' } | { readonly kind: 'invalid_link' } | Limited | Refused;

/** Sets the password with a link, uses the link up, and ends every session of the user. */
export async function resetPassword(
  app: App,
  asking: Asking,
  { token, password }: { readonly token: string; readonly password: string },
  now: Date,
): Promise<ResetResult> {
  const counted: Counted[] = [['one-time link address', networkOf(asking.address)]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  const whose = whoseLink(app, token, now);
  if (!whose) return { kind: 'invalid_link' };
  const problem = passwordProblem(password, whose.email);
  if (problem !== undefined) return { kind: 'refused', problem };
  const hash = await hashPassword(app, password);
  const userId = await write(app.db, (tx) => {
    const id = peekLink(tx, 'password', token, now)?.userId ?? null;
    if (id === null || !takeLink(tx, 'password', token, now)) return null;
    storePassword(tx, id, hash);
    endSessions(tx, id);
    return id;
  });
  if (userId === null) return { kind: 'invalid_link' };
  await forgiveAttempt(app, counted);
  announceSessionsEnded(app, userId);
  return { kind: 'done' };
}

export type PasswordCheck = { readonly kind: 'right' } | { readonly kind: 'wrong' } | Limited;

/** Whether whoever sits at this session knows its password; asked before what a borrowed session must not do. */
export async function checkPassword(app: App, { user }: SignedIn, password: string, now: Date): Promise<PasswordCheck> {
  const counted: Counted[] = [['password check', user.id]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  if (!(await isPassword(app, user.id, password))) return { kind: 'wrong' };
  await forgiveAttempt(app, counted);
  return { kind: 'right' };
}

export type ChangeResult =
  { readonly kind: 'done'; readonly endedSessions: number } | { readonly kind: 'wrong' } | Limited | Refused;

/** Changes the user's own password, and ends every session but this one. */
export async function changePassword(
  app: App,
  signedIn: SignedIn,
  { current, next }: { readonly current: string; readonly next: string },
  now: Date,
): Promise<ChangeResult> {
  const { session, user } = signedIn;
  const problem = passwordProblem(next, user.email);
  if (problem !== undefined) return { kind: 'refused', problem };
  const check = await checkPassword(app, signedIn, current, now);
  if (check.kind !== 'right') return check;
  const hash = await hashPassword(app, next);
  const endedSessions = await write(app.db, (tx) => {
    storePassword(tx, user.id, hash);
    return endSessions(tx, user.id, session.id);
  });
  announceSessionsEnded(app, user.id, session.id);
  return { kind: 'done', endedSessions };
}
