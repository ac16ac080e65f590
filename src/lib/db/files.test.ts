import { chmodSync, copyFileSync, existsSync, mkdtempSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, write, type Database } from './client.ts';
import { databaseFault, filesOf } from './files.ts';
import { users } from './schema.ts';
import { DatabaseGoneError } from './trouble.ts';

let folder: string;
let path: string;
let db: Database;
const openIt = () => openDatabase(path, resolve('drizzle'), 'server');
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  path = join(folder, 'w.db');
  db = await openIt();
});
afterEach(() => {
  db.$client.close();
  rmSync(folder, { recursive: true, force: true });
});

const addUser = (email: string) => write(db, (tx) => tx.insert(users).values({ email }).run());
const modes = (): string[] => filesOf(path).map((file) => (statSync(file).mode & 0o777).toString(8));

describe('database, -wal and -shm', () => {
  it('are for this user only from the moment they are made, whatever the umask', async () => {
    expect(modes()).toEqual(['600', '600', '600']);
    db.$client.close();
    rmSync(path);
    const before = process.umask(0);
    try {
      db = await openIt();
    } finally {
      process.umask(before);
    }
    expect(modes()).toEqual(['600', '600', '600']);
  });

  it('lose the rights that others have on them', async () => {
    const other = new Sqlite(path);
    for (const file of filesOf(path)) chmodSync(file, 0o644);
    db.$client.close();
    db = await openIt();
    expect(modes()).toEqual(['600', '600', '600']);
    other.close();
  });
});

describe('an open database', () => {
  it('is in order while other programs come and go', async () => {
    expect(databaseFault(db)).toBeNull();
    await addUser('a@example.test');
    const other = new Sqlite(path);
    other.exec("INSERT INTO metadata VALUES ('other', 'program')");
    other.close();
    expect(databaseFault(db)).toBeNull();
    await expect(addUser('b@example.test')).resolves.toBeDefined();
  });

  it.each(['', '-wal', '-shm'])(
    'writes nothing while its file%s is away, and goes on when it is back',
    async (which) => {
      const file = path + which;
      renameSync(file, `${file}.away`);
      expect(databaseFault(db)).toBe(
        `The file ${file} was deleted or moved while Wardround runs on it. Nothing is checked, sent or saved, because it would be lost: put the file back, or restart Wardround.`,
      );
      await expect(addUser('a@example.test')).rejects.toThrow(DatabaseGoneError);
      renameSync(`${file}.away`, file);
      expect(databaseFault(db)).toBeNull();
      await expect(addUser('a@example.test')).resolves.toBeDefined();
    },
  );

  it.each(['', '-wal', '-shm'])(
    'writes nothing when its file%s is another one, be it the same to the letter',
    async (which) => {
      const file = path + which;
      copyFileSync(file, `${file}.copy`);
      renameSync(`${file}.copy`, file);
      expect(databaseFault(db)).toContain(`The file ${file} was replaced while Wardround runs on it.`);
      await expect(addUser('a@example.test')).rejects.toThrow('was replaced');
    },
  );

  it('is found behind a link, and missed when the link leads elsewhere', async () => {
    db.$client.close();
    const link = join(folder, 'link.db');
    symlinkSync(path, link);
    db = await openDatabase(link, resolve('drizzle'), 'existing');
    expect(databaseFault(db)).toBeNull();
    renameSync(`${path}-wal`, `${path}-wal.away`);
    expect(databaseFault(db)).toContain(`${path}-wal was deleted`);
    renameSync(`${path}-wal.away`, `${path}-wal`);
    rmSync(link);
    symlinkSync(join(folder, 'elsewhere.db'), link);
    expect(databaseFault(db)).toContain('link.db was deleted');
  });

  it('loses nothing to a deleted -wal when it is closed, as a restart does', async () => {
    await addUser('a@example.test');
    rmSync(`${path}-wal`);
    expect(databaseFault(db)).toContain('-wal was deleted');
    db.$client.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    db = await openIt();
    expect(db.select({ email: users.email }).from(users).all()).toEqual([{ email: 'a@example.test' }]);
  });
});
