import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import { metadata } from '../db/schema.ts';

/** The name in `metadata` under which a demo leaves the instant before which all history is made up. */
export const MADE_UP_UNTIL = 'made_up_history_until';

/** Until when history is made up; null where all of it was seen. */
export function madeUpUntil({ db }: Pick<App, 'db'>): Date | null {
  const row = db.select().from(metadata).where(eq(metadata.name, MADE_UP_UNTIL)).get();
  return row ? new Date(row.value) : null;
}
