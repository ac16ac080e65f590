import { gt, isNull, or, sql, type SQL } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { contains } from '../db/contains.ts';
import type { Database } from '../db/client.ts';
import { labelled } from '../db/label-store.ts';
import { healthChecks, maintenanceWindows, subscriptions, users, vpsLabels } from '../db/schema.ts';
import { readStrips } from './checks-read.ts';
import { maintenanceAt } from '../monitoring/rules/maintenance.ts';
import { WINDOW_ROWS, type FleetQuery, type FleetSort } from './fleet-query.ts';
import { readVpsByIds, type FleetRow } from './fleet-read.ts';
import { CONDITIONS, FILTERS, type Condition, type Counts, type FleetFilter } from './fleet-words.ts';

/** A row of the list: what it shows, and no more, as thousands of them travel. */
export type FleetListRow = Pick<
  FleetRow,
  | 'id'
  | 'customer'
  | 'host'
  | 'port'
  | 'labels'
  | 'active'
  | 'notReadyWhy'
  | 'maintenanceSince'
  | 'maintenanceUntil'
  | 'healingPausedSince'
  | 'knownUntil'
  | 'status'
  | 'reachable'
  | 'circuitState'
  | 'circuitReason'
  | 'halfOpenAt'
  | 'consecutiveFailures'
  | 'lastCheckAt'
  | 'lastError'
  | 'lastErrorCode'
  | 'startingSince'
  | 'startingUntil'
  | 'authRetryAt'
  | 'lastProbeMs'
> & {
  /** The last 60 checks, a letter each (`STATE_LETTERS`), oldest first. */
  readonly strip: string;
};

/** Part of the list: `rows` are those from `offset` on, of `matching` that the query finds. */
export type FleetWindow = {
  readonly offset: number;
  readonly matching: number;
  readonly rows: readonly FleetListRow[];
};

/** What the query finds of those with one value of the label that the list is grouped by; null: without that label. */
export type FleetGroup = {
  readonly value: string | null;
  readonly counts: { readonly [of in Condition]?: number };
  readonly total: number;
};

/** The whole fleet of this actor counted, and a window of what the query finds. */
export type FleetList = FleetWindow & {
  /** In the order of the list, as far as they are named; empty where it is not grouped. */
  readonly groups: readonly FleetGroup[];
  readonly moreGroups: number;
  readonly counts: Counts;
  readonly total: number;
  /** From when on the counts are others without any change, as what was seen of a VPS is too old then; null: never. */
  readonly countsUntil: Date | null;
};

/** Weekly windows follow the clock of their time zone: that is not for SQL, and these are few. */
export function listMaintained(db: Database, now: Date): string[] {
  const { endsAt } = maintenanceWindows;
  const open = db
    .select()
    .from(maintenanceWindows)
    .where(or(isNull(endsAt), gt(endsAt, now)))
    .all();
  return [...Map.groupBy(open, ({ userId }) => userId)]
    .filter(([, windows]) => maintenanceAt(windows, now) !== null)
    .map(([userId]) => userId);
}

/** As in `knownUntil` of facts/freshness.ts. */
const KNOWN_SINCE = sql`max(${healthChecks.lastCheckAt}, coalesce(${healthChecks.authRetryAt}, 0))`;

/** `conditionOf` of words.ts, for a whole table; a test holds the two together. */
export const conditionIn = (maintained: readonly string[], validMs: number, now: Date): SQL => sql`CASE
  WHEN ${subscriptions.status} = 'active' AND ${subscriptions.provisioningStatus} = 'pending'
       AND ${subscriptions.notReadyWhy} IS NOT NULL THEN 'not_ready'
  WHEN NOT (${subscriptions.status} = 'active' AND ${subscriptions.vpsProvisioned}
            AND ${subscriptions.provisioningStatus} = 'ready') THEN 'not_watched'
  WHEN ${subscriptions.userId} IN (SELECT value FROM json_each(${JSON.stringify(maintained)})) THEN 'maintenance'
  WHEN ${healthChecks.lastCheckAt} IS NULL THEN 'unchecked'
  WHEN ${KNOWN_SINCE} + ${validMs} < ${now.getTime()} OR ${healthChecks.lastCheckAt} - ${validMs} > ${now.getTime()}
    THEN 'unknown'
  WHEN ${healthChecks.status} <> 'circuit_open' THEN ${healthChecks.status}
  WHEN ${healthChecks.reachable} = 0 THEN 'down' ELSE 'unhealthy' END`;

const LABELS = sql`(SELECT group_concat(iif(value = '', name, name || '=' || value), ' ')
  FROM ${vpsLabels} WHERE vps_id = ${subscriptions.id})`;

const matches = (search: string): SQL => {
  if (search === '') return sql`1`;
  const host = subscriptions.vpsIpAddress;
  // As `hostAndPort` says it.
  const address = sql`iif(instr(${host}, ':') > 0, '[' || ${host} || ']', ${host}) || ':' || ${subscriptions.sshPort}`;
  return sql.join(
    [users.name, users.email, address, subscriptions.id, LABELS].map((text) => contains(text, search)),
    sql` OR `,
  );
};

