import type { HealthCheck } from '../../db/schema.ts';
import { isWaiting } from '../../facts/clock-jump.ts';
import type { Verdict } from './verdict.ts';

/** Refused logins in a row, and when the next one may be tried. */
export type LoginState = Pick<HealthCheck, 'authFailures' | 'authRetryAt'>;

const RETRY_FIRST_MS = 60_000;
const RETRY_LONGEST_MS = 30 * 60_000;

/**
 * When to try a refused login again: at the next sweep after the first refusal, then 1, 2, 4 … up to 30 minutes later.
 * Refusals every minute look like an attack, and sshd's penalties or fail2ban then lock the monitor out.
 */
export const authRetryAt = (refusals: number, now: Date): Date => new Date(now.getTime() + waitMs(refusals));

const waitMs = (refusals: number): number =>
  refusals <= 1 ? 0 : Math.min(RETRY_FIRST_MS * 2 ** Math.min(refusals - 2, 20), RETRY_LONGEST_MS);

/** Whether refused logins keep this VPS out of a sweep at `now`. */
export const isLoginBackedOff = ({ authRetryAt: until, authFailures }: LoginState, now: Date): boolean =>
  until !== null && isWaiting(until, now, waitMs(authFailures));

/** The state after a look. Only a login that worked ends the row of refusals: being unreachable meanwhile does not. */
export function advanceLogin(
  state: LoginState,
  verdict: Pick<Verdict, 'kind'> & { cause?: string },
  now: Date,
): LoginState {
  if (verdict.kind !== 'unreachable') return { authFailures: 0, authRetryAt: null };
  if (verdict.cause !== 'auth_rejected') return { authFailures: state.authFailures, authRetryAt: state.authRetryAt };
  const authFailures = state.authFailures + 1;
  return { authFailures, authRetryAt: authRetryAt(authFailures, now) };
}
