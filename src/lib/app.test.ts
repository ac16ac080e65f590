import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountDisk, NO_MOUNT } from '../../tests/support/mounts.ts';
import { openApp } from './app.ts';
import type { Environment } from './environment.ts';
import { generateKey } from './crypto/encryption-key.ts';
import { write, type Opening } from './db/client.ts';
import { users } from './db/schema.ts';

let folder: string;
let environment: Environment;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  environment = { DATABASE_URL: join(folder, 'new/w.db'), ENCRYPTION_KEY_FILE: join(folder, 'new/key') };
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const file = (name: keyof typeof environment): string => environment[name] ?? '';
const messageOf = (environmentNow: Environment, opening: Opening = 'server'): Promise<string> =>
  openApp(environmentNow, opening).then(
    (app) => {
      app.close();
      return 'opened';
    },
    (error: unknown) => (error as Error).message,
  );

describe('openApp', () => {
  it('makes database and key at the first start, the key for this user only', async () => {
    const app = await openApp(environment, 'server');
    expect(app.createdKeyFile).toBe(file('ENCRYPTION_KEY_FILE'));
    expect(statSync(file('ENCRYPTION_KEY_FILE')).mode & 0o777).toBe(0o600);
    expect(app.db.$client.pragma('journal_mode', { simple: true })).toBe('wal');
    expect(app.db.$client.pragma('foreign_keys', { simple: true })).toBe(1);
    expect(app.db.$client.pragma('busy_timeout', { simple: true })).toBeLessThanOrEqual(250);
    app.close();
    const again = await openApp(environment, 'server');
    expect(again.createdKeyFile).toBeNull();
    again.close();
  });

  it('opens a new database from several processes at the same moment', async () => {
    const apps = await Promise.all([
      openApp(environment, 'server'),
      openApp(environment, 'server'),
      openApp(environment, 'server'),
    ]);
    expect(new Set(apps.map((app) => app.encryptionKey.toString('hex'))).size).toBe(1);
    for (const app of apps) app.close();
  });

  it('makes nothing for a command that works with what is there, not even a folder', async () => {
    expect(await messageOf(environment, 'existing')).toMatch(
      /^There is no database at .*new\/w\.db\. The first start of the server .* "wardround vps add"/,
    );
    expect(existsSync(join(folder, 'new'))).toBe(false);
    writeFileSync(join(folder, 'empty.db'), '');
    expect(await messageOf({ ...environment, DATABASE_URL: join(folder, 'empty.db') }, 'existing')).toMatch(
      /^The database .*empty\.db is an empty file\./,
    );
    expect(statSync(join(folder, 'empty.db')).size).toBe(0);
  });

  it.each(['server', 'begin'] as const)('says that it has begun a database, the first time: %s', async (opening) => {
    for (const isNewDatabase of [true, false]) {
      const app = await openApp(environment, opening);
      expect(app.isNewDatabase).toBe(isNewDatabase);
      app.close();
    }
  });

  const losses: [string, (path: string) => void][] = [
    ['is missing', (path) => rmSync(path)],
    ['is empty', (path) => writeFileSync(path, '')],
  ];
  it.each(losses)('begins nothing in place of a database that %s beside its key', async (_, lose) => {
    expect(await messageOf(environment)).toBe('opened');
    lose(file('DATABASE_URL'));
    for (const opening of ['server', 'begin', 'existing'] as const)
      expect(await messageOf(environment, opening)).toMatch(
        /but there is an encryption key at .*new\/key, so there has been one: .*Either bring the database back \(.*"wardround restore FILE"\), or, to begin anew on purpose, .*: mv .*new\/key /,
      );
    expect(existsSync(`${file('DATABASE_URL')}-wal`)).toBe(false);
    rmSync(file('ENCRYPTION_KEY_FILE'));
    expect(await messageOf(environment)).toBe('opened');
  });

  it('begins nothing beside the -wal of a database that is missing, which SQLite would delete', async () => {
    const key = { ENCRYPTION_KEY: generateKey() };
    expect(await messageOf({ ...environment, ...key })).toBe('opened');
    rmSync(file('DATABASE_URL'));
    writeFileSync(`${file('DATABASE_URL')}-wal`, 'what was not yet in the database');
    expect(await messageOf({ ...environment, ...key })).toMatch(/but there is its file .*w\.db-wal/);
    expect(readFileSync(`${file('DATABASE_URL')}-wal`, 'utf8')).toBe('what was not yet in the database');
  });

  it.each([0o640, 0o604, 0o602, 0o660])('refuses a key file that is open to others: mode %o', async (mode) => {
    expect(await messageOf(environment)).toBe('opened');
    chmodSync(file('ENCRYPTION_KEY_FILE'), mode);
    expect(await messageOf(environment)).toMatch(
      new RegExp(`ENCRYPTION_KEY_FILE .*key is open to other users \\(mode ${mode.toString(8)}\\).*chmod 600 .*key`),
    );
    chmodSync(file('ENCRYPTION_KEY_FILE'), 0o400);
    expect(await messageOf(environment)).toBe('opened');
  });

  it.for(['closed in peace', 'killed'])(
    'refuses a server a database on a read-only mount, %s before',
    async (end, context) => {
      const disk = mountDisk(4_000);
      if (disk === null) return context.skip(NO_MOUNT);
      const onDisk = { ...environment, DATABASE_URL: join(disk.folder, 'w.db') };
      const app = await openApp(onDisk, 'server');
      if (end === 'killed') {
        // As it lies there after a kill: with -wal and -shm, so that SQLite opens it without a word.
        for (const suffix of ['', '-wal', '-shm'])
          writeFileSync(join(disk.folder, `k.db${suffix}`), readFileSync(join(disk.folder, `w.db${suffix}`)));
      }
      app.close();
      disk.makeReadOnly();
      const name = end === 'killed' ? 'k.db' : 'w.db';
      expect(await messageOf({ ...onDisk, DATABASE_URL: join(disk.folder, name) })).toMatch(
        /cannot be written to \(.*\): its disk is mounted read-only, .*remount,rw/,
      );
    },
  );

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
    const app = await openApp(environment, 'server');
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
