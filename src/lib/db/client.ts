import { EventEmitter } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { migrate } from 'drizzle-orm/better-sqlite3/migrator';
import { isAlive, MACHINE } from './process.ts';
import * as schema from './schema.ts';

export type Database = BetterSQLite3Database<typeof schema> & {
  readonly $client: Sqlite.Database;
  /** Tells this process of what has been committed; here, so that listeners outlive a hot reload of whoever told them. */
  readonly events: EventEmitter;
};

/** What `write` hands to its work. */
export type Transaction = Parameters<Parameters<Database['transaction']>[0]>[0] & {
  /** The database that is written to. */
  readonly database: Database;
  /** Runs `work` once the transaction is committed, in the order of these calls; never when it is rolled back. */
  afterCommit(work: () => void): void;
};

/** The file is there but must not be used: says which file, what is wrong and what to do. */
export class DatabaseError extends Error {
  override readonly name = 'DatabaseError';
}

/** better-sqlite3 is synchronous: while it waits for a lock, the whole process waits. So it waits this long only. */
const BUSY_TIMEOUT_MS = 100;
/** `write` then goes on trying for this long without blocking. */
const BUSY_PATIENCE_MS = 10_000;

/** SQLite's extended result code, also of an error that drizzle has wrapped; empty for any other error. */
function sqliteCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return 'code' in error && typeof error.code === 'string' ? error.code : sqliteCode(error.cause);
}
const isBusy = (error: unknown): boolean => sqliteCode(error).startsWith('SQLITE_BUSY');

/** Repeats `attempt` while another process holds the write lock; anything else it throws goes through. */
async function whileBusy<T>(attempt: () => T): Promise<T> {
  const giveUpAt = performance.now() + BUSY_PATIENCE_MS;
  for (let pauseMs = 20; ; pauseMs = Math.min(pauseMs * 2, 500)) {
    try {
      return attempt();
    } catch (error) {
      if (!isBusy(error) || performance.now() > giveUpAt) throw error;
      await sleep(pauseMs);
    }
  }
}

/**
 * Runs `work` in one IMMEDIATE transaction: a deferred one that reads first fails with SQLITE_BUSY_SNAPSHOT as soon
 * as another process has written. `work` must be synchronous, and may run again after a busy database. What it hands to
 * `afterCommit` must not throw: the write is done by then.
 */
export async function write<T>(db: Database, work: (tx: Transaction) => T): Promise<T> {
  let afterwards: (() => void)[] = [];
  const result = await whileBusy(() => {
    afterwards = [];
    const more = { database: db, afterCommit: (step: () => void): unknown => afterwards.push(step) };
    return db.transaction((tx) => work(Object.assign(tx, more)), { behavior: 'immediate' });
  });
  for (const step of afterwards) step();
  return result;
}

/**
 * The connection under a transaction of `write`, for statements that are prepared once and run a thousand times an
 * hour: building them anew costs more than running them. For stores only.
 */
export const clientOf = ({ database }: Transaction): Sqlite.Database => database.$client;

/** A number that is another one as soon as another connection, thus another process, has committed something. */
export const dataVersion = ({ $client }: Database): number =>
  $client.pragma('data_version', { simple: true }) as number;

/**
 * Opens (and makes, if missing) the database, checks it (unless a server works with it and has checked it) and brings
 * it to the newest schema.
 * Throws `DatabaseError` for a file that is damaged or not ours, and never recreates or repairs one by itself.
 */
export async function openDatabase(path: string, migrationsDir: string): Promise<Database> {
  let client: Sqlite.Database | undefined;
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
    client = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS });
    const opened = client;
    await whileBusy(() => opened.pragma('journal_mode = WAL'));
    // A sweep a minute is a small price for state that survives a power cut.
    opened.pragma('synchronous = FULL');
    // A sweep of 1,000 VPSs touches four pages of each one's history, which is what SQLite's usual 16 MB hold at most.
    opened.pragma('cache_size = -65536');
    const report = isInUse(opened) ? 'ok' : opened.pragma('quick_check(1)', { simple: true });
    if (report !== 'ok') throw new DatabaseError(damaged(path, String(report)));
    const events = new EventEmitter().setMaxListeners(0);
    const db = Object.assign(drizzle(opened, { schema }), { events });
    await bringUpToDate(db, path, migrationsDir);
    return db;
  } catch (error) {
    client?.close();
    if (['SQLITE_NOTADB', 'SQLITE_CORRUPT'].includes(sqliteCode(error)))
      throw new DatabaseError(damaged(path, (error as Error).message));
    if (
      /^SQLITE_(CANTOPEN|READONLY|FULL|IOERR|PERM)/.test(sqliteCode(error)) ||
      ['EACCES', 'ENOTDIR', 'EEXIST', 'EROFS', 'ENOSPC'].includes(sqliteCode(error))
    )
      throw new DatabaseError(
        `The database ${path} cannot be opened (${(error as Error).message}). DATABASE_URL must name a file in a folder that this user may write to, with room on its disk.`,
      );
    throw error;
  }
}

