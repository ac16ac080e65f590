import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openHistoryApp, record, type HistoryApp } from '../../../tests/support/history.ts';
import { LOCAL_OPERATOR } from '../auth/actor.ts';
import { setLabels } from '../db/label-store.ts';
import { write } from '../db/client.ts';
import { healthChecks, maintenanceWindows, subscriptions, users } from '../db/schema.ts';
import { findAllIds, readFleetList, readFleetRows } from './fleet-list.ts';
import { parseFleetQuery, WINDOW_ROWS } from './fleet-query.ts';
import { findVps, listVps } from './fleet-read.ts';
import { parseLabels } from '../facts/label.ts';
import { readLabelChoices } from './label-read.ts';
import { byTrouble, countFilters, FILTERS, isFoundBy } from './fleet-words.ts';

/** A Monday. */
const NOW = new Date('2026-06-15T12:00:00Z');
const minutesOff = (minutes: number): Date => new Date(NOW.getTime() + minutes * 60_000);

let scratch: HistoryApp;
beforeAll(async () => {
  scratch = await openHistoryApp();
});
afterAll(() => scratch.close());
beforeEach(() => scratch.app.db.delete(users).run());

type Vps = {
  name?: string | null;
  host?: string;
  subscription?: 'active' | 'past_due' | 'canceled';
  provisioned?: boolean;
  provisioning?: 'pending' | 'provisioning' | 'ready' | 'failed';
  /** Null: it has no state. */
  health?: {
    status: 'healthy' | 'unhealthy' | 'down' | 'circuit_open';
    checkedMinutesAgo: number | null;
    loginInMinutes?: number | null;
    reachable?: boolean | null;
    probeMs?: number | null;
  } | null;
  /** Minutes from now. */
  window?: { kind: 'once' | 'until_healthy' | 'weekly'; starts: number; ends: number | null; weekday: number } | null;
};

function add(vpss: readonly Vps[]): void {
  const { db } = scratch.app;
  for (const [index, vps] of vpss.entries()) {
    const userId = `user-${index}`;
    db.insert(users)
      .values({ id: userId, email: `c${index}@example.test`, name: vps.name ?? null })
      .run();
    db.insert(subscriptions)
      .values({
        id: `vps-${index}`,
        userId,
        status: vps.subscription ?? 'active',
        vpsProvisioned: vps.provisioned ?? true,
        provisioningStatus: vps.provisioning ?? 'ready',
        vpsIpAddress: vps.host ?? `10.0.0.${index}`,
        createdAt: new Date(index),
      })
      .run();
    const { health = { status: 'healthy', checkedMinutesAgo: 1 }, window = null } = vps;
    if (health !== null)
      db.insert(healthChecks)
        .values({
          userId,
          status: health.status,
          circuitState: health.status === 'circuit_open' ? 'open' : 'closed',
          reachable: health.reachable ?? null,
          lastProbeMs: health.probeMs ?? null,
          authRetryAt: typeof health.loginInMinutes === 'number' ? minutesOff(health.loginInMinutes) : null,
          lastCheckAt: health.checkedMinutesAgo === null ? null : minutesOff(-health.checkedMinutesAgo),
        })
        .run();
    if (window !== null)
      db.insert(maintenanceWindows)
        .values({
          id: `window-${index}`,
          userId,
          kind: window.kind,
          startsAt: minutesOff(window.starts),
          endsAt: window.ends === null ? null : minutesOff(window.ends),
          ...(window.kind === 'weekly' && {
            weekday: window.weekday,
            startMinute: 11 * 60,
            durationMinutes: 120,
            timeZone: 'UTC',
          }),
          createdBy: 'test',
        })
        .run();
  }
}
const list = (search = '') =>
  readFleetList(scratch.app, LOCAL_OPERATOR, parseFleetQuery(new URLSearchParams(search)), NOW);
const idsOf = (search = ''): string[] => list(search).rows.map(({ id }) => id);

const anyVps = fc.record({
  subscription: fc.constantFrom('active', 'active', 'active', 'past_due', 'canceled'),
  provisioned: fc.constantFrom(true, true, true, false),
  provisioning: fc.constantFrom('ready', 'ready', 'ready', 'pending', 'provisioning', 'failed'),
  health: fc.option(
    fc.record({
      status: fc.constantFrom('healthy', 'unhealthy', 'down', 'circuit_open'),
      reachable: fc.constantFrom(true, false, null),
      checkedMinutesAgo: fc.option(fc.integer({ min: -5, max: 9 }), { freq: 4 }),
      loginInMinutes: fc.option(fc.integer({ min: -9, max: 9 })),
    }),
    { freq: 4 },
  ),
  window: fc.option(
    fc.record({
      kind: fc.constantFrom('once', 'until_healthy', 'weekly'),
      starts: fc.constantFrom(-20_000, -5, 0, 5),
      ends: fc.constantFrom(null, -1, 0, 5),
      weekday: fc.constantFrom(0, 1),
    }),
  ),
});

