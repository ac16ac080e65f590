import { and, asc, eq, exists, inArray, sql, type SQL } from 'drizzle-orm';
import type { Label, LabelFilter } from '../facts/label.ts';
import { chunksOf } from './chunks.ts';
import type { Database, Transaction } from './client.ts';
import { subscriptions, vpsLabels } from './schema.ts';

/** Gives a VPS these labels and no others; says whether that has changed anything. */
export function setLabels(tx: Transaction, vpsId: string, labels: readonly Label[]): boolean {
  const mine = eq(vpsLabels.vpsId, vpsId);
  const had = new Map(
    tx
      .select()
      .from(vpsLabels)
      .where(mine)
      .all()
      .map(({ name, value }) => [name, value]),
  );
  if (had.size === labels.length && labels.every(({ name, value }) => had.get(name) === value)) return false;
  tx.delete(vpsLabels).where(mine).run();
  addLabels(tx, [{ vpsId, labels }]);
  return true;
}

/** Gives these VPSs labels that they do not have. */
export function addLabels(
  tx: Transaction,
  given: readonly { readonly vpsId: string; readonly labels: readonly Label[] }[],
): void {
  const rows = given.flatMap(({ vpsId, labels }) => labels.map(({ name, value }) => ({ vpsId, name, value })));
  for (const chunk of chunksOf(rows)) tx.insert(vpsLabels).values(chunk).run();
}

/** The labels of the VPSs for which `where` holds, sorted by name, by id of the VPS. */
export function readLabels(db: Pick<Database, 'select'>, where: SQL | undefined): Map<string, Label[]> {
  const ids = db.select({ id: subscriptions.id }).from(subscriptions).where(where);
  const rows = db
    .select()
    .from(vpsLabels)
    .where(where && inArray(vpsLabels.vpsId, ids))
    .orderBy(asc(vpsLabels.vpsId), asc(vpsLabels.name))
    .all();
  const labels = new Map<string, Label[]>();
  for (const { vpsId, name, value } of rows) {
    const label = { name, value };
    const known = labels.get(vpsId);
    if (known) known.push(label);
    else labels.set(vpsId, [label]);
  }
  return labels;
}

/** A condition on `subscriptions`: all of these labels. */
export const labelled = (db: Pick<Database, 'select'>, filters: readonly LabelFilter[]): SQL =>
  and(
    sql`1`,
    ...filters.map(({ name, value }) =>
      exists(
        db
          .select({ one: sql`1` })
          .from(vpsLabels)
          .where(
            and(
              eq(vpsLabels.vpsId, subscriptions.id),
              eq(vpsLabels.name, name),
              value === null ? undefined : eq(vpsLabels.value, value),
            ),
          ),
      ),
    ),
  ) ?? sql`1`;
