import { getTableConfig, SQLiteTable } from 'drizzle-orm/sqlite-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as schema from '../src/lib/db/schema.ts';
import { openBusyApp, type BusyApp } from './support/busy-app.ts';
import { planOf } from './support/statements.ts';

/** With what pages are asked for that have more than one way to be read. */
const SEARCHES: Readonly<Record<string, readonly string[]>> = {
  '/': [
    '',
    '?status=down&q=customer&sort=-customer',
    '?status=circuit_open&sort=host',
    '?sort=checked',
    '?q=nobody',
    '?label=region%3Dfsn1&label=canary&group=region',
  ],
  '/fleet/rows': ['', '?offset=100&sort=customer', '?sort=response', '?sort=host', '?label=region&group=region'],
  '/incidents': [
    ...['', '?page=2', '?vps=:vps', '?state=open', '?state=ended', '?cause=service_not_active', '?cause=unknown'],
    ...['?from=2020-01-01', '?from=2020-01-01&to=2030-01-01', '?state=ended&cause=timeout&from=2020-01-01'],
    ...['?vps=:vps&state=open&cause=service_not_active', '?vps=:vps&from=2020-01-01', '?state=open&to=2030-01-01'],
  ],
  '/incidents/export': ['', '?vps=:vps', '?state=open', '?cause=timeout&from=2020-01-01'],
  '/vps/[id]': ['', '?range=1h', '?range=7d', '?range=30d'],
  '/settings/users': ['', '?q=customer'],
};

/** Tables that hold a few rows however large the fleet and however long ago its first day: all of them may be read. */
const SMALL: Readonly<Record<string, string>> = {
  leases: 'one row for each of three jobs',
  monitor_state: 'one row',
  metadata: 'a row for each of a few facts',
  delivery_troubles: 'what does not get through now',
  ssh_keys: 'a few keys that VPSs share',
  ssh_authorities: 'who signs now, and who does next',
  two_factors: 'admins with a second factor',
  verifications: 'sign-ins that wait for their second factor, for minutes',
};

