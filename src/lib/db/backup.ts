import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Sqlite from 'better-sqlite3';
import { BUSY_TIMEOUT_MS } from './busy.ts';
import { filesOf, makePrivateFile, sizeOf, syncFolder } from './files.ts';
import { keyProblem } from './key-check.ts';
import { DatabaseError, databaseTrouble, sqliteCode } from './trouble.ts';

/** What `onProgress` is told: pages copied, and how many there are. */
export type CopyProgress = { readonly done: number; readonly total: number };

export type CopyOptions = {
  /** The encryption key of the settings, which has to be the one of the database. */
  readonly key: Buffer;
  readonly onProgress: (progress: CopyProgress) => void;
  /** Gives up the copy; nothing of it is left. */
  readonly signal: AbortSignal;
};

/** What a copy holds. */
export type CopyReport = { readonly bytes: number; readonly vpsCount: number; readonly lastCheckAt: Date | null };

/** 16 MB, between which the event loop turns. */
const PAGES_A_STEP = 4_096;

/**
 * Makes a whole, verified copy of the database at `path`, as it is at this moment, while a server may go on writing to
 * it: `to` is one file, for this user only, and is there when it is complete. Throws `DatabaseError` when there is
 * something at `to` already, and when there is no database, it is damaged, or `key` is not its key.
 */
export async function backUp(path: string, to: string, options: CopyOptions): Promise<CopyReport> {
  if (sizeOf(path) === 0) throw new DatabaseError(`There is no database at ${path} to be backed up (DATABASE_URL).`);
  // Not made here: it may be the place where a disk is to be mounted.
  if (!existsSync(dirname(to))) throw new DatabaseError(`There is no folder ${dirname(to)}; make it first.`);
  // Taken first, so that nobody else's file comes to lie there meanwhile, and is then replaced.
  if (!reserve(to)) throw new DatabaseError(`${to} is there already and is not overwritten; give another name.`);
  const draft = draftFor(to);
  try {
    const report = await copyVerified(path, draft, options);
    renameSync(draft, to);
    syncFolder(dirname(to));
    return report;
  } catch (error) {
    discard(draft);
    rmSync(to, { force: true });
    throw error;
  }
}

/** Where a copy grows that is to become `file`. */
export const draftFor = (file: string): string => `${file}.${process.pid}.part`;

function reserve(file: string): boolean {
  try {
    return makePrivateFile(file);
  } catch (error) {
    throw new DatabaseError(`${file} cannot be written (${(error as NodeJS.ErrnoException).code}).`, { cause: error });
  }
}

/** Takes a copy away again that has not become anything. */
export const discard = (draft: string): void => {
  for (const file of filesOf(draft)) rmSync(file, { force: true });
};

/** Copies the database `from` to a new file `draft`, and makes sure that the copy is whole and opens with the key. */
export async function copyVerified(from: string, draft: string, options: CopyOptions): Promise<CopyReport> {
  try {
    discard(draft);
    makePrivateFile(draft);
    const total = await copyPages(from, draft, options);
    options.onProgress({ done: total, total });
    options.signal.throwIfAborted();
    return verify(from, draft, options.key);
  } catch (error) {
    if (error instanceof DatabaseError || sqliteCode(error) === '') throw error;
    const { message } = error as Error;
    throw new DatabaseError(
      databaseTrouble(error)?.kind === 'damaged'
        ? `${from} is damaged, or no database (${message}).`
        : `${from} cannot be copied to ${dirname(draft)} (${message}).`,
      { cause: error },
    );
  }
}

/** Gives the number of pages. */
async function copyPages(from: string, draft: string, { onProgress, signal }: CopyOptions): Promise<number> {
  const source = new Sqlite(from, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
  try {
    // All of it is copied as it is now: without, each write of another process would start the copy anew, and beside a
    // server that sweeps it would never end.
    source.exec('BEGIN');
    source.prepare('SELECT 1 FROM sqlite_schema').get();
    const copied = await source.backup(draft, {
      progress: ({ totalPages, remainingPages }) => {
        signal.throwIfAborted();
        onProgress({ done: totalPages - remainingPages, total: totalPages });
        return PAGES_A_STEP;
      },
    });
    return copied.totalPages;
  } finally {
    source.close();
  }
}

function verify(from: string, draft: string, key: Buffer): CopyReport {
  const copy = new Sqlite(draft, { fileMustExist: true });
  try {
    // So that it is one file, and can be read where nothing may be written.
    copy.pragma('journal_mode = DELETE');
    const report = copy.pragma('quick_check(1)', { simple: true });
    if (report !== 'ok') throw new DatabaseError(`${from} is damaged (${String(report).replaceAll(/\s+/g, ' ')}).`);
    const tables = copy.prepare<[], string>("SELECT name FROM sqlite_schema WHERE type = 'table'").pluck().all();
    if (!['metadata', 'subscriptions', 'health_checks'].every((table) => tables.includes(table)))
      throw new DatabaseError(`${from} is not a database of Wardround.`);
    const problem = keyProblem(copy, key);
    if (problem !== null) throw new DatabaseError(`The encryption key is not the one of ${from} ${problem}`);
    const lastCheck = copy.prepare<[], number | null>('SELECT max(last_check_at) FROM health_checks').pluck().get();
    return {
      bytes: sizeOf(draft),
      vpsCount: copy.prepare<[], number>('SELECT count(*) FROM subscriptions').pluck().get() ?? 0,
      lastCheckAt: lastCheck == null ? null : new Date(lastCheck),
    };
  } finally {
    copy.close();
  }
}
