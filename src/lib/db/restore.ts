import { chownSync, existsSync, linkSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { copyVerified, discard, draftFor, type CopyOptions, type CopyReport } from './backup.ts';
import { filesOf, identityOf, realPath, sizeOf, syncFolder } from './files.ts';
import { anyHolder } from './in-use.ts';
import { readMigrations, refuseForeign } from './migrations.ts';
import { DatabaseError, databaseTrouble } from './trouble.ts';

export type RestoreReport = CopyReport & {
  /** Where the files that were there before are now. */
  readonly movedTo: readonly string[];
};

/**
 * Puts a copy of the backup `from` in the place of the database at `path`. The copy is verified before anything is
 * touched, and what was there is moved aside, all of its files together: a -wal that stayed would be applied to the
 * backup and destroy it. Throws `DatabaseError` while anybody works with the database, and for a backup that is
 * damaged, of a newer version or of another key.
 */
export async function restore(
  path: string,
  from: string,
  { migrationsDir, now, ...options }: CopyOptions & { readonly migrationsDir: string; readonly now: Date },
): Promise<RestoreReport> {
  const place = realPath(path);
  if (sizeOf(from) === 0) throw new DatabaseError(`There is no backup at ${from}.`);
  if (identityOf(from) === identityOf(place))
    throw new DatabaseError(`${from} is the database itself; give the file of a backup.`);
  refuseInUse(place);
  const draft = draftFor(place);
  mkdirSync(dirname(place), { recursive: true, mode: 0o700 });
  try {
    const report = await copyVerified(from, draft, options);
    refuseForeignBackup(draft, from, migrationsDir);
    giveToOwner(draft, place);
    const movedTo = whileNobodyUses(place, () => {
      const moved = moveAside(place, now);
      renameSync(draft, place);
      return moved;
    });
    syncFolder(dirname(place));
    return { ...report, movedTo };
  } catch (error) {
    discard(draft);
    throw error;
  }
}

function refuseForeignBackup(draft: string, from: string, migrationsDir: string): void {
  const copy = new Sqlite(draft, { readonly: true });
  try {
    refuseForeign(copy, from, readMigrations(migrationsDir));
  } finally {
    copy.close();
  }
}

/** Whoever restores as root must not leave a file that the server's user cannot open. */
function giveToOwner(draft: string, place: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(existsSync(place) ? place : dirname(place));
  chownSync(draft, uid, gid);
}

const inUse = (place: string, who: string): DatabaseError =>
  new DatabaseError(
    `The database ${place} is in use by ${who}. Nothing was changed. Stop the server, and every other program that has the database open, then try again.`,
  );

/** A lease also tells of a server on another machine, whose locks may not reach this one. */
function refuseInUse(place: string): void {
  if (sizeOf(place) === 0) return;
  let holder: ReturnType<typeof anyHolder> = null;
  try {
    const client = new Sqlite(place, { readonly: true, fileMustExist: true });
    try {
      holder = anyHolder(client);
    } finally {
      client.close();
    }
  } catch {
    // It may be as damaged as a database that is to be replaced can be: then its locks have to tell.
  }
  if (holder !== null) throw inUse(place, `the process ${holder.pid}`);
}

/**
 * Does `work` while this process alone has the database, which SQLite tells by a lock: each connection of a server, of
 * one that stands by too, has its part in it. It is asked for under another name of the same file, for which there is
 * no -wal: so nothing of the database is changed, whatever state its files are in.
 */
function whileNobodyUses<T>(place: string, work: () => T): T {
  if (sizeOf(place) === 0) return work();
  const alias = `${place}.${process.pid}.lock`;
  let client: Sqlite.Database | undefined;
  try {
    if (!linked(place, alias)) return work();
    client = new Sqlite(alias, { timeout: 0, fileMustExist: true });
    try {
      client.pragma('locking_mode = EXCLUSIVE');
      client.prepare('SELECT 1 FROM sqlite_schema').get();
    } catch (error) {
      if (databaseTrouble(error)?.kind === 'busy') throw inUse(place, 'another process');
      // Too damaged to be locked; a server that has it open notices what happens, and writes nothing any more.
    }
    return work();
  } finally {
    client?.close();
    for (const file of filesOf(alias)) rmSync(file, { force: true });
  }
}

/** Some file systems have no second names; there, only leases tell. */
function linked(place: string, alias: string): boolean {
  try {
    rmSync(alias, { force: true });
    linkSync(place, alias);
    return true;
  } catch {
    return false;
  }
}

/** Under names that still belong together, so that the old database can be opened. */
function moveAside(place: string, now: Date): readonly string[] {
  const aside = `${place}.before-restore-${now.toISOString().replaceAll(':', '-')}`;
  const names = filesOf(aside);
  if (names.some((name) => existsSync(name))) throw new DatabaseError(`${aside} is there already. Try again.`);
  // The database first: one without its -wal must never lie there as if it were whole.
  return filesOf(place).flatMap((file, index) => {
    const name = names[index];
    if (name === undefined || !existsSync(file)) return [];
    renameSync(file, name);
    return [name];
  });
}
