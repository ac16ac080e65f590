import { closeSync, fstatSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, write, type Database } from './client.ts';
import { MACHINE } from './process.ts';
import { healthChecks, incidents, leases, metadata, subscriptions, users } from './schema.ts';

let folder: string;
let db: Database;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  db = await openDatabase(join(folder, 'w.db'), resolve('drizzle'), 'server');
});
afterEach(() => {
  db.$client.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('the schema', () => {
  it('has the columns of the contract, with their types and defaults', () => {
    const columns = db.$client.pragma('table_info(health_checks)') as {
      name: string;
      type: string;
      dflt_value: string | null;
    }[];
    const found = Object.fromEntries(columns.map(({ name, type, dflt_value }) => [name, [type, dflt_value]]));
    expect(found).toMatchObject({
      id: ['TEXT', null],
      user_id: ['TEXT', null],
      status: ['TEXT', "'healthy'"],
      consecutive_failures: ['INTEGER', '0'],
      circuit_state: ['TEXT', "'closed'"],
      circuit_opened_at: ['INTEGER', null],
      last_check_at: ['INTEGER', null],
      last_healthy_at: ['INTEGER', null],
      last_failure_at: ['INTEGER', null],
      last_restart_attempt_at: ['INTEGER', null],
      last_notified_down_at: ['INTEGER', null],
      last_notified_up_at: ['INTEGER', null],
      last_error: ['TEXT', null],
      total_checks: ['INTEGER', '0'],
      total_failures: ['INTEGER', '0'],
      total_recoveries: ['INTEGER', '0'],
    });
    expect(Object.keys(found)).toEqual(expect.arrayContaining(['created_at', 'updated_at']));
  });

  it('has one health row a user, which goes with the user', () => {
    db.insert(users).values({ id: 'user-1', email: 'a@example.test' }).run();
    db.insert(healthChecks).values({ userId: 'user-1' }).run();
    expect(() => db.insert(healthChecks).values({ userId: 'user-1' }).run()).toThrow(/UNIQUE/);
    expect(() => db.insert(healthChecks).values({ userId: 'nobody' }).run()).toThrow(/FOREIGN KEY/);
    db.delete(users).run();
    expect(db.select().from(healthChecks).all()).toEqual([]);
  });

  it('reads a cause that another version has stored as unknown', () => {
    db.$client.exec(`
      INSERT INTO users (id, email) VALUES ('user-1', 'a@example.test');
      INSERT INTO health_checks (id, user_id, last_error_code) VALUES ('health-1', 'user-1', 'of_another_version');
      INSERT INTO incidents (id, user_id, vps_id, opened_at, cause, first_error)
        VALUES ('incident-1', 'user-1', 'vps-1', 0, 'of_another_version', '')`);
    expect(db.select().from(healthChecks).get()?.lastErrorCode).toBe('unknown');
    expect(db.select().from(incidents).get()?.cause).toBe('unknown');
    db.update(healthChecks).set({ lastErrorCode: null }).run();
    expect(db.select().from(healthChecks).get()?.lastErrorCode).toBeNull();
  });

  it('stores times as whole milliseconds, also where SQL sets them', () => {
    db.$client.exec("INSERT INTO users (id, email) VALUES ('user-1', 'a@example.test')");
    expect(db.$client.prepare('SELECT typeof(created_at) AS type FROM users').get()).toEqual({ type: 'integer' });
    expect(Math.abs((db.select().from(users).get()?.createdAt.getTime() ?? 0) - Date.now())).toBeLessThan(60_000);
  });

  it('answers the question of the sweep from an index', () => {
    const query = db.select({ id: subscriptions.id }).from(subscriptions).toSQL().sql;
    const plan = db.$client
      .prepare(
        `EXPLAIN QUERY PLAN ${query} WHERE status = 'active' AND vps_provisioned = 1 AND provisioning_status = 'ready'`,
      )
      .all() as { detail: string }[];
    expect(plan[0]?.detail).toContain(
      'subscriptions_active_idx (status=? AND vps_provisioned=? AND provisioning_status=?)',
    );
  });
});

describe('write', () => {
  it('waits for another writer without blocking the process', async () => {
    const other = await openDatabase(join(folder, 'w.db'), resolve('drizzle'), 'server');
    other.$client.exec('BEGIN IMMEDIATE');
    let turns = 0;
    const release = setInterval(() => {
      turns++;
      if (turns === 3) other.$client.exec('COMMIT');
    }, 150);
    await write(db, (tx) => tx.insert(users).values({ email: 'a@example.test' }).run());
    clearInterval(release);
    other.$client.close();
    // The interval could run while `write` was waiting, so the event loop was free.
    expect(turns).toBeGreaterThanOrEqual(3);
    expect(db.select().from(users).all()).toHaveLength(1);
  });

  it('takes the lock before it reads, so that a read-modify-write cannot fail half-way', async () => {
    const other = await openDatabase(join(folder, 'w.db'), resolve('drizzle'), 'server');
    await write(db, (tx) => {
      expect(tx.select().from(users).all()).toEqual([]);
      expect(() => other.insert(users).values({ email: 'b@example.test' }).run()).toThrow(/locked|busy/i);
      tx.insert(users).values({ email: 'a@example.test' }).run();
    });
    other.$client.close();
  });

  it('writes all of it or nothing', async () => {
    const half = write(db, (tx) => {
      tx.insert(users).values({ email: 'a@example.test' }).run();
      throw new Error('in the middle');
    });
    await expect(half).rejects.toThrow('in the middle');
    expect(db.select().from(users).all()).toEqual([]);
  });

  it('waits for the disk, but for what is to outlive a power cut only with the next write that does', async () => {
    const FULL = 2;
    const NORMAL = 1;
    const synchronous = () => db.$client.pragma('synchronous', { simple: true });
    expect(await write(db, synchronous)).toBe(FULL);
    expect(await write(db, synchronous, 'with_next')).toBe(NORMAL);
    expect(synchronous()).toBe(FULL);
    const failing = write(db, () => expect.unreachable('fails'), 'with_next');
    await expect(failing).rejects.toThrow('fails');
    expect(await write(db, synchronous)).toBe(FULL);
  });
});

describe('opening', () => {
  it.each([
    ['lives', 'expects it to have looked already', process.ppid, MACHINE, 20_000],
    ['has died', 'looks itself', 2 ** 22 + 1, MACHINE, 20_000],
    ['was on another machine', 'looks itself', process.ppid, 'elsewhere', 20_000],
    ['has not renewed its lease', 'looks itself', process.ppid, MACHINE, -1],
    ['had the same PID, in a container that was started again', 'looks itself', process.pid, MACHINE, 20_000],
  ])('of a damaged file, when the server that had it open %s: %s', async (_, then, pid, machine, leftMs) => {
    const rows = Array.from({ length: 1_000 }, (_, index) => ({ name: `n${index}`, value: 'x'.repeat(100) }));
    db.insert(metadata).values(rows).run();
    const now = Date.now();
    const lease = { name: 'monitor', holder: 'x', pid, machine } as const;
    db.insert(leases)
      .values({ ...lease, acquiredAt: new Date(now), expiresAt: new Date(now + leftMs) })
      .run();
    db.$client.close();
    const file = openSync(join(folder, 'w.db'), 'r+');
    // A page of the rows above: the last one of the file.
    writeSync(file, Buffer.alloc(4096, 0xff), 0, 4096, fstatSync(file).size - 4096);
    closeSync(file);
    const opening = openDatabase(join(folder, 'w.db'), resolve('drizzle'), 'server');
    if (then === 'looks itself') await expect(opening).rejects.toThrow('is damaged');
    else (await opening).$client.close();
  });

  it('does not read all rows again when there was no migration', async () => {
    db.$client.pragma('foreign_keys = OFF');
    db.insert(healthChecks).values({ userId: 'nobody' }).run();
    db.$client.close();
    db = await openDatabase(join(folder, 'w.db'), resolve('drizzle'), 'server');
    expect(db.$client.pragma('foreign_keys', { simple: true })).toBe(1);
  });
});
