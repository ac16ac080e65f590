import { eq } from 'drizzle-orm';
import { type SendMail, accountMailer } from './mail/smtp.ts';
import { parseSettings, type Settings } from './config.ts';
import { ConfigurationError, readEnvironment, type Environment } from './environment.ts';
import { DecryptionError, decryptToken, encryptToken, keyId } from './crypto/encryption.ts';
import { createKeyFile, readKey } from './crypto/encryption-key.ts';
import { openDatabase, write, type Database } from './db/client.ts';
import { metadata } from './db/schema.ts';

/** What every entry (server, command line, demo, test) opens once and hands down. */
export type App = {
  readonly settings: Settings;
  readonly db: Database;
  readonly encryptionKey: Buffer;
  /** Set when this start has made the encryption key: a person has to be told to back it up. */
  readonly createdKeyFile: string | null;
  /** Sends mails about accounts; null where no mail is set up. */
  readonly sendMail: SendMail | null;
  /** What there is one of in an app: see `partOf`. */
  readonly parts: Map<string, unknown>;
  close(): void;
};

const KEY_CHECK = 'encryption_key_check';
const KEY_CHECK_PLACE = `metadata.value:${KEY_CHECK}`;

/**
 * Settings, database and key, checked against each other. Throws `ConfigurationError` or `DatabaseError` with a message
 * that can be shown as it is.
 */
export async function openApp(environment: Environment = readEnvironment()): Promise<App> {
  const settings = parseSettings(environment);
  const db = await openDatabase(settings.databasePath, settings.migrationsDir);
  try {
    // A database that has seen a key must get that key; a fresh one would only lock its secrets away.
    const isNew = storedKeyCheck(db) === undefined;
    const created = isNew && createKeyFile(settings);
    const encryptionKey = readKey(settings);
    await checkKey(db, settings, encryptionKey);
    return {
      settings,
      db,
      encryptionKey,
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

const storedKeyCheck = (db: Database): string | undefined =>
  db.select().from(metadata).where(eq(metadata.name, KEY_CHECK)).get()?.value;

async function checkKey(db: Database, settings: Settings, key: Buffer): Promise<void> {
  if (storedKeyCheck(db) === undefined) {
    const value = encryptToken('wardround', KEY_CHECK_PLACE, key);
    await write(db, (tx) => tx.insert(metadata).values({ name: KEY_CHECK, value }).onConflictDoNothing().run());
  }
  try {
    decryptToken(storedKeyCheck(db) ?? '', KEY_CHECK_PLACE, key);
  } catch (error) {
    if (!(error instanceof DecryptionError)) throw error;
    const source =
      settings.encryptionKey === null ? `ENCRYPTION_KEY_FILE ${settings.encryptionKeyFile}` : 'ENCRYPTION_KEY';
    throw new ConfigurationError([
      `${source} is not the key that ${settings.databasePath} was encrypted with (${error.message}); ` +
        `allowed: the key with the id ${storedKeyCheck(db)?.split('.')[1]}, given was ${keyId(key)}`,
    ]);
  }
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

/** The app of this process, opened at first use. */
export const defaultApp = (): Promise<App> =>
  (shared[APP] ??= openApp().catch((error: unknown) => {
    delete shared[APP];
    throw error;
  }));

/** The app of this process, if anybody has opened it. */
export const openedApp = (): Promise<App> | undefined => shared[APP];
