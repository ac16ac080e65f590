import { createHash, randomBytes } from 'node:crypto';
import { and, eq, gt, lte } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Database, Transaction } from '../db/client.ts';
import { oneTimeLinks } from '../db/schema.ts';

type Purpose = (typeof oneTimeLinks.$inferSelect)['purpose'];

const TOKEN_BYTES = 32;
const PAGES: Record<Purpose, string> = {
  first_admin: '/welcome',
  password: '/reset-password',
  mail_address: '/confirm-address',
};

const hashOf = (token: string): string => createHash('sha256').update(token).digest('base64url');
const valid = (purpose: Purpose, token: string, now: Date) =>
  and(eq(oneTimeLinks.tokenHash, hashOf(token)), eq(oneTimeLinks.purpose, purpose), gt(oneTimeLinks.expiresAt, now));

/** Makes a link that works once until `expiresAt`, and forgets those that have expired. Gives its whole address. */
export function makeLink(
  tx: Transaction,
  { settings }: App,
  link: { readonly purpose: Purpose; readonly userId: string | null; readonly expiresAt: Date },
  now: Date,
): string {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  tx.delete(oneTimeLinks).where(lte(oneTimeLinks.expiresAt, now)).run();
  tx.insert(oneTimeLinks)
    .values({ tokenHash: hashOf(token), ...link })
    .run();
  return `${settings.siteUrl}${PAGES[link.purpose]}?token=${token}`;
}

/** Whose link this is, without using it up; undefined when it is unknown, used or expired. */
export const peekLink = (
  db: Database | Transaction,
  purpose: Purpose,
  token: string,
  now: Date,
): { readonly userId: string | null } | undefined =>
  db
    .select({ userId: oneTimeLinks.userId })
    .from(oneTimeLinks)
    .where(valid(purpose, token, now))
    .get();

/** Uses the link up. Whether there was one to use. */
export const takeLink = (tx: Transaction, purpose: Purpose, token: string, now: Date): boolean =>
  tx
    .delete(oneTimeLinks)
    .where(valid(purpose, token, now))
    .run().changes === 1;
