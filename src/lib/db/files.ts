import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import type Sqlite from 'better-sqlite3';
import { DatabaseGoneError } from './trouble.ts';

const OWNER_ONLY = 0o600;
const OTHERS = 0o077;

/**
 * The files of a database: beside it, SQLite keeps what is not yet in it (-wal) and who is reading (-shm). They belong
 * together: a -wal is applied to whatever database lies beside it.
 */
export const filesOf = (path: string): readonly [string, string, string] => [path, `${path}-wal`, `${path}-shm`];

/** Where SQLite really keeps a database that is named by a link; the path itself where nothing is there. */
export function realPath(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    return path;
  }
}

/** 0 for a file that is not there. */
export const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/**
 * Makes an empty file, and its folder, for this user only, unless one is there; gives whether it did. SQLite gives
 * -wal and -shm the mode of their database.
 */
export function makePrivateFile(path: string): boolean {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    // Never one that is there: closing it again would take away the locks that SQLite in this process has on it.
    closeSync(openSync(path, 'wx', OWNER_ONLY));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes from other users what an older version, or a copy by hand, has let them read. */
export function keepPrivate(path: string): void {
  for (const file of filesOf(realPath(path))) {
    const stats = statSync(file, { throwIfNoEntry: false });
    if (!stats?.isFile() || (stats.mode & OTHERS) === 0) continue;
    try {
      chmodSync(file, OWNER_ONLY);
    } catch {
      // It belongs to another user, who decides.
    }
  }
}

/** Makes the names in a folder survive a power cut. */
export function syncFolder(folder: string): void {
  const handle = openSync(folder, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Names a file itself, whatever it is called; null where there is none. */
export function identityOf(file: string): string | null {
  const stats = statSync(file, { bigint: true, throwIfNoEntry: false });
  return stats === undefined ? null : `${stats.dev}:${stats.ino}`;
}

const opened = new WeakMap<Sqlite.Database, ReadonlyMap<string, string>>();

/** Notes which files a database is open on. To be called after it was read: -wal and -shm are made then. */
export function rememberFiles(client: Sqlite.Database): void {
  const [, ...beside] = filesOf(realPath(client.name));
  const found = [client.name, ...beside].flatMap((file) => {
    const identity = identityOf(file);
    return identity === null ? [] : [[file, identity] as const];
  });
  opened.set(client, new Map(found));
}

/**
 * Whether a database that is open lies on other files than those that it was opened on, or on none: what is written
 * to it then is gone at the next start. Says which file, and what to do; null where all is well.
 */
export function databaseFault({ $client }: { readonly $client: Sqlite.Database }): string | null {
  for (const [file, identity] of opened.get($client) ?? []) {
    const what = changeOf(file, identity);
    if (what !== null)
      return (
        `The file ${file} ${what} while Wardround runs on it. Nothing is checked, sent or saved, because it would ` +
        'be lost: put the file back, or restart Wardround.'
      );
  }
  return null;
}

function changeOf(file: string, identity: string): string | null {
  try {
    const now = identityOf(file);
    return now === identity ? null : now === null ? 'was deleted or moved' : 'was replaced';
  } catch (error) {
    return `cannot be reached any more (${(error as NodeJS.ErrnoException).code})`;
  }
}

/** Throws `DatabaseGoneError` where there is a `databaseFault`. */
export function assertInPlace(db: { readonly $client: Sqlite.Database }): void {
  const fault = databaseFault(db);
  if (fault !== null) throw new DatabaseGoneError(fault);
}
