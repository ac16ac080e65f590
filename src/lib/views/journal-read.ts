import { and, desc, eq, inArray } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { healthEvents, users } from '../db/schema.ts';
import type { JournalRow } from '../db/journal-store.ts';
import type { FleetRow } from './fleet-read.ts';
import { describeEvent } from './journal-words.ts';

/** An event as an admin reads it; `by` is null for what the monitor did by itself. */
export type JournalLine = {
  readonly id: number;
  readonly at: Date;
  readonly words: string;
  readonly by: string | null;
};

/** The names of whoever did something: an e-mail address, or `command line`. */
export function namesOf({ db }: Pick<App, 'db'>, actors: readonly string[]): (actor: string) => string {
  const ids = [...new Set(actors)];
  const rows = db.select({ id: users.id, email: users.email }).from(users).where(inArray(users.id, ids)).all();
  const names = new Map(rows.map(({ id, email }) => [id, email]));
  return (actor) => (actor === 'cli' ? 'command line' : (names.get(actor) ?? actor));
}

export function linesOf(app: Pick<App, 'db'>, rows: readonly JournalRow[]): JournalLine[] {
  const nameOf = namesOf(
    app,
    rows.map(({ actor }) => actor),
  );
  return rows.map(({ id, at, kind, detail, actor }) => ({
    id,
    at,
    words: describeEvent(kind, detail),
    by: actor === 'monitor' ? null : nameOf(actor),
  }));
}

/** The latest events of a VPS, newest first; for admins, as events hold raw words of the remote host. */
export function readVpsJournal(
  app: App,
  actor: Actor,
  { id, userId }: Pick<FleetRow, 'id' | 'userId'>,
  limit: number,
): JournalLine[] {
  if (actor.role !== 'admin') return [];
  const rows = app.db
    .select()
    .from(healthEvents)
    .where(and(eq(healthEvents.userId, userId), eq(healthEvents.vpsId, id)))
    // By the index; the number tells apart what happened in the same millisecond.
    .orderBy(desc(healthEvents.at), desc(healthEvents.id))
    .limit(limit)
    .all();
  return linesOf(app, rows);
}
