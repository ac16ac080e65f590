import { createHash } from 'node:crypto';
import { eq, lte, or, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write, type Transaction } from '../db/client.ts';
import { rateLimits } from '../db/schema.ts';
import { isWaiting } from '../facts/clock-jump.ts';
import type { Busy } from './hash-gate.ts';

const MINUTE_MS = 60_000;

/**
 * How often something may be tried: by account, so that many addresses cannot guess one password, and by address, so
 * that one address cannot try one password on many accounts. An office behind one address has to fit in. By device
 * instead, where somebody has signed in to that account before: see `device.ts`.
 */
const LIMITS = {
  'sign-in account': { max: 10, windowMs: 15 * MINUTE_MS },
  'sign-in device': { max: 10, windowMs: 15 * MINUTE_MS },
  'sign-in address': { max: 50, windowMs: 15 * MINUTE_MS },
  'second factor address': { max: 30, windowMs: 15 * MINUTE_MS },
  // A code of an authenticator app is good for a minute and a half at most, and for one sign-in.
  'second factor code': { max: 1, windowMs: 3 * MINUTE_MS },
  'password check': { max: 10, windowMs: 15 * MINUTE_MS },
  'reset mail account': { max: 3, windowMs: 60 * MINUTE_MS },
  'reset mail device': { max: 3, windowMs: 60 * MINUTE_MS },
  'confirmation mail account': { max: 5, windowMs: 60 * MINUTE_MS },
  'reset mail address': { max: 20, windowMs: 60 * MINUTE_MS },
  'one-time link address': { max: 30, windowMs: 15 * MINUTE_MS },
} as const;

export type Limited = { readonly kind: 'limited'; readonly retryAt: Date };
/** Whoever gets this may try again at that time. */
export type Later = Limited | Busy;

export type Limit = keyof typeof LIMITS;
/** What is counted: a limit, and whose attempts; for limits by device, at which one of them. */
export type Counted = readonly [limit: Limit, who: string, device?: string];
export type Allowance = { readonly allowed: true } | { readonly allowed: false; readonly retryAt: Date };

/** Hashed: what a stranger typed into a form is kept nowhere, and a long one makes no long row. */
const keyOf = ([limit, who, device]: Counted): string =>
  [limit, hashOf(who.trim().toLowerCase()), ...(device === undefined ? [] : [hashOf(device)])].join(':');

const hashOf = (text: string): string => createHash('sha256').update(text).digest('base64url');

/**
 * Counts one attempt against each limit, or against none of them if one is used up. In the database, so that a restart
 * of the server forgives nothing and two servers count together; before the attempt, so that a thousand at the same
 * moment count as a thousand.
 */
export const countAttempt = ({ db }: App, counted: readonly Counted[], now: Date): Promise<Allowance> =>
  write(db, (tx): Allowance => {
    tx.delete(rateLimits).where(lte(rateLimits.endsAt, now)).run();
    let retryAt: Date | null = null;
    for (const one of counted) {
      const row = tx
        .select()
        .from(rateLimits)
        .where(eq(rateLimits.key, keyOf(one)))
        .get();
      if (!row) continue;
      const { max, windowMs } = LIMITS[one[0]];
      if (!isWaiting(row.endsAt, now, windowMs))
        tx.delete(rateLimits)
          .where(eq(rateLimits.key, keyOf(one)))
          .run();
      else if (row.count >= max && (retryAt === null || row.endsAt > retryAt)) retryAt = row.endsAt;
    }
    if (retryAt !== null) return { allowed: false, retryAt };
    for (const one of counted)
      tx.insert(rateLimits)
        .values({ key: keyOf(one), count: 1, endsAt: new Date(now.getTime() + LIMITS[one[0]].windowMs) })
        .onConflictDoUpdate({ target: rateLimits.key, set: { count: sql`${rateLimits.count} + 1` } })
        .run();
    return { allowed: true };
  });

/** Uses up a code of a user's authenticator app; false where it has been used before (RFC 6238, section 5.2). */
export const spendCode = async (app: App, userId: string, code: string, now: Date): Promise<boolean> =>
  (await countAttempt(app, [['second factor code', `${userId} ${code}`]], now)).allowed;

/** Takes a counted attempt back: it was right, and people may be right as often as they like. */
export const forgiveAttempt = async ({ db }: App, counted: readonly Counted[]): Promise<void> => {
  await write(db, (tx) => {
    for (const one of counted)
      tx.update(rateLimits)
        .set({ count: sql`max(0, ${rateLimits.count} - 1)` })
        .where(eq(rateLimits.key, keyOf(one)))
        .run();
  });
};

/** Forgets what was counted, at whatever device: whoever has a new password starts afresh. */
export function forgetAttempts(tx: Transaction, counted: readonly Counted[]): void {
  for (const one of counted)
    tx.delete(rateLimits)
      .where(or(eq(rateLimits.key, keyOf(one)), sql`${rateLimits.key} GLOB ${`${keyOf(one)}:*`}`))
      .run();
}
