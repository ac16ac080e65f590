import { and, asc, eq, gt, type SQL } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Transaction } from '../db/client.ts';
import { healthEvents } from '../db/schema.ts';
import type { JournalActor, JournalDetail, JournalEntry } from './journal.ts';

/** Adds to the journal, within the transaction that makes it true. */
export function appendJournal(tx: Transaction, entries: readonly JournalEntry[]): void {
  if (entries.length > 0) tx.insert(healthEvents).values([...entries]).run();
}

/** A person did something: `action` names it, such as `repin`. */
export const noteAdminAction = (
  tx: Transaction,
  actor: JournalActor,
  vps: { readonly userId: string; readonly vpsId: string } | null,
  action: string,
  detail: JournalDetail = {},
): void =>
  appendJournal(tx, [
    {
      at: new Date(),
      kind: 'admin_action',
      userId: vps?.userId ?? null,
      vpsId: vps?.vpsId ?? null,
      incidentId: null,
      actor,
      detail: { action, ...detail },
    },
  ]);

export type JournalRow = JournalEntry & { readonly id: number };

/** Events after `afterId`, oldest first, of one VPS or of all: for people at the machine, so nothing is left out. */
export function readJournal(
  { db }: Pick<App, 'db'>,
  { afterId, vpsId, limit }: { readonly afterId: number; readonly vpsId: string | null; readonly limit: number },
): JournalRow[] {
  const where: SQL | undefined = and(
    gt(healthEvents.id, afterId),
    vpsId === null ? undefined : eq(healthEvents.vpsId, vpsId),
  );
  return db.select().from(healthEvents).where(where).orderBy(asc(healthEvents.id)).limit(limit).all();
}
