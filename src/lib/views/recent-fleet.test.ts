import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addWatched, openHistoryApp, type HistoryApp } from '../../../tests/support/history.ts';
import { LOCAL_OPERATOR, type Actor } from '../auth/actor.ts';
import { write, type Durability } from '../db/client.ts';
import { users } from '../db/schema.ts';
import type { FleetList } from './fleet-list.ts';
import { parseFleetQuery } from './fleet-query.ts';
import { recentFleetList } from './recent-fleet.ts';

const NOW = new Date('2026-06-15T12:00:00Z');
const msLater = (ms: number): Date => new Date(NOW.getTime() + ms);

let scratch: HistoryApp;
beforeAll(async () => {
  scratch = await openHistoryApp();
  addWatched(scratch.app, 'a');
});
afterAll(() => scratch.close());

const read = (at: Date, isToBeExact = false, actor: Actor = LOCAL_OPERATOR): FleetList =>
  recentFleetList(scratch.app, actor, parseFleetQuery(new URLSearchParams()), { now: at, isToBeExact });
const rename = (name: string, durability: Durability): Promise<unknown> =>
  write(scratch.app.db, (tx) => tx.update(users).set({ name }).run(), durability);
const nameIn = ({ rows }: FleetList): string | undefined => rows[0]?.customer;

describe('one reading of the fleet for many', () => {
  beforeEach(async () => {
    scratch.app.parts.clear();
    await rename('before', 'at_once');
    read(NOW);
  });

  it('may be a quarter of a second behind the looks of a sweep, and no more', async () => {
    await rename('after', 'with_next');
    expect(nameIn(read(msLater(249)))).toBe('before');
    expect(nameIn(read(msLater(250)))).toBe('after');
  });
  it('is behind nothing where it is to be exact, and is the same as long as nothing has changed', async () => {
    expect(read(msLater(1), true)).toBe(read(msLater(2)));
    await rename('after', 'with_next');
    expect(nameIn(read(msLater(3), true))).toBe('after');
  });
  it('is never behind what somebody has done', async () => {
    await rename('after', 'at_once');
    expect(nameIn(read(msLater(1)))).toBe('after');
  });
  it('is never behind what another process has written', () => {
    const other = new Sqlite(scratch.app.settings.databasePath);
    other.prepare('UPDATE users SET name = ?').run('after');
    other.close();
    expect(nameIn(read(msLater(1)))).toBe('after');
  });
  it('is read anew when the clock was set back', async () => {
    await rename('after', 'with_next');
    expect(nameIn(read(msLater(-1)))).toBe('after');
  });
  it('shows nobody the fleet of somebody else', () => {
    expect(read(NOW).total).toBe(1);
    expect(read(NOW, false, { role: 'customer', userId: 'user-b' }).total).toBe(0);
    expect(read(NOW, false, { role: 'customer', userId: 'user-a' }).total).toBe(1);
  });
});
