import { randomBytes } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { journalName, ownedBy, type Actor } from '../auth/actor.ts';
import { write, type Transaction } from '../db/client.ts';
import { statusPages, subscriptions } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { isPlainText } from '../facts/plain-text.ts';

/** 256 bits: nobody finds a page by trying. */
const TOKEN_BYTES = 32;
const LONGEST_TITLE = 60;

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
