import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../db/client.ts';
import { leases } from '../db/schema.ts';
import { acquireLease, holdsLease, LEASE_MS, releaseLease, SELF } from './lease.ts';

const NOW = new Date('2026-06-15T12:00:00Z');
const later = (ms: number): Date => new Date(NOW.getTime() + ms);

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

const holdAs = (other: Partial<typeof leases.$inferInsert>): void => {
  const lease = { holder: 'other', machine: 'elsewhere', pid: 1, acquiredAt: NOW, expiresAt: later(LEASE_MS) };
  db.insert(leases)
    .values({ name: 'monitor', ...lease, ...other })
    .run();
};

describe('a lease', () => {
  it('goes to the first who asks, who may renew and release it', async () => {
    expect(await acquireLease(db, 'monitor', NOW)).toBeNull();
    expect(await acquireLease(db, 'monitor', later(10_000))).toBeNull();
    expect(db.select().from(leases).get()).toMatchObject({ acquiredAt: NOW, expiresAt: later(10_000 + LEASE_MS) });
    expect(db.transaction((tx) => holdsLease(tx, 'monitor'))).toBe(true);
    await releaseLease(db, 'monitor');
    expect(db.select().from(leases).all()).toEqual([]);
  });

  it('stays with another process until it ends, and is not released by a stranger', async () => {
    holdAs({});
    expect(await acquireLease(db, 'monitor', later(LEASE_MS - 1))).toMatchObject({ holder: 'other', pid: 1 });
    await releaseLease(db, 'monitor');
    expect(db.transaction((tx) => holdsLease(tx, 'monitor'))).toBe(false);
    expect(await acquireLease(db, 'monitor', later(LEASE_MS))).toBeNull();
  });

  it('is taken over at once from a process of this machine that is dead', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    await once(child, 'exit');
    holdAs({ machine: SELF.machine, pid: child.pid });
    expect(await acquireLease(db, 'monitor', NOW)).toBeNull();
  });

  it('is not taken from a live process of this machine, nor by the PID of another machine', async () => {
    holdAs({ machine: SELF.machine, pid: process.ppid });
    expect(await acquireLease(db, 'monitor', NOW)).not.toBeNull();
  });

  it('does not last for days because a clock was wrong when it was written', async () => {
    holdAs({ expiresAt: later(5 * 86_400_000) });
    expect(await acquireLease(db, 'monitor', NOW)).toBeNull();
  });
});
