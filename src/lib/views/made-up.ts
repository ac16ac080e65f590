import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Database, Transaction } from '../db/client.ts';
import { metadata } from '../db/schema.ts';

const NAME = 'made_up_history_until';

/** Marks all history before `until` as made up, for a demo: pages say so. */
export const markAsMadeUp = (tx: Database | Transaction, until: Date): void => {
  const row = { name: NAME, value: until.toISOString() };
  tx.insert(metadata).values(row).onConflictDoUpdate({ target: metadata.name, set: row }).run();
};

/** Until when history is made up; null where all of it was seen. */
export function madeUpUntil({ db }: Pick<App, 'db'>): Date | null {
  const row = db.select().from(metadata).where(eq(metadata.name, NAME)).get();
  return row ? new Date(row.value) : null;
}
