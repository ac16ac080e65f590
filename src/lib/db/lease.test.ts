import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Log } from '../log.ts';
import { openDatabase, write, type Database } from './client.ts';
import { isCurrent, LEASE_MS, LEASE_RENEWAL_MS, releaseLease, renewLease, takeLease, type Tenure } from './lease.ts';
import { LeaseKeeper, type HeldLease } from './lease-keeper.ts';
import { MACHINE } from './process.ts';
import { leases } from './schema.ts';

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

const take = (atMs: number, holder = 'me') => takeLease(db, 'monitor', holder, later(atMs));
const taken = async (atMs: number, holder = 'me'): Promise<Tenure> => {
  const tenure = await take(atMs, holder);
  if ('takenBy' in tenure) throw new Error(`taken by ${tenure.takenBy.holder}`);
  return tenure;
};
const mayWrite = (tenure: Tenure): Promise<boolean> => write(db, (tx) => isCurrent(tx, tenure));

describe('a lease', () => {
  it('goes to the first who asks, who may renew and release it', async () => {
    const tenure = await taken(0);
    expect(await renewLease(db, tenure, later(10_000))).toBe(true);
    expect(db.select().from(leases).get()).toMatchObject({ acquiredAt: NOW, expiresAt: later(10_000 + LEASE_MS) });
    expect(await mayWrite(tenure)).toBe(true);
    await releaseLease(db, tenure);
    expect(await mayWrite(tenure)).toBe(false);
    expect(await taken(1, 'another')).toMatchObject({ holder: 'another', term: tenure.term + 1 });
  });

  it('stays with another process until it ends, and is not released by a stranger', async () => {
    holdAs({ term: 4 });
    expect(await take(LEASE_MS - 1)).toMatchObject({ takenBy: { holder: 'other', pid: 1 } });
    await releaseLease(db, { name: 'monitor', holder: 'me', term: 4 });
    expect(await mayWrite({ name: 'monitor', holder: 'me', term: 4 })).toBe(false);
    expect(await taken(LEASE_MS)).toMatchObject({ term: 5 });
  });

  it.each([
    ['another has taken', (other: Tenure) => other],
    ['another has taken and given back', (other: Tenure) => releaseLease(db, other)],
    ['has vanished', () => void db.delete(leases).run()],
  ])('that %s is not regained by a renewal', async (_, meanwhile) => {
    const first = await taken(0);
    await meanwhile(await taken(LEASE_MS, 'another'));
    expect(await renewLease(db, first, later(LEASE_MS + 1))).toBe(false);
    expect(await mayWrite(first)).toBe(false);
  });

  it('lets nothing be written that began before the same holder lost it and took it again', async () => {
    const first = await taken(0);
    await releaseLease(db, await taken(LEASE_MS, 'another'));
    const second = await taken(LEASE_MS + 1);
    expect(await Promise.all([mayWrite(first), mayWrite(second)])).toEqual([false, true]);
  });

  it('is taken over at once from a process of this machine that is dead', async () => {
    const { pid } = spawnSync(process.execPath, ['-e', '']);
    holdAs({ machine: MACHINE, pid });
    expect(await take(0)).toMatchObject({ holder: 'me' });
  });

  it('is not taken from a live process of this machine, nor by the PID of another machine', async () => {
    holdAs({ machine: MACHINE, pid: process.ppid });
    expect(await take(0)).toMatchObject({ takenBy: { holder: 'other' } });
  });

  it('does not last for days because a clock was wrong when it was written', async () => {
    holdAs({ expiresAt: later(5 * 86_400_000) });
    expect(await take(0)).toMatchObject({ holder: 'me' });
  });
});

describe('a keeper', () => {
  const log: Log = { info: () => undefined, error: () => undefined };
  const held = async (keeper: LeaseKeeper): Promise<HeldLease> => {
    const lease = await keeper.hold();
    if ('pid' in lease) throw new Error(`taken by ${lease.pid}`);
    return lease;
  };

  it('shares its lease among several holders, and frees it when the last gives it back', async () => {
    const keeper = new LeaseKeeper(db, 'sweep', log);
    const [one, two] = [await held(keeper), await held(keeper)];
    expect(two.tenure).toEqual(one.tenure);
    await one.release();
    // Giving back twice is giving back once.
    await one.release();
    const other = new LeaseKeeper(db, 'sweep', log);
    expect(await other.hold()).toEqual({ pid: process.pid });
    await two.release();
    expect((await held(other)).tenure.term).toBe(one.tenure.term + 1);
  });

  it('tells its holders when a renewal finds the lease gone, and begins anew under another term', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const keeper = new LeaseKeeper(db, 'sweep', log);
    const first = await held(keeper);
    db.update(leases)
      .set({ holder: 'other', term: first.tenure.term + 1, expiresAt: new Date(0) })
      .run();
    vi.advanceTimersByTime(LEASE_RENEWAL_MS);
    await new Promise((resolve) => first.lost.addEventListener('abort', resolve, { once: true }));
    const second = await held(keeper);
    expect(second.tenure.term).toBe(first.tenure.term + 2);
    await first.release();
    expect(await mayWrite(second.tenure)).toBe(true);
    await second.release();
  });

  it('gives back late what a database in trouble has not let it give back in time', async () => {
    const keeper = new LeaseKeeper(db, 'sweep', log);
    const { tenure, release } = await held(keeper);
    db.$client.exec('ALTER TABLE leases RENAME TO away');
    await expect(release()).rejects.toThrow(/no such table/);
    await expect(keeper.hold()).rejects.toThrow(/no such table/);
    db.$client.exec('ALTER TABLE away RENAME TO leases');
    // Nobody waits until it has run out.
    expect((await held(keeper)).tenure.term).toBe(tenure.term + 1);
  });
});
