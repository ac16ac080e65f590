import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database, type Opening } from './client.ts';
import { MACHINE } from './process.ts';
import { healthChecks, leases, notifications } from './schema.ts';

type Entry = { idx: number; version: string; when: number; tag: string; breakpoints: boolean };
type Journal = { entries: Entry[] };

const OURS = resolve('drizzle');
let folder: string;
let path: string;
const open: Database[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  path = join(folder, 'w.db');
});
afterEach(() => {
  for (const db of open.splice(0)) db.$client.close();
  rmSync(folder, { recursive: true, force: true });
});

async function openWith(migrations: string, opening: Opening = 'server'): Promise<Database> {
  const db = await openDatabase(path, migrations, opening);
  open.push(db);
  return db;
}
const closeAll = (): void => {
  for (const db of open.splice(0)) db.$client.close();
};

/** The migrations of another version: ours, and what `change` makes of their journal, with these files besides. */
function version(name: string, change: (entries: Entry[]) => Entry[], files: Record<string, string> = {}): string {
  const dir = join(folder, name);
  cpSync(OURS, dir, { recursive: true });
  const file = join(dir, 'meta/_journal.json');
  const journal = JSON.parse(readFileSync(file, 'utf8')) as Journal;
  writeFileSync(file, JSON.stringify({ ...journal, entries: change(journal.entries) }));
  for (const [tag, sql] of Object.entries(files)) writeFileSync(join(dir, `${tag}.sql`), sql);
  return dir;
}
const last = (entries: readonly Entry[]): number => entries.at(-1)?.when ?? 0;
const oneMore = (tag: string, sql: string): string =>
  version(
    tag,
    (entries) => [...entries, { idx: entries.length, version: '6', when: last(entries) + 1, tag, breakpoints: true }],
    { [tag]: sql },
  );

/** All that is in the file, as SQLite sees it. */
const contentOf = ({ $client }: Database): unknown => [
  $client.prepare('SELECT * FROM sqlite_schema').all(),
  $client.prepare('SELECT * FROM __drizzle_migrations').all(),
  $client.prepare('SELECT * FROM users').all(),
];

describe('a database of a newer version', () => {
  it('is refused, is left as it is, and opens with that version again', async () => {
    const newer = oneMore('9999_newer', 'ALTER TABLE users ADD COLUMN shoe_size integer');
    await openWith(newer);
    closeAll();
    const before = readFileSync(path);
    for (const opening of ['server', 'begin', 'existing'] as const)
      await expect(openWith(OURS, opening)).rejects.toThrow(
        /is of a newer version of Wardround: it has had 1 of its migrations .* Nothing was changed\. Run that version again/,
      );
    expect(readFileSync(path)).toEqual(before);
    await expect(openWith(newer)).resolves.toBeDefined();
  });
});

