import { eq, gt, lte } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { sessions, twoFactors, verifications } from '../db/schema.ts';
import { CLOCK_SLACK_MS } from '../facts/clock-jump.ts';
import { LONGEST_PASSWORD, normalizeEmail } from './account-form.ts';
import { headersOf, type Asking } from './asking.ts';
import { authOf } from './auth.ts';
import { knownDevice, rememberDevice } from './device.ts';
import { unlessBusy } from './hash-gate.ts';
import { networkOf } from './network-of.ts';
import { countAttempt, forgiveAttempt, spendCode, type Counted, type Later, type Limited } from './rate-limit.ts';
import { announceSessionsEnded } from './session-end.ts';
import type { SignedIn } from './session.ts';

/** `setCookies` are `Set-Cookie` headers to pass on to the browser. */
type Signed = { readonly kind: 'signed_in'; readonly setCookies: readonly string[] };

export type SignInResult =
  | Signed
  | Later
  /** The password was right; `verifySecondFactor` has to follow within ten minutes. */
  | { readonly kind: 'second_factor'; readonly setCookies: readonly string[] }
  /** Whether the address or the password was wrong is not told. */
  | { readonly kind: 'wrong' };

export async function signIn(
  app: App,
  asking: Asking,
  given: { readonly email: string; readonly password: string },
  now: Date,
): Promise<SignInResult> {
  const email = normalizeEmail(given.email);
  const device = knownDevice(app, asking, email);
  const counted: Counted[] =
    device === null
      ? [
          ['sign-in account', email],
          ['sign-in address', networkOf(asking.address)],
        ]
      : [['sign-in device', email, device]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  if (given.password.length > LONGEST_PASSWORD) return { kind: 'wrong' };

  const { api } = await authOf(app);
  const response = await unlessBusy(now, () =>
    api.signInEmail({
      body: { email, password: given.password },
      // A session that is there already has nothing to do with this one.
      headers: headersOf({ ...asking, cookie: '' }),
      asResponse: true,
    }),
  );
  if ('kind' in response) {
    await forgiveAttempt(app, counted);
    return response;
  }
  if (response.status >= 500) throw new Error(`the sign-in failed with status ${response.status}`);
  if (!response.ok) return { kind: 'wrong' };
  await forgiveAttempt(app, counted);
  await forgetExpired(app, now);
  const body = (await response.json()) as { twoFactorRedirect?: boolean };
  const setCookies = response.headers.getSetCookie();
  if (body.twoFactorRedirect === true) return { kind: 'second_factor', setCookies };
  return { kind: 'signed_in', setCookies: [...setCookies, rememberDevice(app, asking, email)] };
}

const SECOND_FACTOR_COOKIE = 'wardround.two_factor=';

/** Whether a sign-in of this browser may be waiting for its second factor. */
export const awaitsSecondFactor = ({ cookie }: Asking): boolean => cookie.includes(SECOND_FACTOR_COOKIE);

export type SecondFactorResult =
  | Signed
  | Limited
  | { readonly kind: 'wrong' }
  /** The code of the app has been used for a sign-in before: the password has to be given again, and the next code. */
  | { readonly kind: 'used' }
  /** Ten minutes or five wrong codes ago: the password has to be given again. */
  | { readonly kind: 'expired' }
  /** Ten wrong codes in a row: locked for a quarter of an hour, whoever tries. */
  | { readonly kind: 'locked' };

/** The second step: `code` is one of the authenticator app (six digits) or a backup code, which works once. */
export async function verifySecondFactor(
  app: App,
  asking: Asking,
  typed: string,
  now: Date,
): Promise<SecondFactorResult> {
  const counted: Counted[] = [['second factor address', networkOf(asking.address)]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  const code = typed.replaceAll(/\s/g, '');
  // With a session, better-auth would verify for that one instead, and count nothing.
  const cookie = asking.cookie.split(/;\s*/).find((one) => one.includes(SECOND_FACTOR_COOKIE)) ?? '';
  const call = { body: { code }, headers: headersOf({ ...asking, cookie }), asResponse: true as const };
  const { api } = await authOf(app);
  const isOfApp = /^\d{6}$/.test(code);
  const response = await (isOfApp ? api.verifyTOTP(call) : api.verifyBackupCode(call));
  if (response.ok) {
    const { user, token } = (await response.json()) as { user: { id: string; email: string }; token: string };
    if (isOfApp && !(await spendCode(app, user.id, code, now))) {
      // Nobody has been told of this session yet.
      await write(app.db, (tx) => tx.delete(sessions).where(eq(sessions.token, token)).run());
      return { kind: 'used' };
    }
    await forgiveAttempt(app, counted);
    return {
      kind: 'signed_in',
      setCookies: [...response.headers.getSetCookie(), rememberDevice(app, asking, user.email)],
    };
  }
  // The same backup code is being used somewhere else at this moment.
  if (response.status === 409) return { kind: 'wrong' };
  const { code: reason } = (await response.json()) as { code?: string };
  switch (reason) {
    case 'INVALID_CODE':
    case 'INVALID_BACKUP_CODE':
      return { kind: 'wrong' };
    case 'ACCOUNT_TEMPORARILY_LOCKED':
      return { kind: 'locked' };
    case 'INVALID_TWO_FACTOR_COOKIE':
    case 'TOO_MANY_ATTEMPTS_REQUEST_NEW_CODE':
    case 'TOTP_NOT_ENABLED':
      return { kind: 'expired' };
    case undefined:
    default:
      throw new Error(`the second factor failed with status ${response.status} (${reason ?? 'no code'})`);
  }
}

/** Ends this session. Returns the `Set-Cookie` headers that make the browser forget it. */
export async function signOut(app: App, asking: Asking, { session }: SignedIn): Promise<readonly string[]> {
  // Here, as better-auth would take the cookie away all the same when the database cannot forget the session.
  await write(app.db, (tx) => tx.delete(sessions).where(eq(sessions.id, session.id)).run());
  const response = await (await authOf(app)).api.signOut({ headers: headersOf(asking), asResponse: true });
  announceSessionsEnded(app, session.userId);
  return response.headers.getSetCookie();
}

/** How long better-auth locks a second factor, unless it is told otherwise. */
const LOCK_MS = 15 * 60_000;

const forgetExpired = async ({ db }: App, now: Date): Promise<void> => {
  await write(db, (tx) => {
    tx.delete(sessions).where(lte(sessions.expiresAt, now)).run();
    tx.delete(verifications).where(lte(verifications.expiresAt, now)).run();
    // Written by a clock that has been set back since, or it would not last that long.
    tx.update(twoFactors)
      .set({ lockedUntil: null, failedVerificationCount: 0 })
      .where(gt(twoFactors.lockedUntil, new Date(now.getTime() + LOCK_MS + CLOCK_SLACK_MS)))
      .run();
  });
};
