import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApp } from './app.ts';
import type { Environment } from './environment.ts';
import { generateKey } from './crypto/encryption-key.ts';
import { write } from './db/client.ts';
import { users } from './db/schema.ts';

let folder: string;
let environment: Environment;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  environment = { DATABASE_URL: join(folder, 'new/w.db'), ENCRYPTION_KEY_FILE: join(folder, 'new/key') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: keyof typeof environment): string => environment[name] ?? '';
const messageOf = (environmentNow: Environment): Promise<string> =>
  openApp(environmentNow).then(
    (app) => {
      app.close();
      return 'opened';
    },
    (error: unknown) => (error as Error).message,
  );

describe('openApp', () => {
  it('makes database and key at the first start, the key for this user only', async () => {
    const app = await openApp(environment);
    expect(app.createdKeyFile).toBe(file('ENCRYPTION_KEY_FILE'));
    expect(statSync(file('ENCRYPTION_KEY_FILE')).mode & 0o777).toBe(0o600);
    expect(app.db.$client.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(app.db.$client.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(app.db.$client.pragma('busy_timeout', { simple: true })).toBeLessThanOrEqual(250);
    app.close();
    const again = await openApp(environment);
    expect(again.createdKeyFile).toBeNull();
    again.close();
  });

  it('opens a new database from several processes at the same moment', async () => {
    const apps = await Promise.all([openApp(environment), openApp(environment), openApp(environment)]);
    expect(new Set(apps.map((app) => app.encryptionKey.toString('hex'))).size).toBe(1);
    for (const app of apps) app.close();
  });

  it('does not start with a key that is not the one of the database, and does not show either', async () => {
    const [right, wrong] = [generateKey(), generateKey()];
    expect(await messageOf({ ...environment, ENCRYPTION_KEY: right })).toBe('opened');
    const message = await messageOf({ ...environment, ENCRYPTION_KEY: wrong });
    expect(message).toMatch(/ENCRYPTION_KEY is not the key that .* was encrypted with/);
    expect(message).not.toContain(right);
    expect(message).not.toContain(wrong);
    expect(await messageOf({ ...environment, ENCRYPTION_KEY: right })).toBe('opened');
  });

  it('does not make a second key when the first has been lost', async () => {
    await messageOf(environment);
    rmSync(file('ENCRYPTION_KEY_FILE'));
    expect(await messageOf(environment)).toMatch(/ENCRYPTION_KEY is not set and its file .* cannot be read \(ENOENT\)/);
    expect(existsSync(file('ENCRYPTION_KEY_FILE'))).toBe(false);
  });

  it('says of a malformed key how long it is, not what it is', async () => {
    const message = await messageOf({ ...environment, ENCRYPTION_KEY: 'hunter2' });
    expect(message).toContain('ENCRYPTION_KEY holds 7 characters that are not a key');
    expect(message).not.toContain('hunter2');
  });

  it('refuses a file that is no database, and leaves it as it is', async () => {
    const path = join(folder, 'notes.db');
    writeFileSync(path, 'these are my notes, not a database, and they shall stay as they are\n'.repeat(100));
    const before = readFileSync(path);
    expect(await messageOf({ ...environment, DATABASE_URL: path })).toMatch(
      /notes\.db is damaged .*Put a backup in its place/,
    );
    expect(readFileSync(path)).toEqual(before);
  });

  it('refuses a damaged database that still opens', async () => {
    const app = await openApp(environment);
    await write(app.db, (tx) => {
      for (let index = 0; index < 500; index++)
        tx.insert(users)
          .values({ email: `${index}@example.test` })
          .run();
    });
    app.close();
    const bytes = readFileSync(file('DATABASE_URL'));
    bytes.fill(0xa5, bytes.length - 3 * 4096, bytes.length - 4096);
    writeFileSync(file('DATABASE_URL'), bytes);
    expect(new Sqlite(file('DATABASE_URL')).open).toBe(true);
    expect(await messageOf(environment)).toMatch(/is damaged/);
  });

  it('says what to do where it may not write', async () => {
    writeFileSync(join(folder, 'file'), '');
    expect(await messageOf({ ...environment, DATABASE_URL: join(folder, 'file/w.db') })).toMatch(
      /DATABASE_URL must name a file in a folder/,
    );
    expect(await messageOf({ ...environment, ENCRYPTION_KEY_FILE: join(folder, 'file/key') })).toMatch(
      /file\/key cannot be made \(E\w+\); allowed: a file in a folder that this user may write to/,
    );
  });

  it('says what to do on a full disk, and without its migrations', async () => {
    expect(await messageOf({ ...environment, DATABASE_URL: '/dev/full' })).toMatch(/full.*with room on its disk/);
    expect(await messageOf({ ...environment, MIGRATIONS_DIR: folder })).toMatch(/MIGRATIONS_DIR must name the folder/);
  });
});
