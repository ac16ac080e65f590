/** The file is there but must not be used: says which file, what is wrong and what to do. */
export class DatabaseError extends Error {
  override readonly name: string = 'DatabaseError';
}

/** The files under an open database are not the ones that were opened: whatever was written now would be lost. */
export class DatabaseGoneError extends DatabaseError {
  override readonly name = 'DatabaseGoneError';
}

/** SQLite's extended result code, also of an error that another one wraps; empty for any other error. */
export function sqliteCode(error: unknown): string {
  if (!(error instanceof Error)) return '';
  return 'code' in error && typeof error.code === 'string' && error.code.startsWith('SQLITE_')
    ? error.code
    : sqliteCode(error.cause);
}

export type TroubleKind = 'busy' | 'full' | 'read_only' | 'disk' | 'damaged' | 'gone';

/** What is so, for everybody, and what whoever runs the server can do. No paths: strangers read this too. */
export type DatabaseTrouble = { readonly kind: TroubleKind; readonly title: string; readonly remedy: string };

const WORDS: Record<TroubleKind, Omit<DatabaseTrouble, 'kind'>> = {
  busy: {
    title: 'The database is locked by another program.',
    remedy:
      'Try again in a moment. If it stays so, end what holds the lock on the server: an open sqlite3 shell, or a tool that copies the file.',
  },
  full: {
    title: 'The disk of the database is full.',
    remedy: 'Make room on that disk of the server; everything goes on by itself then.',
  },
  read_only: {
    title: 'The database cannot be written to.',
    remedy:
      'Its disk is mounted read-only, or its files belong to another user: mend that on the server, then restart Wardround.',
  },
  disk: {
    title: 'The disk of the database reports errors.',
    remedy: "Look at that disk and at the server's kernel log (dmesg); back up the database as long as it can be read.",
  },
  damaged: {
    title: 'The database is damaged.',
    remedy: 'Stop Wardround and put a backup in its place: wardround restore FILE.',
  },
  gone: {
    title: 'The database was deleted or replaced while Wardround runs on it.',
    remedy: 'Nothing is saved until that is mended: put its files back, or restart Wardround to run on the new ones.',
  },
};

/** By the beginning of SQLite's code, see https://sqlite.org/rescode.html. */
const BY_CODE: readonly (readonly [RegExp, TroubleKind])[] = [
  [/^SQLITE_(BUSY|LOCKED|PROTOCOL)/, 'busy'],
  [/^SQLITE_FULL/, 'full'],
  [/^SQLITE_(READONLY|PERM)/, 'read_only'],
  [/^SQLITE_(IOERR|CANTOPEN|NOLFS)/, 'disk'],
  [/^SQLITE_(CORRUPT|NOTADB)/, 'damaged'],
];

/** What keeps the database from serving, if that is what `error` or a cause of it says; null for every other error. */
export function databaseTrouble(error: unknown): DatabaseTrouble | null {
  const code = sqliteCode(error);
  const kind = isGone(error) ? 'gone' : BY_CODE.find(([pattern]) => pattern.test(code))?.[1];
  return kind === undefined ? null : { kind, ...WORDS[kind] };
}

const isGone = (error: unknown): boolean =>
  error instanceof Error && (error instanceof DatabaseGoneError || isGone(error.cause));
