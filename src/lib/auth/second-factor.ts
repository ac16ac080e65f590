import { encode } from 'uqr';
import type { App } from '../app.ts';
import { headersOf, type Asking } from './asking.ts';
import { authOf } from './auth.ts';
import { unlessBusy } from './hash-gate.ts';
import { checkPassword } from './password.ts';
import { countAttempt, forgiveAttempt, spendCode, type Counted, type Later } from './rate-limit.ts';
import { announceSessionsEnded } from './session-end.ts';
import type { SignedIn } from './session.ts';

type Denied = { readonly kind: 'wrong' } | Later;

/** The second factor is for admins; whoever else comes here came around the guard. */
function assertAdmin({ actor }: SignedIn): void {
  if (actor.role !== 'admin') throw new Error('the second factor is for admins');
}

async function bodyOf<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`better-auth answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

type Auth = Awaited<ReturnType<typeof authOf>>;
type PasswordCall = { readonly body: { password: string }; readonly headers: Headers; readonly asResponse: true };

/** What better-auth answers to a call that needs the password, once that has been counted and found right. */
async function askWithPassword(
  app: App,
  asking: Asking,
  given: { readonly signedIn: SignedIn; readonly password: string; readonly now: Date },
  ask: (api: Auth['api'], call: PasswordCall) => Promise<Response>,
): Promise<Response | Denied> {
  const { signedIn, password, now } = given;
  assertAdmin(signedIn);
  const check = await checkPassword(app, signedIn, password, now);
  if (check.kind !== 'right') return check;
  const { api } = await authOf(app);
  return unlessBusy(now, () => ask(api, { body: { password }, headers: headersOf(asking), asResponse: true }));
}

export type BeginResult =
  { readonly kind: 'begun'; readonly uri: string; readonly backupCodes: readonly string[] } | Denied;

/** Makes a secret for an authenticator app. Nothing changes before `confirmSecondFactor` has seen a code of it. */
export async function beginSecondFactor(
  app: App,
  asking: Asking,
  signedIn: SignedIn,
  password: string,
  now: Date,
): Promise<BeginResult> {
  const given = { signedIn, password, now };
  const answer = await askWithPassword(app, asking, given, (api, call) => api.enableTwoFactor(call));
  if ('kind' in answer) return answer;
  const { totpURI, backupCodes } = await bodyOf<{ totpURI: string; backupCodes: string[] }>(answer);
  return { kind: 'begun', uri: totpURI, backupCodes };
}

export type SwitchResult = { readonly kind: 'done'; readonly setCookies: readonly string[] } | Denied;

/** Switches the second factor on, with a code that shows that the app has the secret. The session gets a new token. */
export async function confirmSecondFactor(
  app: App,
  asking: Asking,
  signedIn: SignedIn,
  typed: string,
  now: Date,
): Promise<SwitchResult> {
  assertAdmin(signedIn);
  const counted: Counted[] = [['second factor address', signedIn.user.id]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  const code = typed.replaceAll(/\s/g, '');
  const response = await (
    await authOf(app)
  ).api.verifyTOTP({
    body: { code },
    headers: headersOf(asking),
    asResponse: true,
  });
  if (response.status === 400 || response.status === 401) return { kind: 'wrong' };
  await bodyOf(response);
  await spendCode(app, signedIn.user.id, code, now);
  await forgiveAttempt(app, counted);
  announceSessionsEnded(app, signedIn.user.id);
  return { kind: 'done', setCookies: response.headers.getSetCookie() };
}

/** Switches it off; secret and backup codes are forgotten. The session gets a new token. */
export async function disableSecondFactor(
  app: App,
  asking: Asking,
  signedIn: SignedIn,
  password: string,
  now: Date,
): Promise<SwitchResult> {
  const given = { signedIn, password, now };
  const answer = await askWithPassword(app, asking, given, (api, call) => api.disableTwoFactor(call));
  if ('kind' in answer) return answer;
  await bodyOf(answer);
  announceSessionsEnded(app, signedIn.user.id);
  return { kind: 'done', setCookies: answer.headers.getSetCookie() };
}

export type RenewResult = { readonly kind: 'renewed'; readonly backupCodes: readonly string[] } | Denied;

/** Makes new backup codes; the old ones do not work any more. */
export async function renewBackupCodes(
  app: App,
  asking: Asking,
  signedIn: SignedIn,
  password: string,
  now: Date,
): Promise<RenewResult> {
  const given = { signedIn, password, now };
  const answer = await askWithPassword(app, asking, given, (api, call) => api.generateBackupCodes(call));
  if ('kind' in answer) return answer;
  const { backupCodes } = await bodyOf<{ backupCodes: string[] }>(answer);
  return { kind: 'renewed', backupCodes };
}

/** What an authenticator app needs: a QR code as one SVG path of `size` × `size` units, and the secret for typing. */
export type Provisioning = { readonly size: number; readonly path: string; readonly secret: string };

/** Undefined for anything but the address of a TOTP secret: it may come back out of a form. */
export function provisioningOf(uri: string): Provisioning | undefined {
  const secret =
    uri.length < 500 && uri.startsWith('otpauth://totp/') ? URL.parse(uri)?.searchParams.get('secret') : null;
  if (!secret || !/^[A-Z2-7]+$/.test(secret)) return undefined;
  const { size, data } = encode(uri, { ecc: 'M', border: 2 });
  const path = data.flatMap((row, y) => row.map((dark, x) => (dark ? `M${x} ${y}h1v1h-1z` : ''))).join('');
  return { size, path, secret: secret.replaceAll(/.{4}(?=.)/g, '$& ') };
}
