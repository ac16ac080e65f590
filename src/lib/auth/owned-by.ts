import { eq, sql, type SQL } from 'drizzle-orm';
import type { SQLiteColumn } from 'drizzle-orm/sqlite-core';
import type { Actor } from './actor.ts';

/** The right to see a row, as part of every query: its `owner`'s and every admin's. */
export const ownedBy = (actor: Actor, owner: SQLiteColumn): SQL =>
  actor.role === 'admin' ? sql`true` : eq(owner, actor.userId);
