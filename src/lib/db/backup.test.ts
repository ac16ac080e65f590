import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { mountDisk, NO_MOUNT } from '../../../tests/support/mounts.ts';
import { backUp, type CopyOptions } from './backup.ts';
import { openDatabase, write, type Database } from './client.ts';
import { newKeyCheck } from './key-check.ts';
import { leases, metadata, users } from './schema.ts';
import { restore } from './restore.ts';

const KEY = randomBytes(32);
const MIGRATIONS = resolve('drizzle');
const NOW = new Date('2026-11-25T21:04:26.123Z');
const ASIDE = 'w.db.before-restore-2026-11-25T21-04-26.123Z';

let folder: string;
let path: string;
let to: string;
let db: Database;
const children: ChildProcess[] = [];
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  path = join(folder, 'w.db');
  to = join(folder, 'b.db');
  db = await openDatabase(path, MIGRATIONS, 'server');
  await write(db, (tx) => tx.insert(metadata).values(newKeyCheck(KEY)).run());
  await addUser('first@example.test');
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }
  db.$client.close();
  rmSync(folder, { recursive: true, force: true });
});

const addUser = (email: string) => write(db, (tx) => tx.insert(users).values({ email }).run());
const options = (more: Partial<CopyOptions> = {}): CopyOptions => ({
  key: KEY,
  onProgress: () => undefined,
  signal: new AbortController().signal,
  ...more,
});
const takeBackup = (more?: Partial<CopyOptions>) => backUp(path, to, options(more));
const putBack = (from = to, more?: Partial<CopyOptions>) =>
  restore(path, from, { ...options(more), migrationsDir: MIGRATIONS, now: NOW });
/** What is in a database, looked at without changing it. */
function emailsIn(file: string): string[] {
  const client = new Sqlite(file, { readonly: true });
  const emails = client.prepare<[], string>('SELECT email FROM users ORDER BY email').pluck().all();
  client.close();
  return emails;
}
const namesIn = (): string[] => readdirSync(folder).toSorted();