describe('the list of the fleet', () => {
  it('calls every VPS what words.ts calls it, sorts and counts as words.ts does', () => {
    fc.assert(
      fc.property(fc.array(anyVps, { maxLength: 12 }), (vpss) => {
        add(vpss);
        const all = listVps(scratch.app, LOCAL_OPERATOR, NOW);
        const found = list();
        expect(found.rows.map(({ id }) => id)).toEqual(byTrouble(all, NOW).map(({ id }) => id));
        expect(found.counts).toEqual(countFilters(all, NOW));
        expect(found.total).toBe(vpss.length);
        for (const filter of FILTERS.filter((one) => all.some((row) => isFoundBy(one, row, NOW))))
          expect(idsOf(`?status=${filter}`)).toEqual(
            byTrouble(
              all.filter((row) => isFoundBy(filter, row, NOW)),
              NOW,
            ).map(({ id }) => id),
          );
      }),
      { numRuns: 100, plugins: [fc.afterEach(() => void scratch.app.db.delete(users).run())] },
    );
  });

  it('tells what is unreachable from what is not running behind open circuits, and finds those by themselves', () => {
    const open = (reachable: boolean): Vps => ({ health: { status: 'circuit_open', checkedMinutesAgo: 1, reachable } });
    add([{}, open(true), open(false), { health: { status: 'down', checkedMinutesAgo: 1 } }, open(false)]);
    expect(list().counts).toMatchObject({ healthy: 1, unhealthy: 1, down: 3, circuit_open: 3 });
    expect(idsOf()).toEqual(['vps-2', 'vps-4', 'vps-1', 'vps-3', 'vps-0']);
    expect(idsOf('?status=down')).toEqual(['vps-2', 'vps-4', 'vps-3']);
    expect(idsOf('?status=circuit_open')).toEqual(['vps-2', 'vps-4', 'vps-1']);
    expect(list('?status=circuit_open')).toMatchObject({ matching: 3, total: 5 });
  });

  it('finds a piece of customer, address, host with port or id, whatever its case, and nothing else', () => {
    add([{ name: 'Nordlys AS' }, { name: 'Kestrel 100%', host: '192.0.2.7' }, { name: null }]);
    expect(idsOf('?q=nordLYS')).toEqual(['vps-0']);
    expect(idsOf('?q=c2%40example')).toEqual(['vps-2']);
    expect(idsOf('?q=192.0.2.7:22')).toEqual(['vps-1']);
    expect(idsOf('?q=vps-1')).toEqual(['vps-1']);
    expect(idsOf('?q=100%25')).toEqual(['vps-1']);
    expect(idsOf('?q=_')).toEqual([]);
    expect(list('?q=nord')).toMatchObject({ total: 3, matching: 1, counts: { healthy: 3 } });
    expect(list('?q=nord&status=down')).toMatchObject({ matching: 0, rows: [] });
  });

  it.each(['2001:db8::7', '[2001:db8::7]', '[2001:db8::7]:22'])(
    'finds an IPv6 address by %s, in the search and on the command line',
    (wanted) => {
      add([{ host: '192.0.2.7' }, { host: '2001:db8::7' }]);
      expect(idsOf(`?q=${encodeURIComponent(wanted)}`)).toEqual(['vps-1']);
      expect(findVps(scratch.app, LOCAL_OPERATOR, wanted, NOW).map(({ id }) => id)).toEqual(['vps-1']);
    },
  );

  it('sorts by what is asked, either way, and puts what has no value last', () => {
    const health = (checkedMinutesAgo: number | null, probeMs: number | null, status = 'healthy') =>
      ({ status, checkedMinutesAgo, probeMs }) as NonNullable<Vps['health']>;
    add([
      { name: 'beta', health: health(3, 50) },
      { name: 'Alpha', health: health(null, null) },
      { name: 'gamma', health: health(9, 200) },
      { name: 'Delta', health: health(1, 900, 'down') },
    ]);
    expect(idsOf('?sort=customer')).toEqual(['vps-1', 'vps-0', 'vps-3', 'vps-2']);
    expect(idsOf('?sort=-customer')).toEqual(['vps-2', 'vps-3', 'vps-0', 'vps-1']);
    expect(idsOf('?sort=checked')).toEqual(['vps-2', 'vps-0', 'vps-3', 'vps-1']);
    expect(idsOf('?sort=-checked')).toEqual(['vps-3', 'vps-0', 'vps-2', 'vps-1']);
    expect(idsOf('?sort=response').slice(0, 2)).toEqual(['vps-2', 'vps-0']);
    expect(idsOf('?sort=-response').slice(0, 2)).toEqual(['vps-0', 'vps-2']);
    expect(idsOf('?sort=-host')).toEqual(['vps-3', 'vps-2', 'vps-1', 'vps-0']);
  });

  it('comes in windows that are the whole list side by side, the last one where an offset is too large', () => {
    add(Array.from({ length: 2 * WINDOW_ROWS + 5 }, () => ({})));
    const windows = [0, 1, 2].map((window) => {
      const query = parseFleetQuery(new URLSearchParams({ offset: String(window * WINDOW_ROWS) }));
      return readFleetRows(scratch.app, LOCAL_OPERATOR, query, NOW);
    });
    expect(windows.map(({ length }) => length)).toEqual([WINDOW_ROWS, WINDOW_ROWS, 5]);
    expect(new Set(windows.flat().map(({ id }) => id)).size).toBe(2 * WINDOW_ROWS + 5);
    expect(list('?offset=900000')).toMatchObject({ offset: 2 * WINDOW_ROWS, matching: 2 * WINDOW_ROWS + 5 });
  });

  it('is a customer’s own VPS only, whatever is asked', () => {
    add([{}, {}]);
    const actor = { role: 'customer', userId: 'user-1' } as const;
    const query = parseFleetQuery(new URLSearchParams());
    expect(readFleetList(scratch.app, actor, query, NOW)).toMatchObject({ total: 1, rows: [{ id: 'vps-1' }] });
  });

  it('has the last checks of each row', async () => {
    add([{}, {}]);
    await record(scratch.app, [
      { userId: 'user-1', at: minutesOff(-2), state: 'healthy', probeMs: 40 },
      { userId: 'user-1', at: minutesOff(-1), state: 'down', probeMs: null },
    ]);
    expect(list().rows.map(({ strip }) => strip)).toEqual(['', 'hd']);
  });
});

