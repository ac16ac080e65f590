import { and, gt, isNull, lte, or, sql, type SQL } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { contains } from '../db/contains.ts';
import type { Database } from '../db/client.ts';
import { healthChecks, maintenanceWindows, subscriptions, users } from '../db/schema.ts';
import { readStrips } from './checks-read.ts';
import { maintenanceAt } from '../monitoring/rules/maintenance.ts';
import { WINDOW_ROWS, type FleetQuery, type FleetSort } from './fleet-query.ts';
import { readVpsByIds, type FleetRow } from './fleet-read.ts';
import { CONDITIONS, type Condition, type Counts } from './fleet-words.ts';

/** A row of the list: what it shows, and no more, as thousands of them travel. */
export type FleetListRow = Pick<
  FleetRow,
  | 'id'
  | 'customer'
  | 'host'
  | 'port'
  | 'active'
  | 'maintenanceSince'
  | 'maintenanceUntil'
  | 'healingPausedSince'
  | 'status'
  | 'circuitState'
  | 'circuitReason'
  | 'halfOpenAt'
  | 'consecutiveFailures'
  | 'lastCheckAt'
  | 'lastError'
  | 'authRetryAt'
  | 'lastProbeMs'
> & {
  /** The last 60 checks, a letter each (`STRIP_LETTERS`), oldest first. */
  readonly strip: string;
};

/** Part of the list: `rows` are those from `offset` on, of `matching` that the query finds. */
export type FleetWindow = {
  readonly offset: number;
  readonly matching: number;
  readonly rows: readonly FleetListRow[];
};

/** The whole fleet of this actor counted, and a window of what the query finds. */
export type FleetList = FleetWindow & { readonly counts: Counts; readonly total: number };

/** Weekly windows follow the clock of their time zone: that is not for SQL, and these are few. */
function listMaintained(db: Database, now: Date): string[] {
  const { startsAt, endsAt } = maintenanceWindows;
  const open = db
    .select()
    .from(maintenanceWindows)
    .where(and(lte(startsAt, now), or(isNull(endsAt), gt(endsAt, now))))
    .all();
  return [...Map.groupBy(open, ({ userId }) => userId)]
    .filter(([, windows]) => maintenanceAt(windows, now) !== null)
    .map(([userId]) => userId);
}

/** `conditionOf` of words.ts, for a whole table; a test holds the two together. */
const conditionIn = (maintained: readonly string[]): SQL => sql`CASE
  WHEN NOT (${subscriptions.status} = 'active' AND ${subscriptions.vpsProvisioned}
            AND ${subscriptions.provisioningStatus} = 'ready') THEN 'not_watched'
  WHEN ${subscriptions.userId} IN (SELECT value FROM json_each(${JSON.stringify(maintained)})) THEN 'maintenance'
  WHEN ${healthChecks.lastCheckAt} IS NULL THEN 'unchecked'
  ELSE ${healthChecks.status} END`;

const matches = (search: string): SQL => {
  if (search === '') return sql`1`;
  const host = subscriptions.vpsIpAddress;
  // As `hostAndPort` says it.
  const address = sql`iif(instr(${host}, ':') > 0, '[' || ${host} || ']', ${host}) || ':' || ${subscriptions.sshPort}`;
  return sql.join(
    [users.name, users.email, address, subscriptions.id].map((text) => contains(text, search)),
    sql` OR `,
  );
};

/** The fleet as one table: `id`, `condition`, `matches`, and what it is sorted by. */
const fleetTable = (app: App, actor: Actor, { search }: FleetQuery, now: Date): SQL => sql`
  SELECT ${subscriptions.id} AS id, ${subscriptions.createdAt} AS added,
    coalesce(${users.name}, ${users.email}) AS customer,
    ${subscriptions.vpsIpAddress} AS host, ${subscriptions.sshPort} AS port,
    ${healthChecks.lastCheckAt} AS checked,
    CASE WHEN ${healthChecks.status} <> 'down' THEN ${healthChecks.lastProbeMs} END AS response,
    ${conditionIn(listMaintained(app.db, now))} AS condition,
    ${matches(search)} AS matches
  FROM ${subscriptions}
  JOIN ${users} ON ${users.id} = ${subscriptions.userId}
  LEFT JOIN ${healthChecks} ON ${healthChecks.userId} = ${subscriptions.userId}
  WHERE ${ownedBy(actor, subscriptions.userId)}`;

