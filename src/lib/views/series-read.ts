import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { historySeries, subscriptions } from '../db/schema.ts';

/** The VPS whose history may be read: its user, and its series (null before the first check). */
export type ReadableVps = { readonly userId: string; readonly seriesId: number | null };

/** Undefined: there is no such VPS, or it is not this actor's. */
export const findReadable = ({ db }: App, actor: Actor, vpsId: string): ReadableVps | undefined =>
  db
    .select({ userId: subscriptions.userId, seriesId: historySeries.id })
    .from(subscriptions)
    .leftJoin(historySeries, eq(historySeries.userId, subscriptions.userId))
    .where(and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId)))
    .get();
