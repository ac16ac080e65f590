import { EventEmitter } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { drizzle, type BetterSQLite3Database } from 'drizzle-orm/better-sqlite3';
import { BUSY_TIMEOUT_MS, whileBusy } from './busy.ts';
import { assertInPlace, filesOf, identityOf, keepPrivate, makePrivateFile, rememberFiles } from './files.ts';
import { localHolder } from './in-use.ts';
import { bringUpToDate, readMigrations } from './migrations.ts';
import * as schema from './schema.ts';
import { DatabaseError, databaseTrouble } from './trouble.ts';

export type Database = BetterSQLite3Database<typeof schema> & {
  readonly $client: Sqlite.Database;
  /** Tells this process of what has been committed; here, so that listeners outlive a hot reload of whoever told them. */
  readonly events: EventEmitter;
  /** How many writes of this process have been committed. */
  readonly commits: Record<Durability, number>;
  /** Runs `work` in one IMMEDIATE transaction; for `write`. Made once: drizzle makes its own anew each time, for 15 µs. */
  readonly immediately: <T>(work: () => T) => T;
};

/** What `write` hands to its work. */
export type Transaction = Omit<BetterSQLite3Database<typeof schema>, 'transaction'> & {
  /** The database that is written to. */
  readonly database: Database;
  /** Runs `work` once the transaction is committed, in the order of these calls; never when it is rolled back. */
  afterCommit(work: () => void): void;
};

/**
 * What an entry may do about its database:
 * - `existing`: nothing but work with one that is there;
 * - `begin`: also make a new one, where there has been none;
 * - `server`: the same, and it has to be able to write, and may bring the schema to this version beside another server.
 */
export type Opening = 'existing' | 'begin' | 'server';

/**
 * When a write outlives a power cut. `at_once`: before it resolves. `with_next`: with the next one that is `at_once`, or a
 * checkpoint; until then a power cut, and nothing less, takes it back as a whole. That is for what is seen again by itself:
 * waiting for the disk is most of what such a write costs.
 */
export type Durability = 'at_once' | 'with_next';

/**
 * Runs `work` in one IMMEDIATE transaction: a deferred one that reads first fails with SQLITE_BUSY_SNAPSHOT as soon
 * as another process has written. `work` must be synchronous, and may run again after a busy database. What it hands to
 * `afterCommit` must not throw: the write is done by then. Throws `DatabaseGoneError` where the files of the database
 * are not those that were opened.
 */
export async function write<T>(
  db: Database,
  work: (tx: Transaction) => T,
  durability: Durability = 'at_once',
): Promise<T> {
  let afterwards: (() => void)[] = [];
  const result = await whileBusy(() => {
    assertInPlace(db);
    afterwards = [];
    const more = { database: db, afterCommit: (step: () => void): unknown => afterwards.push(step) };
    const tx: Transaction = Object.assign(Object.create(db) as Database, more);
    if (durability === 'with_next') db.$client.exec('PRAGMA synchronous = NORMAL');
    try {
      return db.immediately(() => work(tx));
    } finally {
      if (durability === 'with_next') db.$client.exec('PRAGMA synchronous = FULL');
    }
  });
  db.commits[durability] += 1;
  for (const step of afterwards) step();
  return result;
}

/** A number that is another one as soon as another connection, thus another process, has committed something. */
export const dataVersion = ({ $client }: Database): number =>
  $client.pragma('data_version', { simple: true }) as number;

/**
 * Opens the database (and makes it, if that is what `opening` allows), checks it (unless a server works with it and
 * has checked it) and brings it to the newest schema.
 * Throws `DatabaseError` for a file that is damaged, not ours or of a newer version, and never recreates or repairs
 * one by itself.
 */
