import { asc, count } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { vpsLabels } from '../db/schema.ts';

/** A label that VPSs of the fleet have, and how many of them. */
export type LabelCount = { readonly value: string; readonly count: number };
/** A name, and its values; null where they are more than anybody would choose from. */
export type LabelChoice = { readonly name: string; readonly count: number; readonly values: LabelCount[] | null };

const MOST_VALUES = 40;
const MOST_ROWS = 5_000;

/** What the fleet can be filtered and grouped by, by name; for admins. */
export function readLabelChoices({ db }: App, actor: Actor): LabelChoice[] {
  if (actor.role !== 'admin') return [];
  const rows = db
    .select({ name: vpsLabels.name, value: vpsLabels.value, count: count() })
    .from(vpsLabels)
    .groupBy(vpsLabels.name, vpsLabels.value)
    .orderBy(asc(vpsLabels.name), asc(vpsLabels.value))
    .limit(MOST_ROWS)
    .all();
  return [...Map.groupBy(rows, ({ name }) => name)].map(([name, found]) => ({
    name,
    count: found.reduce((sum, one) => sum + one.count, 0),
    values: found.length > MOST_VALUES ? null : found.map(({ value, count }) => ({ value, count })),
  }));
}
