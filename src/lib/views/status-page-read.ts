import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { LOCAL_OPERATOR, ownedBy, type Actor } from '../auth/actor.ts';
import { statusPages, subscriptions } from '../db/schema.ts';
import { readVps } from './fleet-read.ts';
import { publicStateOf, type PublicState } from './status-words.ts';
import { readDailyBars, readUptime, type DailyBar, type UptimeWindows } from './uptime-read.ts';

/** The public page of a VPS, for whoever may switch it: its owner and admins. */
export type StatusPage = { readonly token: string; readonly title: string | null };

/** Undefined: no such VPS for this actor; null: it has no public page, which is how it begins. */
export function readStatusPage({ db }: App, actor: Actor, vpsId: string): StatusPage | null | undefined {
  const found = db
    .select({ id: subscriptions.id, page: statusPages })
    .from(subscriptions)
    .leftJoin(statusPages, eq(statusPages.vpsId, subscriptions.id))
    .where(and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId)))
    .get();
  if (!found) return undefined;
  return found.page && { token: found.page.token, title: found.page.title };
}

/** Another text as soon as the page is another one; null: no page has this token, or not any more. */
export const publicPageVersion = ({ db }: App, token: string): string | null =>
  db
    .select({ updatedAt: statusPages.updatedAt })
    .from(statusPages)
    .where(eq(statusPages.token, token))
    .get()
    ?.updatedAt.toISOString() ?? null;

/** What anybody may know who has the address: no customer, host or error. */
export type PublicStatus = {
  readonly title: string | null;
  readonly state: PublicState;
  /** Until when that stands without another check. */
  readonly knownUntil: Date | null;
  readonly checkedAt: Date | null;
  readonly uptime: UptimeWindows;
  readonly bars: readonly DailyBar[];
};

/** Undefined: no page has this token, or not any more. */
export function readPublicStatus(app: App, token: string, now: Date): PublicStatus | undefined {
  const page = app.db.select().from(statusPages).where(eq(statusPages.token, token)).get();
  if (!page) return undefined;
  // Whoever has the token may see this much of this VPS; it is cut down to that here.
  const vps = readVps(app, LOCAL_OPERATOR, page.vpsId, now);
  const uptime = readUptime(app, LOCAL_OPERATOR, page.vpsId, now);
  const bars = readDailyBars(app, LOCAL_OPERATOR, page.vpsId, now);
  if (!vps || !uptime || !bars) return undefined;
  const state = publicStateOf(vps, now);
  return { title: page.title, state, knownUntil: vps.knownUntil, checkedAt: vps.lastCheckAt, uptime, bars };
}
