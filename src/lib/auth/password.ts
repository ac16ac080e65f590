import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { users } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { createLog, messageOf } from '../log.ts';
import { normalizeEmail, parseEmail, passwordProblem } from './account-form.ts';
import { adminName, type Actor } from './actor.ts';
import type { Asking } from './asking.ts';
import { networkOf } from './network-of.ts';
import { endSessions, hashPassword, hasPassword, isPassword, storePassword } from './credentials.ts';
import { passwordMail } from './mail.ts';
import { knownDevice } from './device.ts';
import { unlessBusy } from './hash-gate.ts';
import { makeLink, peekLink, takeLink } from './one-time-link.ts';
import { countAttempt, forgiveAttempt, type Counted, type Later, type Limited } from './rate-limit.ts';
import { announceSessionsEnded } from './session-end.ts';
import type { SignedIn } from './session.ts';

const log = createLog('accounts');
const HOUR_MS = 60 * 60_000;
const RESET_VALID_MS = HOUR_MS;
const INVITATION_VALID_MS = 7 * 24 * HOUR_MS;

type Refused = { readonly kind: 'refused'; readonly problem: string };

export type ResetRequest =
  /**
   * `deliver` does what is to be done, if anything, and never rejects. It takes longer if there is such a user, so it is
   * to be called some time after a stranger has got an answer: see `deliverLater`.
   */
  | { readonly kind: 'accepted'; readonly deliver: () => Promise<void> }
  | Limited
  | Refused
  /** There is no way to send mails. */
  | { readonly kind: 'no_mail' };

/** Prepares a mail with a link for a new password. Whether the address is that of a user is not even looked up yet. */
export async function requestPasswordReset(app: App, asking: Asking, typed: string, now: Date): Promise<ResetRequest> {
  const { sendMail } = app;
  if (sendMail === null) return { kind: 'no_mail' };
  const parsed = parseEmail(typed);
  if ('problem' in parsed) return { kind: 'refused', ...parsed };
  const { email } = parsed;
  const device = knownDevice(app, asking, email);
  const counted: Counted[] =
    device === null
      ? [
          ['reset mail account', email],
          ['reset mail address', networkOf(asking.address)],
        ]
      : [['reset mail device', email, device]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };

  const mailLink = async (): Promise<void> => {
    const user = app.db.select({ id: users.id }).from(users).where(eq(users.email, email)).get();
    if (!user) return;
    const expiresAt = new Date(now.getTime() + RESET_VALID_MS);
    const link = await write(app.db, (tx) =>
      makeLink(tx, app, { purpose: 'password', userId: user.id, expiresAt }, now),
    );
    await sendMail(passwordMail('reset', email, link, 'an hour'));
  };
  const deliver = (): Promise<void> =>
    mailLink().catch((error: unknown) => {
      log.error(`a mail for a new password could not be sent: ${messageOf(error)}`);
    });
  return { kind: 'accepted', deliver };
}

const DELIVER_AFTER_MS = { least: 1_000, most: 3_000 };

/** Calls `deliver` when the answer has long gone, at a moment that nobody can tell from the next answers either. */
export function deliverLater(deliver: () => Promise<void>): void {
  const { least, most } = DELIVER_AFTER_MS;
  setTimeout(() => void deliver(), least + Math.random() * (most - least));
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
  const kind = hasPassword(app.db, user.id) ? 'link' : 'invitation';
  const mail = await app.sendMail(passwordMail(kind, email, link, '7 days')).then(
    () => 'sent' as const,
    (error: unknown) => (error instanceof Error ? error : new Error(String(error))),
  );
  return { kind: 'invited', link, expiresAt, mail };
}

export type LinkOwner = {
  readonly email: string;
  /** There is no password yet. */
  readonly isNew: boolean;
};

/** Whose password a link is for, to be shown above the form; undefined when the link does not work (any more). */
export function whoseLink({ db }: App, token: string, now: Date): LinkOwner | undefined {
  const userId = peekLink(db, 'password', token, now)?.userId ?? null;
  if (userId === null) return undefined;
  const user = db.select({ email: users.email }).from(users).where(eq(users.id, userId)).get();
  return user && { ...user, isNew: !hasPassword(db, userId) };
}

export type ResetResult = { readonly kind: 'done' } | { readonly kind: 'invalid_link' } | Later | Refused;

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
  const problem = await passwordProblem(password, whose.email);
  if (problem !== undefined) return { kind: 'refused', problem };
  const hash = await unlessBusy(now, () => hashPassword(app, password));
  if (typeof hash !== 'string') return hash;
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

export type PasswordCheck = { readonly kind: 'right' } | { readonly kind: 'wrong' } | Later;

/** Whether whoever sits at this session knows its password; asked before what a borrowed session must not do. */
export async function checkPassword(app: App, { user }: SignedIn, password: string, now: Date): Promise<PasswordCheck> {
  const counted: Counted[] = [['password check', user.id]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  const isRight = await unlessBusy(now, () => isPassword(app, user.id, password));
  if (isRight === false) return { kind: 'wrong' };
  await forgiveAttempt(app, counted);
  return isRight === true ? { kind: 'right' } : isRight;
}

export type ChangeResult =
  { readonly kind: 'done'; readonly endedSessions: number } | { readonly kind: 'wrong' } | Later | Refused;

/** Changes the user's own password, and ends every session but this one. */
export async function changePassword(
  app: App,
  signedIn: SignedIn,
  { current, next }: { readonly current: string; readonly next: string },
  now: Date,
): Promise<ChangeResult> {
  const { session, user } = signedIn;
  const problem = await passwordProblem(next, user.email);
  if (problem !== undefined) return { kind: 'refused', problem };
  const check = await checkPassword(app, signedIn, current, now);
  if (check.kind !== 'right') return check;
  const hash = await unlessBusy(now, () => hashPassword(app, next));
  if (typeof hash !== 'string') return hash;
  const endedSessions = await write(app.db, (tx) => {
    storePassword(tx, user.id, hash);
    return endSessions(tx, user.id, session.id);
  });
  announceSessionsEnded(app, user.id, session.id);
  return { kind: 'done', endedSessions };
}
