import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { historySeries, recentSamples, subscriptions } from '../db/schema.ts';
import { parseRecent, type StoredSample } from '../history/rules/recent.ts';

/** The VPS whose history may be read. */
export type ReadableVps = {
  readonly userId: string;
  /** Null before the first check. */
  readonly seriesId: number | null;
  /** Its newest looks, which are in no other table yet, oldest first; newer than all that are. */
  readonly recent: readonly StoredSample[];
  /** How long each of those stands at most, where the next one is later. */
  readonly recentValidMs: number;
};

/** Undefined: there is no such VPS, or it is not this actor's. */
export function findReadable({ db }: App, actor: Actor, vpsId: string): ReadableVps | undefined {
  const { beganAt, validMs, samples } = recentSamples;
  const found = db
    .select({ userId: subscriptions.userId, seriesId: historySeries.id, recent: { beganAt, validMs, samples } })
    .from(subscriptions)
    .leftJoin(historySeries, eq(historySeries.userId, subscriptions.userId))
    .leftJoin(recentSamples, eq(recentSamples.seriesId, historySeries.id))
    .where(and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId)))
    .get();
  if (!found) return undefined;
  const { userId, seriesId, recent } = found;
  return {
    userId,
    seriesId,
    recent: recent === null ? [] : parseRecent({ beganAtMs: recent.beganAt.getTime(), samples: recent.samples }),
    recentValidMs: recent?.validMs ?? 0,
  };
}
