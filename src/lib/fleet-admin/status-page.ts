import { randomBytes } from 'node:crypto';
import { and, eq } from 'drizzle-orm';
import * as z from 'zod/mini';
import type { App } from '../app.ts';
import { journalName, ownedBy, type Actor } from '../auth/actor.ts';
import { write, type Transaction } from '../db/client.ts';
import { statusPages, subscriptions } from '../db/schema.ts';
import { noteAdminAction } from '../db/journal-store.ts';
import { orNull, plainText } from '../parsing/fields.ts';
import { parse } from '../parsing/parse.ts';
import { inForm } from '../parsing/problems.ts';

/** 256 bits: nobody finds a page by trying. */
const TOKEN_BYTES = 32;
const Title = z.object({ title: orNull(plainText(60)) });

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
  const parsed = parse(Title, change);
  if ('problems' in parsed) return { kind: 'refused', problem: inForm(parsed.problems).title ?? '' };
  return write(db, (tx): StatusPageResult => {
    const mine = and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId));
    const vps = tx.select().from(subscriptions).where(mine).get();
    if (!vps) return { kind: 'not_found' };
    const action = apply(tx, vpsId, change, parsed.value.title);
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