/** The value of the label that the list is grouped by. */
const groupOf = (name: string | null): SQL =>
  name === null
    ? sql`NULL`
    : sql`(SELECT ${vpsLabels.value} FROM ${vpsLabels} WHERE ${vpsLabels.vpsId} = ${subscriptions.id} AND ${vpsLabels.name} = ${name})`;

/** The fleet as one table: `id`, `condition`, `is_open` (its circuit), `matches`, and what it is sorted by. */
const fleetTable = (app: App, actor: Actor, { search, labels, group }: FleetQuery, now: Date): SQL => sql`
  SELECT *, circuit <> 'closed' AND condition IN ('down', 'unhealthy') AS is_open FROM (
  SELECT ${subscriptions.id} AS id, ${subscriptions.createdAt} AS added,
    coalesce(${users.name}, ${users.email}) AS customer,
    ${subscriptions.vpsIpAddress} AS host, ${subscriptions.sshPort} AS port,
    ${healthChecks.lastCheckAt} AS checked, ${KNOWN_SINCE} AS known_since,
    CASE WHEN ${healthChecks.status} <> 'down' THEN ${healthChecks.lastProbeMs} END AS response,
    coalesce(${healthChecks.circuitState}, 'closed') AS circuit,
    ${conditionIn(listMaintained(app.db, now), app.settings.history.sampleValidMs, now)} AS condition,
    ${groupOf(group)} AS part, (${matches(search)}) AND ${labelled(app.db, labels)} AS matches
  FROM ${subscriptions}
  JOIN ${users} ON ${users.id} = ${subscriptions.userId}
  LEFT JOIN ${healthChecks} ON ${healthChecks.userId} = ${subscriptions.userId}
  WHERE ${ownedBy(actor, subscriptions.userId)})`;

const isFoundBy = (filter: FleetFilter | null): SQL => {
  if (filter === null) return sql`1`;
  return filter === 'circuit_open' ? sql`is_open` : sql`condition = ${filter}`;
};

/** `byTrouble` of fleet-words.ts. */
const TROUBLE_RANK = sql`CASE condition ${sql.join(
  CONDITIONS.map((condition, rank) => sql`WHEN ${condition} THEN ${rank}`),
  sql` `,
)} END - is_open * ${CONDITIONS.length}`;

const ORDER: Readonly<Record<FleetSort, readonly [by: SQL, usually: 'ASC' | 'DESC']>> = {
  trouble: [TROUBLE_RANK, 'ASC'],
  customer: [sql`customer COLLATE NOCASE`, 'ASC'],
  host: [sql`host`, 'ASC'],
  checked: [sql`checked`, 'ASC'],
  response: [sql`response`, 'DESC'],
};

function orderOf({ group, sort, reversed }: FleetQuery): SQL {
  const [by, usually] = ORDER[sort];
  const direction = sql.raw((usually === 'ASC') === reversed ? 'DESC' : 'ASC');
  // Where that is equal, as they came; what has no value comes last, either way.
  const parts = group === null ? sql`` : sql`part NULLS LAST, `;
  return sql`${parts}${by} ${direction} NULLS LAST, ${sort === 'host' ? sql`port, ` : sql``}added, id`;
}

const wanted = ({ status }: FleetQuery): SQL => sql`matches AND ${isFoundBy(status)}`;

/** `WINDOW_ROWS` of what the query finds, from this offset on; of `table`, which is `fleetTable`. */
const idsIn = (table: SQL, query: FleetQuery, offset: SQL): SQL => sql`
  SELECT id FROM ${table} WHERE ${wanted(query)} ORDER BY ${orderOf(query)} LIMIT ${WINDOW_ROWS} OFFSET ${offset}`;

/** The rows that the query finds, `WINDOW_ROWS` of them from its offset on. */
export function readFleetRows(app: App, actor: Actor, query: FleetQuery, now: Date): FleetListRow[] {
  const table = sql`(${fleetTable(app, actor, query, now)})`;
  const found = app.db.values<[string]>(idsIn(table, query, sql`${query.offset}`));
  return readListRows(
    app,
    actor,
    found.map(([id]) => id),
    now,
  );
}

function readListRows(app: App, actor: Actor, ids: readonly string[], now: Date): FleetListRow[] {
  const rows = new Map(readVpsByIds(app, actor, ids, now).map((row) => [row.id, row]));
  const strips = readStrips(app, actor, ids, now);
  return ids.flatMap((id) => {
    const row = rows.get(id);
    return row ? [forList(row, strips.get(id) ?? '')] : [];
  });
}