/** Steps that go through a whole table, or sort, for a reason. One that is not taken any more fails the tests. */
const MEANT: readonly { readonly step: RegExp; readonly of: RegExp; readonly why: string }[] = [
  {
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    of: /"provisioning_status" = \?.* order by "health_checks"."last_check_at" asc/,
    why: 'a sweep looks at every watched VPS, and begins with the one that has waited longest',
  },
  {
    step: /(^| > )(SCAN subscriptions|USE TEMP B-TREE FOR (LAST 3 TERMS OF )?ORDER BY$)/,
    of: /AS is_open FROM \(/,
    why: 'the fleet page counts all VPSs, and its order comes of what is worked out for each of them',
  },
  {
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    of: /where \("subscriptions"."id" in \(\?/,
    why: 'the rows of one window of the fleet',
  },
  { step: /FOR group_concat\(ORDER BY\)$/, of: /AS strip FROM subscriptions/, why: 'the last 60 checks' },
  {
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    of: /from "sessions" where \("sessions"."user_id" = \?/,
    why: 'the sessions of one user',
  },
  {
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    of: /where "incidents"."id" in \(select .* limit \?/,
    why: 'the rows of one page of incidents, which have been found in order along an index',
  },
  { step: /^SCAN incidents$/, of: /^select count\(\*\)/, why: 'what all incidents come to, where no filter is set' },
  {
    step: /^SCAN incidents USING INDEX incidents_opened_idx$/,
    of: /order by "incidents"."opened_at" desc, "incidents"."id" desc limit \?/,
    why: 'a download goes through all of them once, piece by piece, in this order',
  },
  {
    step: /^USE TEMP B-TREE FOR ORDER BY$/,
    of: /and "incidents"."vps_id" = \?\) and .* order by "incidents"."opened_at" desc/,
    why: 'the incidents of one VPS',
  },
  {
    step: /^SCAN users( USING INDEX users_role_idx)?$/,
    of: /"users"."email" LIKE \?/,
    why: 'a search for a part of a word; in order, and for the list no further than its last row',
  },
  {
    step: /^SCAN vps_labels USING COVERING INDEX vps_labels_name_idx$/,
    of: /group by "vps_labels"."name", "vps_labels"."value"/,
    why: 'what the fleet page offers to filter and group by is counted along an index',
  },
  {
    step: /^SCAN (history_series|users USING COVERING INDEX \w+)$/,
    of: /^SELECT id FROM history_series|^SELECT t.id FROM users CROSS JOIN restart_attempts/,
    why: 'pruning comes to each VPS, once an hour, and finds what is old there along an index',
  },
];

const lastPart = (step: string): string => step.split(' > ').at(-1) ?? '';
function isScan(step: string, sql: string): boolean {
  // A search without an index is what SQLite calls to go through all of it for the least or the greatest.
  const [, name = ''] =
    /^(?:SCAN (\w+)|SEARCH (\w+)$)/.exec(lastPart(step))?.filter((part) => part !== undefined) ?? [];
  if (name === '' || name === 'CONSTANT' || /VIRTUAL TABLE|VALUES CLAUSE/.test(step)) return false;
  // A table that the statement itself has made.
  return !(name in SMALL) && !sql.includes(`WITH RECURSIVE ${name}(`) && !sql.includes(`WITH ${name} AS MATERIALIZED`);
}
const isSort = (step: string, sql: string): boolean =>
  /^USE TEMP B-TREE FOR .*ORDER BY/.test(lastPart(step)) &&
  !Object.keys(SMALL).some((name) => sql.includes(`from "${name}"`));

describe('what is sent to the database', () => {
  let busy: BusyApp;
  let plans: { readonly who: string; readonly sql: string; readonly plan: readonly string[] }[];
  beforeAll(async () => {
    busy = await openBusyApp(SEARCHES);
    plans = [...busy.sent].flatMap(([who, statements]) =>
      statements.map((statement) => ({ who, sql: statement.sql, plan: planOf(busy.app.db.$client, statement) })),
    );
  });
  afterAll(() => busy.close());

  it('goes through no table that grows, and sorts none, but for a reason', () => {
    const taken = new Set<unknown>();
    const found = plans.flatMap(({ who, sql, plan }) =>
      plan
        .filter((step) => isScan(step, sql) || isSort(step, sql))
        .filter((step) => {
          const meant = MEANT.filter((one) => one.step.test(step) && one.of.test(sql));
          for (const one of meant) taken.add(one);
          return meant.length === 0;
        })
        .map((step) => `${who}: ${step}: ${sql}`),
    );
    expect([...new Set(found)]).toEqual([]);
    expect(MEANT.filter((one) => !taken.has(one))).toEqual([]);
  });

  it('finds what belongs to a row that is deleted, in every table, along an index', () => {
    const tables = Object.values(schema).filter((one) => one instanceof SQLiteTable);
    const parents = new Set(
      tables.flatMap((table) =>
        getTableConfig(table).foreignKeys.map((key) => getTableConfig(key.reference().foreignTable).name),
      ),
    );
    expect(parents.size).toBeGreaterThan(3);
    for (const parent of parents) {
      const sql = `DELETE FROM ${parent} WHERE rowid = 1`;
      const plan = planOf(busy.app.db.$client, { sql, bound: [] });
      plans.push({ who: 'foreign keys', sql, plan });
      expect({ parent, scans: plan.filter((step) => isScan(step, sql)) }).toEqual({ parent, scans: [] });
    }
  });

  it('uses every index that there is', () => {
    const names = busy.app.db.$client
      // A unique one keeps rows apart, whether or not anything is looked up by it.
      .prepare<[], string>(`SELECT name FROM sqlite_schema WHERE type = 'index' AND sql LIKE 'CREATE INDEX%'`)
      .pluck()
      .all();
    const steps = plans.flatMap(({ plan }) => plan);
    const used = new Set(steps.map((step) => / INDEX (\w+)/.exec(lastPart(step))?.[1]));
    expect(names.length).toBeGreaterThan(20);
    expect(names.filter((name) => !used.has(name))).toEqual([]);
  });
});
