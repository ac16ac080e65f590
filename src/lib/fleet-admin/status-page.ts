import { randomBytes } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { journalName, LOCAL_OPERATOR, type Actor } from '../auth/actor.ts';
import { ownedBy } from '../auth/owned-by.ts';
import { write, type Transaction } from '../db/client.ts';
import { statusPages, subscriptions } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { readDailyBars, readUptime, type DailyBar, type UptimeWindows } from '../views/uptime-read.ts';
import { isPlainText } from '../facts/plain-text.ts';
import { readVps } from '../views/fleet-read.ts';
import { publicStateOf, type PublicState } from '../views/status-words.ts';

/** 256 bits: nobody finds a page by trying. */
const TOKEN_BYTES = 32;
const LONGEST_TITLE = 60;

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

export type StatusPageChange =
  /** Also changes the title of a page that is on. */
  | { readonly kind: 'on'; readonly title: string }
  /** Another address; the old one is void at once. */
  | { readonly kind: 'renew' }
  | { readonly kind: 'off' };

export type StatusPageResult =
  { readonly kind: 'done' } | { readonly kind: 'not_found' } | { readonly kind: 'refused'; readonly problem: string };

/** Switches the public page of a VPS, for its owner or an admin. */
export async function changeStatusPage(
  { db }: App,
  actor: Actor,
  vpsId: string,
  change: StatusPageChange,
): Promise<StatusPageResult> {
  const title = change.kind === 'on' ? change.title.trim() : '';
  if (title.length > LONGEST_TITLE || !isPlainText(title))
    return { kind: 'refused', problem: `Use up to ${LONGEST_TITLE} printable characters.` };
  return write(db, (tx): StatusPageResult => {
    const mine = and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId));
    const vps = tx.select().from(subscriptions).where(mine).get();
    if (!vps) return { kind: 'not_found' };
    const action = apply(tx, vpsId, change, title || null);
    if (action !== null) noteAdminAction(tx, journalName(actor), { userId: vps.userId, vpsId }, action);
    return { kind: 'done' };
  });
}

/** What the journal calls it; null where nothing worth a line has changed. */
function apply(tx: Transaction, vpsId: string, change: StatusPageChange, title: string | null): string | null {
  const token = randomBytes(TOKEN_BYTES).toString('base64url');
  const here = eq(statusPages.vpsId, vpsId);
  switch (change.kind) {
    case 'on': {
      if (tx.update(statusPages).set({ title }).where(here).run().changes > 0) return null;
      tx.insert(statusPages).values({ vpsId, token, title }).run();
      return 'status_page_on';
    }
    case 'renew':
      return tx.update(statusPages).set({ token }).where(here).run().changes > 0 ? 'status_page_renewed' : null;
    case 'off':
      return tx.delete(statusPages).where(here).run().changes > 0 ? 'status_page_off' : null;
  }
}

/** What anybody may know who has the address: no customer, host or error. */
export type PublicStatus = {
  readonly title: string | null;
  readonly state: PublicState;
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
  const state = publicStateOf(vps, now, app.settings.history.sampleValidMs);
  return { title: page.title, state, checkedAt: vps.lastCheckAt, uptime, bars };
}