/**
 * Whether a server on this machine works with the file right now, and so has checked it: the command line beside it
 * need not read years of history for each command. A lease of a process that has died proves nothing, nor does one
 * with our own PID: it is of a process before us, in a container that was started again.
 */
function isInUse(client: Sqlite.Database): boolean {
  if (MACHINE === '') return false;
  if (!client.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'leases'").get()) return false;
  const held = client.prepare(`SELECT pid FROM leases WHERE name = 'monitor' AND machine = ? AND expires_at > ?`);
  const pid = held.pluck().get(MACHINE, Date.now()) as number | undefined;
  return pid !== undefined && pid !== process.pid && isAlive(pid);
}

const damaged = (path: string, report: string): string =>
  `The database ${path} is damaged (${report.replaceAll(/\s+/g, ' ')}). Wardround does not run on it and has not touched it. ` +
  `Put a backup in its place, or save what can be saved with: sqlite3 ${path} ".recover" | sqlite3 repaired.db`;

/**
 * Foreign keys are off meanwhile: a migration that rebuilds a table drops the old one, and that would delete the rows
 * of its children.
 */
async function bringUpToDate(db: Database, path: string, migrationsDir: string): Promise<void> {
  // Trying again would not help here.
  if (!existsSync(join(migrationsDir, 'meta/_journal.json')))
    throw new DatabaseError(
      `There are no migrations in ${migrationsDir}. MIGRATIONS_DIR must name the folder drizzle of the project.`,
    );
  refusePushed(db.$client, path);
  db.$client.pragma('foreign_keys = OFF');
  for (let attempt = 1; ; attempt++) {
    try {
      migrate(db, { migrationsFolder: migrationsDir });
      break;
    } catch (error) {
      // A second process that opens a new database at the same moment loses the race once, then finds the work done.
      if (attempt >= 20) throw error;
      await sleep(100);
    }
  }
  await refuseOrphans(db.$client, path);
  db.$client.pragma('foreign_keys = ON');
}

/** `drizzle-kit push` makes the tables without a record of which migrations they stand for. */
function refusePushed(client: Sqlite.Database, path: string): void {
  const has = (table: string): boolean =>
    client.prepare('SELECT 1 FROM sqlite_schema WHERE name = ?').get(table) !== undefined;
  const isRecorded = has('__drizzle_migrations') && client.prepare('SELECT 1 FROM __drizzle_migrations').get();
  if (isRecorded || !has('subscriptions')) return;
  throw new DatabaseError(
    `The database ${path} has Wardround's tables but no record of its migrations, as "npm run db:push" leaves them in a new file: that is for trying a schema. Let DATABASE_URL name a file that Wardround has made or may make itself; it brings it to the newest schema at each start.`,
  );
}

/**
 * Only a migration can part rows from their parents, and looking at all rows takes as long as reading the file. How
 * many migrations have been looked at already stands in the file itself, so a crash in between does not skip any.
 */
async function refuseOrphans(client: Sqlite.Database, path: string): Promise<void> {
  const migrations = client.prepare('SELECT count(*) FROM __drizzle_migrations').pluck().get();
  if (client.pragma('user_version', { simple: true }) === migrations) return;
  const orphans = client.pragma('foreign_key_check') as { table: string }[];
  if (orphans.length > 0)
    throw new DatabaseError(
      `The database ${path} has ${orphans.length} rows without their parent, the first in table ${orphans[0]?.table}. Put a backup in its place.`,
    );
  await whileBusy(() => client.pragma(`user_version = ${String(migrations)}`));
}