const forList = (row: FleetRow, strip: string): FleetListRow => ({
  id: row.id,
  customer: row.customer,
  host: row.host,
  port: row.port,
  labels: row.labels,
  active: row.active,
  notReadyWhy: row.notReadyWhy,
  maintenanceSince: row.maintenanceSince,
  maintenanceUntil: row.maintenanceUntil,
  healingPausedSince: row.healingPausedSince,
  knownUntil: row.knownUntil,
  status: row.status,
  reachable: row.reachable,
  circuitState: row.circuitState,
  circuitReason: row.circuitReason,
  halfOpenAt: row.halfOpenAt,
  consecutiveFailures: row.consecutiveFailures,
  lastCheckAt: row.lastCheckAt,
  lastError: row.lastError,
  lastErrorCode: row.lastErrorCode,
  startingSince: row.startingSince,
  startingUntil: row.startingUntil,
  authRetryAt: row.authRetryAt,
  lastProbeMs: row.lastProbeMs,
  strip,
});

/** The conditions that a look has to bear out. */
const SEEN: readonly Condition[] = ['healthy', 'unhealthy', 'down'];

type Counted = ['count', Condition, isOpen: number, count: number, matching: number, knownSinceMs: number | null];
type Parted = ['part', value: string | null, Condition, count: number, ...null[]];
type Found = ['row', id: string, ...null[]];

/** A page has no use for more groups than these. */
const MOST_GROUPS = 100;

/**
 * One reading of the fleet page. An offset beyond the end gives the last window. The whole fleet is gone through once, for
 * the counts and for what comes first.
 */
export function readFleetList(app: App, actor: Actor, query: FleetQuery, now: Date): FleetList {
  const last = sql`(SELECT max(count(*) - 1, 0) / ${WINDOW_ROWS} * ${WINDOW_ROWS} FROM fleet WHERE ${wanted(query)})`;
  const offsetOf = query.offset === 0 ? sql`0` : sql`min(${query.offset}, ${last})`;
  const parts = sql`UNION ALL SELECT 'part', part, condition, count(*), NULL, NULL
    FROM fleet WHERE ${wanted(query)} GROUP BY part, condition`;
  const read = app.db.values<Counted | Parted | Found>(sql`
    WITH fleet AS MATERIALIZED (${fleetTable(app, actor, query, now)})
    SELECT 'count', condition, is_open, count(*), sum(matches), min(known_since) FROM fleet GROUP BY condition, is_open
    ${query.group === null ? sql`` : parts}
    UNION ALL SELECT 'row', id, NULL, NULL, NULL, NULL FROM (${idsIn(sql`fleet`, query, offsetOf)})`);
  const counted = read.filter((row) => row[0] === 'count');
  const ids = read.filter((row) => row[0] === 'row').map(([, id]) => id);
  const sum = (filter: FleetFilter | null, of: (count: number, matching: number) => number): number =>
    counted
      .filter(([, condition, isOpen]) => filter === null || (filter === 'circuit_open' ? isOpen : condition === filter))
      .reduce((total, [, , , count, found]) => total + of(count, found), 0);
  const counts = Object.fromEntries(FILTERS.map((filter) => [filter, sum(filter, (count) => count)])) as Counts;
  const oldestMs = counted
    .flatMap(([, condition, , , , ms]) => (SEEN.includes(condition) && ms !== null ? [ms] : []))
    .reduce((least, ms) => Math.min(least, ms), Infinity);
  const matching = sum(query.status, (_, found) => found);
  const lastOffset = Math.max(0, Math.ceil(matching / WINDOW_ROWS) - 1) * WINDOW_ROWS;
  const groups = groupsOf(read.filter((row) => row[0] === 'part'));
  return {
    counts,
    total: sum(null, (count) => count),
    countsUntil: oldestMs === Infinity ? null : new Date(oldestMs + app.settings.history.sampleValidMs),
    matching,
    offset: Math.min(query.offset, lastOffset),
    groups: groups.slice(0, MOST_GROUPS),
    moreGroups: Math.max(0, groups.length - MOST_GROUPS),
    rows: readListRows(app, actor, ids, now),
  };
}

/** Sorted as the list is: by value, and what has none comes last. */
const groupsOf = (rows: readonly Parted[]): FleetGroup[] =>
  [...Map.groupBy(rows, ([, value]) => value)]
    .map(([value, found]) => ({
      value,
      counts: Object.fromEntries(found.map(([, , condition, count]) => [condition, count])),
      total: found.reduce((sum, [, , , count]) => sum + count, 0),
    }))
    .toSorted(
      (a, b) => Number(a.value === null) - Number(b.value === null) || ((a.value ?? '') < (b.value ?? '') ? -1 : 1),
    );

/** The VPSs that the query finds, all of them, in no order; for admins. */
export const findAllIds = (app: App, actor: Actor, query: FleetQuery, now: Date): string[] =>
  app.db
    .values<[string]>(sql`SELECT id FROM (${fleetTable(app, actor, query, now)}) WHERE ${wanted(query)}`)
    .map(([id]) => id);