export async function openDatabase(path: string, migrationsDir: string, opening: Opening): Promise<Database> {
  let client: Sqlite.Database | undefined;
  try {
    const migrations = readMigrations(migrationsDir);
    if (opening !== 'existing') makePrivateFile(path);
    keepPrivate(path);
    const file = identityOf(path);
    client = new Sqlite(path, { timeout: BUSY_TIMEOUT_MS, fileMustExist: true });
    const opened = client;
    await whileBusy(() => opened.pragma('journal_mode = WAL'));
    // A sweep a minute is a small price for state that survives a power cut.
    opened.pragma('synchronous = FULL');
    // A sweep of 1,000 VPSs touches four pages of each one's history, which is what SQLite's usual 16 MB hold at most.
    opened.pragma('cache_size = -65536');
    // Looks change the same few pages again and again: a log of 16 MB brings each of them to the disk a fourth as often as
    // SQLite's usual one. What has to outlive a power cut does not wait for that.
    opened.pragma('wal_autocheckpoint = 4000');
    const report = localHolder(opened) === null ? opened.pragma('quick_check(1)', { simple: true }) : 'ok';
    if (report !== 'ok') throw new DatabaseError(damaged(path, String(report)));
    await bringUpToDate(opened, path, migrations, opening === 'server' ? 'migrate' : 'refuse');
    if (opening === 'server') await whileBusy(() => tryWriting(opened));
    rememberFiles(opened);
    if (identityOf(path) !== file)
      throw new DatabaseError(`The database ${path} was replaced in this moment, while it was opened. Try again.`);
    const transaction = opened.transaction((work: () => unknown) => work());
    return Object.assign(drizzle(opened, { schema }), {
      events: new EventEmitter().setMaxListeners(0),
      commits: { at_once: 0, with_next: 0 },
      immediately: <T>(work: () => T): T => transaction.immediate(work) as T,
    });
  } catch (error) {
    client?.close();
    throw explained(path, error);
  }
}

/** Throws where nothing can be written now; waits for a lock as `write` does, and changes nothing. */
export const assertWritable = (db: Database): Promise<void> =>
  whileBusy(() => {
    assertInPlace(db);
    tryWriting(db.$client);
  });

/** SQLite opens what it may not write to without a word, and BEGIN IMMEDIATE succeeds on it: only a change tells. */
function tryWriting(client: Sqlite.Database): void {
  client.exec('BEGIN IMMEDIATE');
  try {
    client.pragma(`user_version = ${String(client.pragma('user_version', { simple: true }))}`);
  } finally {
    client.exec('ROLLBACK');
  }
}

/** An error of opening that a person can mend, in words; any other as it is. */
function explained(path: string, error: unknown): unknown {
  if (error instanceof DatabaseError) return error;
  const { message, code = '' } = error as NodeJS.ErrnoException;
  const kind = databaseTrouble(error)?.kind;
  const isDenied = ['EACCES', 'EPERM', 'EROFS', 'ENOTDIR', 'EEXIST', 'ENOSPC'].includes(code);
  if (kind === undefined && !isDenied) return error;
  if (kind === 'damaged') return new DatabaseError(damaged(path, message));
  if (kind === 'read_only' || isReadOnlyMount(path))
    return new DatabaseError(
      `The database ${path} cannot be written to (${message}): its disk is mounted read-only, or its files belong to another user. Make it writable for this user (mount -o remount,rw, chown), then start again.`,
    );
  if (kind === 'busy')
    return new DatabaseError(
      `The database ${path} is locked by another program (${message}). End what holds the lock, such as an open sqlite3 shell or a tool that copies the file, then try again.`,
    );
  return new DatabaseError(
    `The database ${path} cannot be opened (${message}). DATABASE_URL must name a file in a folder that this user may write to, with room on its disk.`,
  );
}

function isReadOnlyMount(path: string): boolean {
  try {
    accessSync(dirname(path), constants.W_OK);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EROFS';
  }
}

/** What is wrong with a damaged database, and the ways on. */
export const damaged = (path: string, report: string): string =>
  `The database ${path} is damaged (${report.replaceAll(/\s+/g, ' ')}). Wardround does not run on it and has not touched it. ` +
  'Put a backup in its place: wardround restore FILE. By hand, move its three files away together first ' +
  `(${filesOf(path).join(', ')}): a -wal that stays would be applied to the backup and destroy it. ` +
  `Or save what can be saved with: sqlite3 ${path} ".recover" | sqlite3 repaired.db`;
