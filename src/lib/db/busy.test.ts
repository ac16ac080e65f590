import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { whilePersonWaits } from './busy.ts';
import { openDatabase, write, type Database } from './client.ts';
import { users } from './schema.ts';
import { databaseTrouble } from './trouble.ts';

let folder: string;
let db: Database;
let other: Sqlite.Database;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  db = await openDatabase(join(folder, 'w.db'), resolve('drizzle'), 'server');
  other = new Sqlite(join(folder, 'w.db'));
});
afterEach(() => {
  other.close();
  db.$client.close();
  rmSync(folder, { recursive: true, force: true });
});

const addUser = (email: string) => write(db, (tx) => tx.insert(users).values({ email }).run());

describe('a locked database', () => {
  it('is told soon where a person waits, and waited for in the background, also by what a person has begun', async () => {
    other.exec('BEGIN IMMEDIATE');
    const job = addUser('job@example.test');
    const begun = whilePersonWaits(() => Promise.resolve({ goesOn: addUser('begun@example.test') }));
    const awaited = whilePersonWaits(() => addUser('awaited@example.test'));
    await expect(awaited).rejects.toSatisfy((error) => databaseTrouble(error)?.kind === 'busy');
    // The other two were there before, and have waited for longer than that.
    other.exec('COMMIT');
    await job;
    await (
      await begun
    ).goesOn;
    expect(db.select({ email: users.email }).from(users).orderBy(users.email).all()).toEqual([
      { email: 'begun@example.test' },
      { email: 'job@example.test' },
    ]);
  });
});
