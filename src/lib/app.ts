import { existsSync } from 'node:fs';
import { type SendMail, accountMailer } from './mail/smtp.ts';
import { parseSettings, type Settings } from './config.ts';
import { ConfigurationError, readEnvironment, type Environment } from './environment.ts';
import { createKeyFile, keySource, readKey } from './crypto/encryption-key.ts';
import { openDatabase, write, type Database, type Opening } from './db/client.ts';
import { filesOf, realPath, sizeOf } from './db/files.ts';
import { hasKeyCheck, keyProblem, newKeyCheck } from './db/key-check.ts';
import { metadata } from './db/schema.ts';
import { DatabaseError } from './db/trouble.ts';

/** What every entry (server, command line, demo, test) opens once and hands down. */
export type App = {
  readonly settings: Settings;
  readonly db: Database;
  readonly encryptionKey: Buffer;
  /** Whether this start has begun the database: a person has to be told, as there may have been one elsewhere. */
  readonly isNewDatabase: boolean;
  /** Set when this start has made the encryption key: a person has to be told to back it up. */
  readonly createdKeyFile: string | null;
  /** Sends mails about accounts; null where no mail is set up. */
  readonly sendMail: SendMail | null;
  /** What there is one of in an app: see `partOf`. */
  readonly parts: Map<string, unknown>;
  close(): void;
};

/**
 * Settings, database and key, checked against each other. Throws `ConfigurationError` or `DatabaseError` with a message
 * that can be shown as it is.
 */
export async function openApp(environment: Environment, opening: Opening): Promise<App> {
  const settings = parseSettings(environment);
  const isNewDatabase = mustBegin(settings, opening);
  const db = await openDatabase(settings.databasePath, settings.migrationsDir, opening);
  try {
    // A database that has seen a key must get that key; a fresh one would only lock its secrets away.
    const created = !hasKeyCheck(db.$client) && createKeyFile(settings);
    const encryptionKey = readKey(settings);
    await checkKey(db, settings, encryptionKey);
    return {
      settings,
      db,
      encryptionKey,
      isNewDatabase,
      createdKeyFile: created ? settings.encryptionKeyFile : null,
      sendMail: accountMailer(settings.notifications),
      parts: new Map(),
      close: () => db.$client.close(),
    };
  } catch (error) {
    db.$client.close();
    throw error;
  }
}

/**
 * Whether a database has to be made. Throws `DatabaseError` where `opening` does not allow that, and where there has
 * been one: a disk that is not mounted must not look like a first start.
 */
function mustBegin({ databasePath, encryptionKey, encryptionKeyFile }: Settings, opening: Opening): boolean {
  // Asked first: another process that begins one at this moment makes the database before its key.
  const hasKeyFile = encryptionKey === null && existsSync(encryptionKeyFile);
  if (sizeOf(databasePath) > 0) return false;
  const state = existsSync(databasePath)
    ? `The database ${databasePath} is an empty file`
    : `There is no database at ${databasePath}`;
  const [, wal] = filesOf(realPath(databasePath));
  const trace = hasKeyFile ? `an encryption key at ${encryptionKeyFile}` : sizeOf(wal) > 0 ? `its file ${wal}` : null;
  if (trace !== null)
    throw new DatabaseError(
      `${state}, but there is ${trace}, so there has been one: perhaps its disk is not mounted. Nothing new is begun ` +
        'in its place. Either bring the database back (mount its disk, or "wardround restore FILE"), or, to begin ' +
        `anew on purpose, move that file away first: mv ${hasKeyFile ? encryptionKeyFile : wal} somewhere-safe`,
    );
  if (opening === 'existing')
    throw new DatabaseError(
      `${state}. The first start of the server (npm start) makes one, and so do "wardround vps add" and ` +
        '"wardround admin create"; if there should be one, look at DATABASE_URL and at its disk.',
    );
  return true;
}

async function checkKey(db: Database, settings: Settings, key: Buffer): Promise<void> {
  if (!hasKeyCheck(db.$client))
    await write(db, (tx) => tx.insert(metadata).values(newKeyCheck(key)).onConflictDoNothing().run());
  const problem = keyProblem(db.$client, key);
  if (problem !== null)
    throw new ConfigurationError([
      `${keySource(settings)} is not the key that ${settings.databasePath} was encrypted with ${problem}`,
    ]);
}

/**
 * The one part of its kind that this app has, made at first use. It lives as long as the app, so that a hot reload of
 * its module makes no second one.
 */
export function partOf<T>({ parts }: App, name: string, make: () => T): T {
  if (!parts.has(name)) parts.set(name, make());
  return parts.get(name) as T;
}

// The only thing on globalThis: hot reload makes every module anew, and what runs must outlive that.
const APP = Symbol.for('wardround.app');
const shared = globalThis as { [APP]?: Promise<App> };

/** The app of the server process, opened at first use. */
export const defaultApp = (): Promise<App> =>
  (shared[APP] ??= openApp(readEnvironment(), 'server').catch((error: unknown) => {
    delete shared[APP];
    throw error;
  }));

/** The app of this process, if anybody has opened it. */
export const openedApp = (): Promise<App> | undefined => shared[APP];
