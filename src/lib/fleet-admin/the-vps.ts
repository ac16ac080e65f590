import { inArray } from 'drizzle-orm';
import type { Actor } from '../auth/actor.ts';
import type { Transaction } from '../db/client.ts';
import { subscriptions, type Subscription } from '../db/schema.ts';
import { isWatched } from '../db/watched.ts';

/** An operation that cannot be done as things are; the message says why and what to do. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError';
}

/**
 * The VPSs that are meant, as they are inside the caller's transaction; ids of none are passed over. Throws `RefusedError`
 * for customers, and where nothing is left.
 */
export function meantBy(tx: Transaction, actor: Actor, vpsIds: readonly string[]): Subscription[] {
  const meant =
    actor.role === 'admin'
      ? tx
          .select()
          .from(subscriptions)
          .where(inArray(subscriptions.id, [...vpsIds]))
          .all()
      : [];
  if (meant.length === 0) throw new RefusedError(vpsIds.length === 1 ? 'there is no such VPS' : 'no VPS is chosen');
  return meant;
}

/** The one VPS with this id. Throws `RefusedError` for customers, and where it is gone: what a person saw is no argument. */
export function theVps(tx: Transaction, actor: Actor, vpsId: string): Subscription {
  const [vps] = meantBy(tx, actor, [vpsId]);
  if (!vps) throw new RefusedError('there is no such VPS');
  return vps;
}

/** Those of them that are watched. Throws `RefusedError` where that is none. */
export function watchedOf(meant: readonly Subscription[]): Subscription[] {
  const watched = meant.filter(isWatched);
  if (watched.length === 0)
    throw new RefusedError(
      meant.length === 1
        ? `the VPS is not watched: its subscription is ${meant[0]?.status.replace('_', ' ')}`
        : 'none of these VPSs is watched',
    );
  return watched;
}
