import { and, eq, gt, isNotNull } from 'drizzle-orm';
import type { App } from '../app.ts';
import { addressMail } from '../auth/mail.ts';
import { makeLink, peekLink, takeLink } from '../auth/one-time-link.ts';
import { countAttempt, type Limited } from '../auth/rate-limit.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { notificationTargets, oneTimeLinks, type users } from '../db/schema.ts';
import { createLog, messageOf } from '../log.ts';

/*
 * A customer may name any mail address; whoever reads it has to agree before anything but this one question is sent there.
 */

const log = createLog('accounts');
const VALID_MS = 24 * 60 * 60_000;

type User = Pick<typeof users.$inferSelect, 'id'>;

const pendingOf = (userId: string) =>
  and(
    eq(notificationTargets.userId, userId),
    eq(notificationTargets.channel, 'email'),
    isNotNull(notificationTargets.pendingAddress),
  );
const linksOf = (userId: string) => and(eq(oneTimeLinks.userId, userId), eq(oneTimeLinks.purpose, 'mail_address'));

/** Voids the links for the address that was to be confirmed until now. */
export const forgetConfirmation = (tx: Transaction, userId: string): unknown =>
  tx.delete(oneTimeLinks).where(linksOf(userId)).run();

export type ConfirmationRequest =
  /** By this call or an earlier one whose link still works; or there is nothing to confirm. */
  { readonly kind: 'asked' } | { readonly kind: 'no_mail' } | { readonly kind: 'not_sent' } | Limited;

/** Mails a link to the address that is to be confirmed, unless there is one that works. */
export async function askForConfirmation(app: App, { id }: User, now: Date): Promise<ConfirmationRequest> {
  const to = app.db.select().from(notificationTargets).where(pendingOf(id)).get()?.pendingAddress ?? null;
  const isAsked = and(linksOf(id), gt(oneTimeLinks.expiresAt, now));
  if (to === null || app.db.select().from(oneTimeLinks).where(isAsked).get()) return { kind: 'asked' };
  if (app.sendMail === null) return { kind: 'no_mail' };
  const allowance = await countAttempt(app, [['confirmation mail account', id]], now);
  if (!allowance.allowed) return { kind: 'limited', retryAt: allowance.retryAt };
  const expiresAt = new Date(now.getTime() + VALID_MS);
  const link = await write(app.db, (tx) => makeLink(tx, app, { purpose: 'mail_address', userId: id, expiresAt }, now));
  try {
    await app.sendMail(addressMail(to, link));
    return { kind: 'asked' };
  } catch (error) {
    log.error(`a mail to confirm an address could not be sent: ${messageOf(error)}`);
    await write(app.db, (tx) => forgetConfirmation(tx, id));
    return { kind: 'not_sent' };
  }
}

/** Which address a link confirms; undefined when it does not work (any more). */
export function addressOfLink(db: Database | Transaction, token: string, now: Date): string | undefined {
  const userId = peekLink(db, 'mail_address', token, now)?.userId ?? null;
  if (userId === null) return undefined;
  return db.select().from(notificationTargets).where(pendingOf(userId)).get()?.pendingAddress ?? undefined;
}

/** Uses the link up: from now on mails go to that address, which is returned. Undefined for a link that does not work. */
export const confirmAddress = (app: App, token: string, now: Date): Promise<string | undefined> =>
  write(app.db, (tx) => {
    const userId = peekLink(tx, 'mail_address', token, now)?.userId ?? null;
    const address = addressOfLink(tx, token, now);
    if (userId === null || address === undefined || !takeLink(tx, 'mail_address', token, now)) return undefined;
    tx.update(notificationTargets)
      .set({ address, addressNamedBy: userId, addressConfirmedAt: now, pendingAddress: null })
      .where(pendingOf(userId))
      .run();
    return address;
  });
