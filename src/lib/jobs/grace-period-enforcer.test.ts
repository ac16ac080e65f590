import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase, type Database } from '../db/client.ts';
import { subscriptions, users } from '../db/schema.ts';
import { listActive } from '../monitoring/fleet.ts';
import { enforceGracePeriod } from './grace-period-enforcer.ts';

const DAY_MS = 86_400_000;
const NOW = new Date('2026-06-15T12:00:00Z');
const RULES = { restartBudget: { maxRestarts: 5, windowMs: 60_000 } };
const daysAgo = (days: number): Date => new Date(NOW.getTime() - days * DAY_MS);

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

const add = (id: string, row: Partial<typeof subscriptions.$inferInsert>): void => {
  db.insert(users)
    .values({ id: `user-${id}`, email: `${id}@example.test` })
    .run();
  db.insert(subscriptions)
    .values({
      id,
      userId: `user-${id}`,
      vpsProvisioned: true,
      provisioningStatus: 'ready',
      vpsIpAddress: '127.0.0.1',
      ...row,
    })
    .run();
};

describe('enforceGracePeriod', () => {
  it('cancels what has been past due for the whole grace period, once, and nothing else', async () => {
    add('paid', { status: 'active' });
    add('day-6', { status: 'past_due', pastDueSince: daysAgo(6.99) });
    add('day-7', { status: 'past_due', pastDueSince: daysAgo(7) });
    add('watched-meanwhile', { status: 'active', pastDueSince: daysAgo(8) });
    add('undated', { status: 'past_due', updatedAt: daysAgo(30) });
    add('undated-fresh', { status: 'past_due', updatedAt: daysAgo(1) });
    add('gone', { status: 'canceled', pastDueSince: daysAgo(90), canceledAt: daysAgo(80) });

    expect((await enforceGracePeriod(db, NOW, 7 * DAY_MS)).toSorted()).toEqual([
      'day-7',
      'undated',
      'watched-meanwhile',
    ]);
    expect(await enforceGracePeriod(db, NOW, 7 * DAY_MS)).toEqual([]);
    const gone = db
      .select()
      .from(subscriptions)
      .all()
      .find((row) => row.id === 'gone');
    expect(gone?.canceledAt).toEqual(daysAgo(80));
  });

  it('takes the VPS out of the sweep', async () => {
    add('watched', { status: 'active', pastDueSince: daysAgo(8) });
    expect(listActive(db, RULES)).toHaveLength(1);
    await enforceGracePeriod(db, NOW, 7 * DAY_MS);
    expect(listActive(db, RULES)).toEqual([]);
  });
});
