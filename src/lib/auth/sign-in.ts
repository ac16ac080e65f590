import { lte } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { sessions, verifications } from '../db/schema.ts';
import { LONGEST_PASSWORD, normalizeEmail } from './account-form.ts';
import { headersOf, networkOf, type Asking } from './asking.ts';
import { authOf } from './auth.ts';
import { countAttempt, forgiveAttempt, type Counted } from './rate-limit.ts';
import { announceSessionsEnded } from './session-end.ts';
import type { SignedIn } from './session.ts';

/** `setCookies` are `Set-Cookie` headers to pass on to the browser. */
type Signed = { readonly kind: 'signed_in'; readonly setCookies: readonly string[] };
type Limited = { readonly kind: 'limited'; readonly retryAt: Date };

export type SignInResult =
  | Signed
  | Limited
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
  const counted: Counted[] = [
    ['sign-in account', email],
    ['sign-in address', networkOf(asking.address)],
  ];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  if (given.password.length > LONGEST_PASSWORD) return { kind: 'wrong' };

  const response = await (
    await authOf(app)
  ).api.signInEmail({
    body: { email, password: given.password },
    // A session that is there already has nothing to do with this one.
    headers: headersOf({ ...asking, cookie: '' }),
    asResponse: true,
  });
  if (response.status >= 500) throw new Error(`the sign-in failed with status ${response.status}`);
  if (!response.ok) return { kind: 'wrong' };
  await forgiveAttempt(app, counted);
  await forgetExpired(app, now);
  const body = (await response.json()) as { twoFactorRedirect?: boolean };
  const setCookies = response.headers.getSetCookie();
  return { kind: body.twoFactorRedirect === true ? 'second_factor' : 'signed_in', setCookies };
}

const SECOND_FACTOR_COOKIE = 'wardround.two_factor=';

/** Whether a sign-in of this browser may be waiting for its second factor. */
export const awaitsSecondFactor = ({ cookie }: Asking): boolean => cookie.includes(SECOND_FACTOR_COOKIE);

export type SecondFactorResult =
  | Signed
  | Limited
  | { readonly kind: 'wrong' }
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
  const response = await (/^\d{6}$/.test(code) ? api.verifyTOTP(call) : api.verifyBackupCode(call));
  if (response.ok) {
    await forgiveAttempt(app, counted);
    return { kind: 'signed_in', setCookies: response.headers.getSetCookie() };
  }
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
  const response = await (await authOf(app)).api.signOut({ headers: headersOf(asking), asResponse: true });
  announceSessionsEnded(app, session.userId);
  return response.headers.getSetCookie();
}

const forgetExpired = async ({ db }: App, now: Date): Promise<void> => {
  await write(db, (tx) => {
    tx.delete(sessions).where(lte(sessions.expiresAt, now)).run();
    tx.delete(verifications).where(lte(verifications.expiresAt, now)).run();
  });
};