/** Another process that has the database open, after its first line of output. */
async function program(code: string): Promise<ChildProcess> {
  const open = `const db = new (require('better-sqlite3'))(${JSON.stringify(path)}, { timeout: 5000 }); ${code}`;
  const child = spawn(process.execPath, ['-e', open], { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  if (child.stdout) await once(child.stdout, 'data');
  return child;
}
/** Leaves a -wal with what is not yet in the database, as a server that is killed does. */
async function killedWriter(email: string): Promise<void> {
  db.$client.close();
  const insert = `db.exec("INSERT INTO users (id, email) VALUES ('x', '${email}')");`;
  const child = await program(`${insert} console.log('written'); setInterval(() => 0, 1000)`);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(statSync(`${path}-wal`).size).toBeGreaterThan(0);
}

describe('a backup', () => {
  it('is one whole file for this user only, and is never written over another', async () => {
    expect(await takeBackup()).toMatchObject({ vpsCount: 0, lastCheckAt: null, bytes: statSync(to).size });
    expect((statSync(to).mode & 0o777).toString(8)).toBe('600');
    expect(emailsIn(to)).toEqual(['first@example.test']);
    expect(namesIn()).toEqual(['b.db', 'w.db', 'w.db-shm', 'w.db-wal']);
    const before = readFileSync(to);
    await expect(takeBackup()).rejects.toThrow('b.db is there already and is not overwritten');
    expect(readFileSync(to)).toEqual(before);
  });

  it('ends, as of one moment, while another process writes all the time', async () => {
    // More than a step of pages, or it would end before anybody can disturb it.
    db.$client.exec(`
      CREATE TABLE padding (id integer primary key, x);
      WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
      INSERT INTO padding SELECT i, randomblob(2000) FROM n;
      CREATE TABLE pair (a integer, b integer);
      INSERT INTO pair VALUES (0, 0)`);
    await program(`
      const step = db.prepare('UPDATE pair SET a = a + 1, b = b + 1');
      const page = db.prepare('UPDATE padding SET x = randomblob(2000) WHERE id = ?');
      setInterval(() => { step.run(); page.run(1 + Math.floor(Math.random() * 20000)); }, 1);
      console.log('writing');`);
    let steps = 0;
    const written = (): number => db.$client.prepare<[], number>('SELECT a FROM pair').pluck().get() ?? 0;
    let atFirstStep = 0;
    await takeBackup({
      onProgress: () => {
        if (steps++ === 0) atFirstStep = written();
      },
    });
    const copy = new Sqlite(to, { readonly: true });
    const { a, b } = copy.prepare('SELECT a, b FROM pair').get() as { a: number; b: number };
    copy.close();
    expect(a).toBe(b);
    expect(a).toBeLessThanOrEqual(atFirstStep);
    // The other process went on all the while.
    expect(written()).toBeGreaterThan(a);
    expect(steps).toBeGreaterThan(2);
  });

  it('leaves nothing when it is given up', async () => {
    const stop = new AbortController();
    const giveUp = (): void => stop.abort(new Error('given up'));
    await expect(takeBackup({ signal: stop.signal, onProgress: giveUp })).rejects.toThrow('given up');
    expect(namesIn()).toEqual(['w.db', 'w.db-shm', 'w.db-wal']);
  });

  it.each([
    ['with another key', () => takeBackup({ key: randomBytes(32) }), /encryption key is not the one of .*w\.db/],
    ['into a folder that is not there', () => backUp(path, join(folder, 'no/b.db'), options()), /There is no folder/],
    ['of nothing', () => backUp(join(folder, 'no.db'), to, options()), /There is no database at .*no\.db/],
  ])('is not made %s', async (_, take, message) => {
    await expect(take()).rejects.toThrow(message);
    expect(namesIn()).toEqual(['w.db', 'w.db-shm', 'w.db-wal']);
  });

  it('is not made of a damaged database', async () => {
    await write(db, (tx) => {
      for (let index = 0; index < 500; index++)
        tx.insert(users)
          .values({ email: `${index}@example.test` })
          .run();
    });
    db.$client.close();
    const bytes = readFileSync(path);
    bytes.fill(0xa5, bytes.length - 3 * 4096, bytes.length - 4096);
    writeFileSync(path, bytes);
    await expect(takeBackup()).rejects.toThrow(/w\.db is damaged/);
    expect(namesIn()).not.toContain('b.db');
  });

  it('leaves nothing on a disk that is full', async (context) => {
    const disk = mountDisk(200);
    if (disk === null) return context.skip(NO_MOUNT);
    await expect(backUp(path, join(disk.folder, 'b.db'), options())).rejects.toThrow(/disk is full/);
    expect(readdirSync(disk.folder)).toEqual([]);
  });
});

describe('restoring', () => {
  it('brings back what was backed up, beside the -wal of a killed server, and keeps what was there', async () => {
    await takeBackup();
    await killedWriter('later@example.test');
    const report = await putBack();
    expect(report.movedTo).toEqual([ASIDE, `${ASIDE}-wal`, `${ASIDE}-shm`].map((name) => join(folder, name)));
    expect(namesIn()).toEqual(['b.db', 'w.db', ASIDE, `${ASIDE}-shm`, `${ASIDE}-wal`]);
    expect((statSync(path).mode & 0o777).toString(8)).toBe('600');
    db = await openDatabase(path, MIGRATIONS, 'server');
    expect(emailsIn(path)).toEqual(['first@example.test']);
    expect(emailsIn(join(folder, ASIDE))).toEqual(['first@example.test', 'later@example.test']);
  });

  it('leaves the file to the user whose database it was, also when it is root who restores', async (context) => {
    if (process.getuid?.() !== 0) return context.skip('only root can give files away');
    await takeBackup();
    db.$client.close();
    chownSync(path, 4711, 4712);
    await putBack();
    expect(statSync(path)).toMatchObject({ uid: 4711, gid: 4712 });
  });

  it('begins where there is no database, with no -wal of an old one beside it', async () => {
    await takeBackup();
    await killedWriter('later@example.test');
    rmSync(path);
    expect((await putBack()).movedTo).toEqual([`${ASIDE}-wal`, `${ASIDE}-shm`].map((name) => join(folder, name)));
    expect(emailsIn(path)).toEqual(['first@example.test']);
  });

  it('takes a copy that was made with its -wal beside it as a whole', async () => {
    await takeBackup();
    const old = join(folder, 'old');
    await killedWriter('later@example.test');
    for (const suffix of ['', '-wal']) writeFileSync(old + suffix, readFileSync(path + suffix));
    await putBack(old);
    expect(emailsIn(path)).toEqual(['first@example.test', 'later@example.test']);
  });

  it('replaces a database that is too damaged to be opened', async () => {
    await takeBackup();
    db.$client.close();
    writeFileSync(path, 'this is no database any more');
    await putBack();
    expect(emailsIn(path)).toEqual(['first@example.test']);
    expect(readFileSync(join(folder, ASIDE), 'utf8')).toBe('this is no database any more');
  });

  const refusals: [string, () => Promise<unknown>, RegExp][] = [
    ['this process has it open', () => Promise.resolve(), /is in use by another process\. Nothing was changed/],
    [
      'another process does no more than stand by',
      async () => {
        db.$client.close();
        await program("db.prepare('SELECT 1 FROM users').get(); console.log('open'); setInterval(() => 0, 1000)");
      },
      /is in use by another process/,
    ],
    [
      'a server of another machine holds a lease',
      async () => {
        const now = Date.now();
        const lease = { name: 'monitor', holder: 'x', pid: 4711, machine: 'elsewhere' } as const;
        const times = { acquiredAt: new Date(now), expiresAt: new Date(now + 30_000) };
        await write(db, (tx) =>
          tx
            .insert(leases)
            .values({ ...lease, ...times })
            .run(),
        );
        db.$client.close();
      },
      /is in use by the process 4711/,
    ],
  ];
  it.each(refusals)('is refused while %s', async (_, use, message) => {
    await takeBackup();
    await use();
    const before = readFileSync(path);
    await expect(putBack()).rejects.toThrow(message);
    expect(readFileSync(path)).toEqual(before);
    expect(namesIn().filter((name) => !/^[bw]\.db(-wal|-shm)?$/.test(name))).toEqual([]);
  });

  const wrong: [string, () => unknown, RegExp][] = [
    ['that is not there', () => rmSync(to), /There is no backup at .*b\.db/],
    ['that is no database', () => writeFileSync(to, 'notes'.repeat(1_000)), /b\.db is damaged, or no database/],
    [
      'that is damaged',
      () => {
        const bytes = readFileSync(to);
        bytes.fill(0xa5, 4096 * 2, 4096 * 30);
        writeFileSync(to, bytes);
      },
      /b\.db (is damaged|cannot be copied)/,
    ],
    [
      'of another program',
      () => {
        rmSync(to);
        new Sqlite(to).exec('CREATE TABLE songs (title)').close();
      },
      /b\.db is not a database of Wardround/,
    ],
    [
      'of a newer version',
      () => new Sqlite(to).exec("INSERT INTO __drizzle_migrations VALUES (9, 'x', 1e15)").close(),
      /b\.db is of a newer version of Wardround/,
    ],
  ];
  it.each(wrong)('of a backup %s is refused before anything is touched', async (_, spoil, message) => {
    await takeBackup();
    db.$client.close();
    spoil();
    const before = readFileSync(path);
    await expect(putBack()).rejects.toThrow(message);
    expect(readFileSync(path)).toEqual(before);
    expect(namesIn().filter((name) => !/^[bw]\.db(-wal|-shm)?$/.test(name))).toEqual([]);
  });

  it('of a backup with another key is refused, as is the database as its own backup', async () => {
    await takeBackup();
    db.$client.close();
    await expect(putBack(to, { key: randomBytes(32) })).rejects.toThrow(/encryption key is not the one of .*b\.db/);
    await expect(putBack(path)).rejects.toThrow('is the database itself');
    expect(emailsIn(path)).toEqual(['first@example.test']);
  });
});
