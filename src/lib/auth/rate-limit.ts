import { createHash } from 'node:crypto';
import { eq, lte, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write } from '../db/client.ts';
import { rateLimits } from '../db/schema.ts';
import { isWaiting } from '../facts/clock-jump.ts';

const MINUTE_MS = 60_000;

/**
 * How often something may be tried: by account, so that many addresses cannot guess one password, and by address, so
 * that one address cannot try one password on many accounts. An office behind one address has to fit in.
 */
const LIMITS = {
  'sign-in account': { max: 10, windowMs: 15 * MINUTE_MS },
  'sign-in address': { max: 50, windowMs: 15 * MINUTE_MS },
  'second factor address': { max: 30, windowMs: 15 * MINUTE_MS },
  'password check': { max: 10, windowMs: 15 * MINUTE_MS },
  'reset mail account': { max: 3, windowMs: 60 * MINUTE_MS },
  'reset mail address': { max: 20, windowMs: 60 * MINUTE_MS },
  'one-time link address': { max: 30, windowMs: 15 * MINUTE_MS },
} as const;

export type Limit = keyof typeof LIMITS;
/** What is counted: a limit, and whose attempts. */
export type Counted = readonly [limit: Limit, who: string];
export type Allowance = { readonly allowed: true } | { readonly allowed: false; readonly retryAt: Date };

/** Hashed: what a stranger typed into a form is kept nowhere, and a long one makes no long row. */
const keyOf = ([limit, who]: Counted): string =>
  `${limit}:${createHash('sha256').update(who.trim().toLowerCase()).digest('base64url')}`;

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
