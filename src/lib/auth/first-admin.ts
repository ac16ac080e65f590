import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { hasAdmin, insertAdmin } from './accounts.ts';
import { problem, type Problem } from '../parsing/problems.ts';
import { parseAdmin, type NewAdmin } from './account-form.ts';
import type { Asking } from './asking.ts';
import { networkOf } from './network-of.ts';
import { hashPassword } from './credentials.ts';
import { unlessBusy } from './hash-gate.ts';
import { makeLink, peekLink, takeLink } from './one-time-link.ts';
import { countAttempt, forgiveAttempt, type Counted, type Later } from './rate-limit.ts';

const VALID_MS = 24 * 60 * 60_000;

/** While there is no admin: a fresh link with which someone becomes it, once, within 24 hours. Otherwise null. */
export const offerFirstAdmin = (app: App, now: Date): Promise<string | null> =>
  write(app.db, (tx) =>
    hasAdmin(tx)
      ? null
      : makeLink(tx, app, { purpose: 'first_admin', userId: null, expiresAt: new Date(now.getTime() + VALID_MS) }, now),
  );

/** Whether this link still makes an admin. */
export const isFirstAdminLink = ({ db }: App, token: string, now: Date): boolean =>
  !hasAdmin(db) && peekLink(db, 'first_admin', token, now) !== undefined;

export type FirstAdminResult =
  | { readonly kind: 'created' }
  | { readonly kind: 'invalid_link' }
  | Later
  | { readonly kind: 'refused'; readonly problems: readonly Problem<keyof NewAdmin>[] };

/** Uses the link up. However many follow it at the same moment, one becomes admin. */
export async function becomeFirstAdmin(
  app: App,
  asking: Asking,
  token: string,
  given: NewAdmin,
  now: Date,
): Promise<FirstAdminResult> {
  const counted: Counted[] = [['one-time link address', networkOf(asking.address)]];
  const allowance = await countAttempt(app, counted, now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  if (!isFirstAdminLink(app, token, now)) return { kind: 'invalid_link' };
  const parsed = await parseAdmin(given);
  if ('problems' in parsed) return { kind: 'refused', ...parsed };
  const hash = await unlessBusy(now, () => hashPassword(app, given.password));
  if (typeof hash !== 'string') return hash;
  const result = await write(app.db, (tx): FirstAdminResult => {
    if (hasAdmin(tx) || peekLink(tx, 'first_admin', token, now) === undefined) return { kind: 'invalid_link' };
    if (insertAdmin(tx, parsed.value, hash) === null)
      return { kind: 'refused', problems: [problem('email', 'this address belongs to a customer; use another one')] };
    takeLink(tx, 'first_admin', token, now);
    return { kind: 'created' };
  });
  if (result.kind === 'created') await forgiveAttempt(app, counted);
  return result;
}
