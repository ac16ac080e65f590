import { and, asc, desc, eq, gt, type SQL } from 'drizzle-orm';
import { chunksOf } from './chunks.ts';
import type { Database, Transaction } from './client.ts';
import { healthEvents } from './schema.ts';
import type { JournalActor, JournalDetail, JournalEntry } from '../facts/journal.ts';

/** Adds to the journal, within the transaction that makes it true. */
export function appendJournal(tx: Transaction, entries: readonly JournalEntry[]): void {
  if (entries.length > 0)
    tx.insert(healthEvents)
      .values([...entries])
      .run();
}

/** A person did something: `action` names it, such as `repin`. */
export const noteAdminAction = (
  tx: Transaction,
  actor: JournalActor,
  vps: { readonly userId: string; readonly vpsId: string } | null,
  action: string,
  detail: JournalDetail = {},
): void => noteAdminActions(tx, actor, [{ vps, action, detail }]);

type AdminAction = {
  readonly vps: { readonly userId: string; readonly vpsId: string } | null;
  readonly action: string;
  readonly detail: JournalDetail;
};

/** The same for what was done to many. */
export function noteAdminActions(tx: Transaction, actor: JournalActor, done: readonly AdminAction[]): void {
  const at = new Date();
  for (const chunk of chunksOf(done))
    appendJournal(
      tx,
      chunk.map(({ vps, action, detail }) => ({
        at,
        kind: 'admin_action',
        userId: vps?.userId ?? null,
        vpsId: vps?.vpsId ?? null,
        incidentId: null,
        actor,
        detail: { action, ...detail },
      })),
    );
}

export type JournalRow = JournalEntry & { readonly id: number };

export type JournalQuery = {
  readonly afterId: number;
  readonly vpsId: string | null;
  readonly limit: number;
  /** Of more than `limit`, the latest rather than the first. */
  readonly latest: boolean;
};

/** Events after `afterId`, oldest first, of one VPS or of all: for people at the machine, so nothing is left out. */
export function readJournal(db: Database, { afterId, vpsId, limit, latest }: JournalQuery): JournalRow[] {
  const where: SQL | undefined = and(
    gt(healthEvents.id, afterId),
    vpsId === null ? undefined : eq(healthEvents.vpsId, vpsId),
  );
  const order = latest ? desc(healthEvents.id) : asc(healthEvents.id);
  const rows = db.select().from(healthEvents).where(where).orderBy(order).limit(limit).all();
  return latest ? rows.reverse() : rows;
}
