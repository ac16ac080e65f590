import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { whileBusy } from './busy.ts';
import { localHolder } from './in-use.ts';
import { DatabaseError, databaseTrouble } from './trouble.ts';

type Migration = {
  readonly tag: string;
  /** When it was generated: its name in the database. */
  readonly when: number;
  readonly hash: string;
  readonly statements: readonly string[];
};

/** The migrations of this version, in their order. Throws `DatabaseError` where there are none. */
export function readMigrations(migrationsDir: string): readonly Migration[] {
  const journal = join(migrationsDir, 'meta/_journal.json');
  if (!existsSync(journal))
    throw new DatabaseError(
      `There are no migrations in ${migrationsDir}. MIGRATIONS_DIR must name the folder drizzle of the project.`,
    );
  const { entries } = JSON.parse(readFileSync(journal, 'utf8')) as { entries: readonly { tag: string }[] };
  return readMigrationFiles({ migrationsFolder: migrationsDir }).map(({ folderMillis, hash, sql }, index) => ({
    tag: entries[index]?.tag ?? '',
    when: folderMillis,
    hash,
    statements: sql,
  }));
}

const hasTable = (client: Sqlite.Database, name: string): boolean =>
  client.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(name) !== undefined;

const appliedTo = (client: Sqlite.Database): readonly number[] =>
  hasTable(client, '__drizzle_migrations')
    ? client.prepare<[], number>('SELECT created_at FROM __drizzle_migrations ORDER BY created_at').pluck().all()
    : [];

/** Throws `DatabaseError` for a database that no Wardround, or a newer one than this, has migrated. */
export function refuseForeign(client: Sqlite.Database, path: string, known: readonly Migration[]): void {
  const applied = appliedTo(client);
  const unknown = applied.filter((when) => !known.some((migration) => migration.when === when));
  if (unknown.length > 0)
    throw new DatabaseError(
      `The database ${path} is of a newer version of Wardround: it has had ${unknown.length} of its migrations that ` +
        'this version does not know. Nothing was changed. Run that version again, or put a backup from before its ' +
        'update in place: wardround restore FILE',
    );
  if (applied.length === 0 && hasTable(client, 'subscriptions'))
    throw new DatabaseError(
      `The database ${path} has Wardround's tables but no record of its migrations, as "npm run db:push" leaves them in a new file: that is for trying a schema. Let DATABASE_URL name a file that Wardround has made or may make itself; it brings it to the newest schema at each start.`,
    );
}

/** What is still to be done. A migration before one that was applied already would never be run by drizzle's own. */
function pendingFor(client: Sqlite.Database, path: string, known: readonly Migration[]): readonly Migration[] {
  const applied = appliedTo(client);
  const pending = known.filter(({ when }) => !applied.includes(when));
  const last = applied.at(-1) ?? -Infinity;
  const late = pending.find(({ when }) => when < last);
  if (late)
    throw new DatabaseError(
      `The migration ${late.tag} is dated before the last one that the database ${path} has had ` +
        `(${known.find(({ when }) => when === last)?.tag}), so it cannot follow it. Nothing was changed. ` +
        'Whoever made it has to delete and generate it again: npm run db:generate',
    );
  return pending;
}

/**
 * Brings the database to the newest schema, all of it in one transaction or nothing. Throws `DatabaseError` for one
 * that cannot be brought there; with `besideServer: 'refuse'` also where a server works with it, whose queries could
 * fail afterwards.
 */
export async function bringUpToDate(
  client: Sqlite.Database,
  path: string,
  known: readonly Migration[],
  besideServer: 'refuse' | 'migrate',
): Promise<void> {
  refuseForeign(client, path, known);
  if (pendingFor(client, path, known).length > 0) {
    const server = localHolder(client);
    if (besideServer === 'refuse' && server !== null)
      throw new DatabaseError(
        `The database ${path} is of an older version of Wardround, and the process ${server} works with it. ` +
          'Restart the server first: it brings the database to this version.',
      );
    // A migration that rebuilds a table drops the old one, which would delete the rows of its children.
    client.pragma('foreign_keys = OFF');
    const all = client.transaction(() => migrate(client, path, pendingFor(client, path, known)));
    await whileBusy(() => all.immediate());
  }
  client.pragma('foreign_keys = ON');
}

function migrate(client: Sqlite.Database, path: string, pending: readonly Migration[]): void {
  client.exec(
    'CREATE TABLE IF NOT EXISTS __drizzle_migrations (id SERIAL PRIMARY KEY, hash text NOT NULL, created_at numeric)',
  );
  const note = client.prepare('INSERT INTO __drizzle_migrations (hash, created_at) VALUES (?, ?)');
  let tag = '';
  try {
    for (const migration of pending) {
      tag = migration.tag;
      for (const statement of migration.statements) client.exec(statement);
      note.run(migration.hash, migration.when);
    }
    refuseOrphans(client);
  } catch (error) {
    if (databaseTrouble(error)?.kind === 'busy') throw error;
    throw new DatabaseError(
      `The database ${path} could not be brought to this version, and nothing was changed: the migration ${tag} failed (${(error as Error).message}).`,
      { cause: error },
    );
  }
}

/** Only a migration can part rows from their parents, as foreign keys are off meanwhile. */
function refuseOrphans(client: Sqlite.Database): void {
  const orphans = client.pragma('foreign_key_check') as { table: string }[];
  if (orphans.length > 0)
    throw new Error(`it leaves ${orphans.length} rows without their parent, the first in table ${orphans[0]?.table}`);
}