const TROUBLE_RANK = sql`CASE condition ${sql.join(
  CONDITIONS.map((condition, rank) => sql`WHEN ${condition} THEN ${rank}`),
  sql` `,
)} END`;

const ORDER: Readonly<Record<FleetSort, readonly [by: SQL, usually: 'ASC' | 'DESC']>> = {
  trouble: [TROUBLE_RANK, 'ASC'],
  customer: [sql`customer COLLATE NOCASE`, 'ASC'],
  host: [sql`host`, 'ASC'],
  checked: [sql`checked`, 'ASC'],
  response: [sql`response`, 'DESC'],
};

function orderOf({ sort, reversed }: FleetQuery): SQL {
  const [by, usually] = ORDER[sort];
  const direction = sql.raw((usually === 'ASC') === reversed ? 'DESC' : 'ASC');
  // Where that is equal, as they came; what has no value comes last, either way.
  return sql`${by} ${direction} NULLS LAST, ${sort === 'host' ? sql`port, ` : sql``}added, id`;
}

/** The rows that the query finds, `WINDOW_ROWS` of them from its offset on. */
export function readFleetRows(app: App, actor: Actor, query: FleetQuery, now: Date): FleetListRow[] {
  const found = app.db.values<[string]>(sql`
    SELECT id FROM (${fleetTable(app, actor, query, now)})
    WHERE matches AND ${query.status === null ? sql`1` : sql`condition = ${query.status}`}
    ORDER BY ${orderOf(query)} LIMIT ${WINDOW_ROWS} OFFSET ${query.offset}`);
  const ids = found.map(([id]) => id);
  const rows = new Map(readVpsByIds(app, actor, ids, now).map((row) => [row.id, row]));
  const strips = readStrips(app, actor, ids, now);
  return ids.flatMap((id) => {
    const row = rows.get(id);
    return row ? [forList(row, strips.get(id)?.states ?? '')] : [];
  });
}

const forList = (row: FleetRow, strip: string): FleetListRow => ({
  id: row.id,
  customer: row.customer,
  host: row.host,
  port: row.port,
  active: row.active,
  maintenanceSince: row.maintenanceSince,
  maintenanceUntil: row.maintenanceUntil,
  healingPausedSince: row.healingPausedSince,
  status: row.status,
  circuitState: row.circuitState,
  circuitReason: row.circuitReason,
  halfOpenAt: row.halfOpenAt,
  consecutiveFailures: row.consecutiveFailures,
  lastCheckAt: row.lastCheckAt,
  lastError: row.lastError,
  authRetryAt: row.authRetryAt,
  lastProbeMs: row.lastProbeMs,
  strip,
});

/** One reading of the fleet page. An offset beyond the end gives the last window. */
export function readFleetList(app: App, actor: Actor, query: FleetQuery, now: Date): FleetList {
  const counted = app.db.values<[Condition, number, number]>(sql`
    SELECT condition, count(*), sum(matches) FROM (${fleetTable(app, actor, query, now)}) GROUP BY condition`);
  const counts = Object.fromEntries(CONDITIONS.map((condition) => [condition, 0])) as Record<Condition, number>;
  for (const [condition, count] of counted) counts[condition] = count;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const matching = sum(
    counted.flatMap(([condition, , found]) => (query.status === null || query.status === condition ? [found] : [])),
  );
  const lastOffset = Math.max(0, Math.ceil(matching / WINDOW_ROWS) - 1) * WINDOW_ROWS;
  const offset = Math.min(query.offset, lastOffset);
  return {
    counts,
    total: sum(Object.values(counts)),
    matching,
    offset,
    rows: readFleetRows(app, actor, { ...query, offset }, now),
  };
}
