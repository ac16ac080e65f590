import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from './client.ts';
import { notifications } from './schema.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-migrations-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** A database as the version knew it whose last migration has this name. */
async function openAt(tag: string) {
  const migrations = join(folder, 'drizzle');
  cpSync(resolve('drizzle'), migrations, { recursive: true });
  const journalFile = join(migrations, 'meta/_journal.json');
  const journal = JSON.parse(readFileSync(journalFile, 'utf8')) as { entries: { tag: string }[] };
  const last = journal.entries.findIndex((entry) => entry.tag === tag);
  expect(last).toBeGreaterThanOrEqual(0);
  writeFileSync(journalFile, JSON.stringify({ ...journal, entries: journal.entries.slice(0, last + 1) }));
  return openDatabase(join(folder, 'w.db'), migrations);
}
const openNow = () => openDatabase(join(folder, 'w.db'), resolve('drizzle'));

describe('a database of an older version', () => {
  it('keeps what was known of broken deliveries, as a column instead of the beginning of a sentence', async () => {
    const before = await openAt('0002_admin_actions');
    before.$client.exec(`
      INSERT INTO users (id, email) VALUES ('user-1', 'a@example.test');
      INSERT INTO notifications (id, kind, audience, recipient_id, channel, dedupe_key, facts, next_attempt_at, created_at, last_error)
      VALUES ('m1', 'down', 'customer', 'user-1', 'email', 'a', '{}', 1, 1, 'may have arrived: the mail server: SOCKET_TIMEOUT'),
             ('m2', 'down', 'customer', 'user-1', 'email', 'b', '{}', 1, 1, 'the mail server said: may have arrived: no'),
             ('m3', 'down', 'customer', 'user-1', 'email', 'c', '{}', 1, 1, NULL)`);
    before.$client.close();
    const now = await openNow();
    expect(now.select().from(notifications).orderBy(notifications.id).all()).toMatchObject([
      { mayHaveArrived: true, lastError: 'the mail server: SOCKET_TIMEOUT' },
      { mayHaveArrived: false, lastError: 'the mail server said: may have arrived: no' },
      { mayHaveArrived: false, lastError: null },
    ]);
    now.$client.close();
  });
});