describe('a migration', () => {
  it('that is dated before the last one applied is an error, and is not skipped', async () => {
    await openWith(OURS);
    closeAll();
    const late = version(
      'late',
      (entries) => [...entries, { idx: 9, version: '6', when: last(entries) - 1, tag: '0009_late', breakpoints: true }],
      { '0009_late': 'CREATE TABLE late (id integer)' },
    );
    await expect(openWith(late)).rejects.toThrow(
      /The migration 0009_late is dated before the last one .* \(\d{4}_\w+\).* Nothing was changed/,
    );
    const db = await openWith(OURS);
    expect(db.$client.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'late'").get()).toBeUndefined();
  });

  it('that fails half-way changes nothing, and says so in the sentence that tells it', async () => {
    const db = await openWith(OURS);
    db.$client.exec("INSERT INTO users (id, email) VALUES ('user-1', 'a@example.test')");
    const before = contentOf(db);
    closeAll();
    const half =
      'CREATE TABLE half (id integer);--> statement-breakpoint\nDELETE FROM users;--> statement-breakpoint\nALTER TABLE nowhere ADD x';
    await expect(openWith(oneMore('0009_half', half))).rejects.toThrow(
      /could not be brought to this version, and nothing was changed: the migration 0009_half failed \(no such table: nowhere\)/,
    );
    expect(contentOf(await openWith(OURS))).toEqual(before);
  });

  it('of a first start that fails leaves no table behind', async () => {
    await expect(openWith(oneMore('0009_bad', 'nonsense'))).rejects.toThrow('nothing was changed');
    const left = new Sqlite(path);
    expect(left.prepare('SELECT name FROM sqlite_schema').all()).toEqual([]);
    left.close();
    await expect(openWith(OURS)).resolves.toBeDefined();
  });

  it('that parts rows from their parents changes nothing', async () => {
    const db = await openWith(OURS);
    db.$client.exec("INSERT INTO users (id, email) VALUES ('user-1', 'a@example.test')");
    db.insert(healthChecks).values({ userId: 'user-1' }).run();
    const before = contentOf(db);
    closeAll();
    await expect(openWith(oneMore('0009_parts', "DELETE FROM users WHERE id = 'user-1'"))).rejects.toThrow(
      /nothing was changed: .* 0009_parts failed \(it leaves 1 rows without their parent, the first in table health_checks\)/,
    );
    expect(contentOf(await openWith(OURS))).toEqual(before);
  });

  it('waits until the server that works with the database is started again, unless it is a server that asks', async () => {
    const db = await openWith(OURS);
    const now = Date.now();
    const lease = { name: 'monitor', holder: 'x', pid: process.ppid, machine: MACHINE } as const;
    db.insert(leases)
      .values({ ...lease, acquiredAt: new Date(now), expiresAt: new Date(now + 20_000) })
      .run();
    closeAll();
    const newer = oneMore('0009_newer', 'ALTER TABLE users ADD COLUMN shoe_size integer');
    for (const opening of ['begin', 'existing'] as const)
      await expect(openWith(newer, opening)).rejects.toThrow(
        `is of an older version of Wardround, and the process ${process.ppid} works with it. Restart the server first`,
      );
    await expect(openWith(newer, 'server')).resolves.toBeDefined();
  });
});

describe('a database whose tables were pushed and not migrated', () => {
  it.each(['DROP TABLE __drizzle_migrations', 'DELETE FROM __drizzle_migrations'])('is refused: %s', async (sql) => {
    const db = await openWith(OURS);
    db.$client.exec(sql);
    closeAll();
    await expect(openWith(OURS)).rejects.toThrow(/no record of its migrations, as "npm run db:push" leaves them/);
  });
});

describe('a database of an older version', () => {
  it('keeps what was known of broken deliveries, as a column instead of the beginning of a sentence', async () => {
    const before = await openWith(
      version('old', (entries) => entries.slice(0, 1 + entries.findIndex(({ tag }) => tag === '0002_admin_actions'))),
    );
    before.$client.exec(`
      INSERT INTO users (id, email) VALUES ('user-1', 'a@example.test');
      INSERT INTO notifications (id, kind, audience, recipient_id, channel, dedupe_key, facts, next_attempt_at, created_at, last_error)
      VALUES ('m1', 'down', 'customer', 'user-1', 'email', 'a', '{}', 1, 1, 'may have arrived: the mail server: SOCKET_TIMEOUT'),
             ('m2', 'down', 'customer', 'user-1', 'email', 'b', '{}', 1, 1, 'the mail server said: may have arrived: no'),
             ('m3', 'down', 'customer', 'user-1', 'email', 'c', '{}', 1, 1, NULL)`);
    closeAll();
    const now = await openWith(OURS);
    expect(now.select().from(notifications).orderBy(notifications.id).all()).toMatchObject([
      { mayHaveArrived: true, lastError: 'the mail server: SOCKET_TIMEOUT' },
      { mayHaveArrived: false, lastError: 'the mail server said: may have arrived: no' },
      { mayHaveArrived: false, lastError: null },
    ]);
  });
});
