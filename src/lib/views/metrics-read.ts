import { min, count, inArray, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { filesOf, realPath, sizeOf } from '../db/files.ts';
import { healthChecks, notifications, subscriptions } from '../db/schema.ts';
import { CLOCK_SLACK_MS } from '../facts/clock-jump.ts';
import type { LinkKind } from '../facts/link.ts';
import { CHANNEL_NAMES, type ChannelName } from '../facts/message.ts';
import { monitorStatus, type MonitorStatus } from '../monitoring/health-checker.ts';
import { linksOf } from '../monitoring/links.ts';
import { readMonitorState } from '../monitoring/monitor-state.ts';
import { conditionIn, listMaintained } from './fleet-list.ts';
import type { Condition } from './fleet-words.ts';
import { readWatch } from './watch-read.ts';

/** What `/metrics` tells of how things are, at one moment. Counts alone: nothing by which a customer could be known. */
export type MetricsState = {
  readonly vpss: readonly {
    readonly state: Condition;
    readonly circuit: 'closed' | 'open' | 'half_open';
    readonly count: number;
  }[];
  readonly outbox: readonly {
    readonly channel: ChannelName;
    readonly waiting: number;
    /** 0 where nothing waits. */
    readonly oldestMs: number;
  }[];
  readonly role: MonitorStatus['role'];
  readonly skippedSweeps: number;
  /** Since the last completed sweep has ended; null: nobody knows of one. */
  readonly lastSweepAgeMs: number | null;
  /** For so long it says how the fleet is. */
  readonly sweepValidMs: number;
  readonly healing: 'on' | 'off' | 'paused';
  readonly outage: boolean;
  readonly openLinks: Readonly<Record<LinkKind, number>>;
  readonly databaseBytes: { readonly main: number; readonly wal: number };
};

export function readMetrics(app: App, now: Date): MetricsState {
  const own = monitorStatus(app);
  const { healing, outageSince } = readMonitorState(app.db);
  const { sweptAt, validMs } = readWatch(app, own, now);
  const [main, wal] = filesOf(realPath(app.settings.databasePath));
  return {
    vpss: readFleet(app, now),
    outbox: readOutbox(app, now),
    role: own.role,
    skippedSweeps: own.skippedSweeps,
    lastSweepAgeMs: sweptAt === null ? null : Math.max(0, now.getTime() - sweptAt.getTime()),
    sweepValidMs: validMs,
    healing,
    outage: outageSince !== null,
    openLinks: linksOf(app).open,
    databaseBytes: { main: sizeOf(main), wal: sizeOf(wal) },
  };
}

function readFleet({ db, settings }: App, now: Date): MetricsState['vpss'] {
  const cooledBefore = now.getTime() - settings.breaker.cooldownMs;
  // As `getEffectiveCircuitState` says it, for a whole table.
  const circuit = sql`CASE WHEN ${healthChecks.circuitState} = 'open'
      AND (${healthChecks.circuitOpenedAt} <= ${cooledBefore} OR ${healthChecks.circuitOpenedAt} > ${now.getTime() + CLOCK_SLACK_MS}) THEN 'half_open'
    ELSE coalesce(${healthChecks.circuitState}, 'closed') END`;
  return db
    .values<[Condition, MetricsState['vpss'][number]['circuit'], number]>(
      sql`SELECT condition, circuit, count(*) FROM (
        SELECT ${conditionIn(listMaintained(db, now), settings.history.sampleValidMs, now)} AS condition, ${circuit} AS circuit
        FROM ${subscriptions} LEFT JOIN ${healthChecks} ON ${healthChecks.userId} = ${subscriptions.userId})
      GROUP BY condition, circuit`,
    )
    .map(([state, of, vpss]) => ({ state, circuit: of, count: vpss }));
}

function readOutbox({ db }: App, now: Date): MetricsState['outbox'] {
  const rows = db
    .select({ channel: notifications.channel, waiting: count(), oldest: min(notifications.createdAt) })
    .from(notifications)
    .where(inArray(notifications.status, ['pending', 'sending']))
    .groupBy(notifications.channel)
    .all();
  return CHANNEL_NAMES.map((channel) => {
    const row = rows.find((one) => one.channel === channel);
    const since = row?.oldest ?? now;
    return { channel, waiting: row?.waiting ?? 0, oldestMs: Math.max(0, now.getTime() - since.getTime()) };
  });
}