describe('labels', () => {
  const label = (index: number, text: string): Promise<boolean> =>
    write(scratch.app.db, (tx) => setLabels(tx, `vps-${index}`, parseLabels(text) ?? []));
  beforeEach(async () => {
    add([{}, { health: { status: 'down', checkedMinutesAgo: 1 } }, {}, {}]);
    await label(0, 'region=nbg1, canary');
    await label(1, 'region=fsn1, canary');
    await label(2, 'region=fsn1');
  });

  it.each([
    ['?label=region=fsn1', ['vps-1', 'vps-2']],
    ['?label=region', ['vps-1', 'vps-0', 'vps-2']],
    ['?label=canary&label=region=nbg1', ['vps-0']],
    ['?label=canary&status=down', ['vps-1']],
    ['?label=nothing', []],
    ['?q=region=f', ['vps-1', 'vps-2']],
    ['?q=cana&label=region=nbg1', ['vps-0']],
  ])('%s finds %j, as the page, the rows that follow and the command line say it', (search, ids) => {
    const query = parseFleetQuery(new URLSearchParams(search));
    expect(idsOf(search)).toEqual(ids);
    expect(list(search).matching).toBe(ids.length);
    expect(readFleetRows(scratch.app, LOCAL_OPERATOR, query, NOW).map(({ id }) => id)).toEqual(ids);
    expect(findAllIds(scratch.app, LOCAL_OPERATOR, query, NOW).toSorted()).toEqual(ids.toSorted());
    if (query.search === '' && query.status === null)
      expect(listVps(scratch.app, LOCAL_OPERATOR, NOW, query.labels).map(({ id }) => id)).toEqual(ids.toSorted());
  });

  it('part the list: by value, trouble first in each, and what has none comes last', () => {
    expect(list('?group=region')).toMatchObject({
      groups: [
        { value: 'fsn1', counts: { down: 1, healthy: 1 }, total: 2 },
        { value: 'nbg1', counts: { healthy: 1 }, total: 1 },
        { value: null, counts: { healthy: 1 }, total: 1 },
      ],
      matching: 4,
    });
    expect(idsOf('?group=region')).toEqual(['vps-1', 'vps-2', 'vps-0', 'vps-3']);
    expect(list('?group=region&label=canary').groups.map(({ value, total }) => [value, total])).toEqual([
      ['fsn1', 1],
      ['nbg1', 1],
    ]);
    expect(list().groups).toEqual([]);
  });

  it('are offered to choose from with their numbers, and a name alone where it has too many values', async () => {
    for (let index = 10; index < 55; index++)
      scratch.app.db
        .insert(users)
        .values({ id: `user-${index}`, email: `l${index}@example.test` })
        .run();
    for (let index = 10; index < 55; index++) {
      scratch.app.db
        .insert(subscriptions)
        .values({ id: `vps-${index}`, userId: `user-${index}`, vpsIpAddress: `10.1.0.${index}` })
        .run();
      await label(index, `serial=${index}`);
    }
    expect(readLabelChoices(scratch.app, LOCAL_OPERATOR)).toEqual([
      { name: 'canary', count: 2, values: [{ value: '', count: 2 }] },
      {
        name: 'region',
        count: 3,
        values: [
          { value: 'fsn1', count: 2 },
          { value: 'nbg1', count: 1 },
        ],
      },
      { name: 'serial', count: 45, values: null },
    ]);
    expect(readLabelChoices(scratch.app, { role: 'customer', userId: 'user-0' })).toEqual([]);
  });

  it('are nothing for the customer', () => {
    expect(list().rows.find(({ id }) => id === 'vps-0')?.labels).toEqual(['canary', 'region=nbg1']);
    expect(listVps(scratch.app, { role: 'customer', userId: 'user-0' }, NOW)[0]?.labels).toEqual([]);
  });
});
