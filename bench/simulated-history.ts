// Two years of checks of many VPSs, written at the density that retention leaves, without recording each of them.
import { eq } from 'drizzle-orm';
import type { App } from '../src/lib/app.ts';
import { write, type Database, type Transaction } from '../src/lib/db/client.ts';
import { historySeries, subscriptions, users } from '../src/lib/db/schema.ts';
import { recordSample, settleSeries, type NewSample } from '../src/lib/history/sample-store.ts';
import { BUCKET_MS, RESOLUTIONS, type Resolution, type SampleState } from '../src/lib/history/rules/spans.ts';
import { chance } from './chance.ts';

export const MINUTE_MS = 60_000;
export const DAY_MS = BUCKET_MS.day;
const WEEK_MS = 7 * DAY_MS;
const WEEK_MINUTES = WEEK_MS / MINUTE_MS;
/** Weeks that differ; a VPS lives through one after the other, and each VPS begins with another one. */
const WEEKS = 24;

type Look = { readonly offsetMs: number; readonly state: SampleState; readonly probeMs: number | null };

/** A week of checks a minute apart, give or take the place in the sweep; now and then down, stopped or maintained. */
function simulateWeek(seed: number): Look[] {
  const random = chance(seed);
  const usualMs = 25 + 120 * random();
  let state: SampleState = 'healthy';
  return Array.from({ length: WEEK_MINUTES }, (_, minute) => {
    // Weeks follow each other in any order, so all begin and end alike.
    const atBorder = minute < 5 || minute >= WEEK_MINUTES - 5;
    const luck = random();
    if (atBorder || (state !== 'healthy' && luck < 0.15)) state = 'healthy';
    else if (luck > 0.9995)
      state = (['unhealthy', 'down', 'maintenance', 'unknown'] as const)[Math.floor(random() * 4)] ?? 'down';
    const spread = -Math.log(1 - random() * 0.999);
    return {
      offsetMs: minute * MINUTE_MS + (atBorder ? 0 : Math.floor(random() * 5_000)),
      state,
      probeMs: state === 'down' ? null : Math.round(usualMs * (0.7 + spread * 0.4)),
    };
  });
}

const simulated = Array.from({ length: WEEKS }, (_, index) => simulateWeek(index + 1));
/** Weeks begin with a bucket of every resolution. */
const weekOf = (vps: number, atMs: number): Look[] => simulated[(vps + Math.floor(atMs / WEEK_MS)) % WEEKS] ?? [];
export const userIdOf = (vps: number): string => `user-${vps}`;

/** The checks of a VPS from `fromMs` up to `toMs`, both whole minutes. */
export function* looks(vps: number, fromMs: number, toMs: number): Generator<NewSample> {
  for (let minuteMs = fromMs; minuteMs < toMs; minuteMs += MINUTE_MS) {
    const look = weekOf(vps, minuteMs)[(minuteMs % WEEK_MS) / MINUTE_MS];
    if (look) yield { userId: userIdOf(vps), at: new Date(minuteMs - (minuteMs % WEEK_MS) + look.offsetMs), ...look };
  }
}

export function addFleet({ db }: App, from: number, to: number): void {
  db.$client.transaction(() => {
    for (let vps = from; vps < to; vps++) {
      db.insert(users)
        .values({ id: userIdOf(vps), email: `${vps}@example.test` })
        .run();
      db.insert(subscriptions)
        .values({ id: `vps-${vps}`, userId: userIdOf(vps), vpsProvisioned: true, provisioningStatus: 'ready' })
        .run();
      db.$client.prepare('INSERT INTO history_series (id, user_id) VALUES (?, ?)').run(vps + 1, userIdOf(vps));
    }
  })();
}

/** Moves the recent samples of a VPS, so that the tables hold all of it. */
export function settle(tx: Transaction, userId: string): void {
  const series = tx.select().from(historySeries).where(eq(historySeries.userId, userId)).get();
  if (series) settleSeries(tx, series.id);
}

type RollupRow = { resolution: Resolution; offsetMs: number; upMs: number; downMs: number; probes: string };

/** The roll-ups of each week, as `recordSample` makes them: a week between two others, in a database of its own. */
async function rollUpWeeks(app: App, db: Database): Promise<RollupRow[][]> {
  const weeks: RollupRow[][] = [];
  const validMs = app.settings.history.sampleValidMs;
  for (let vps = 0; vps < WEEKS; vps++) {
    await write(db, (tx) => {
      tx.insert(users)
        .values({ id: userIdOf(vps), email: `${vps}@example.test` })
        .run();
      for (const look of looks(vps, WEEK_MS - 5 * MINUTE_MS, 2 * WEEK_MS + MINUTE_MS)) recordSample(tx, look, validMs);
      settle(tx, userIdOf(vps));
    });
    // Week 1 of this VPS.
    weeks[(vps + 1) % WEEKS] = db.$client
      .prepare(
        `SELECT resolution, starts_at - ${WEEK_MS} AS offsetMs, up_ms AS upMs, down_ms AS downMs, probes
         FROM health_rollups JOIN history_series ON id = series_id
         WHERE user_id = ? AND starts_at >= ${WEEK_MS} AND starts_at < ${2 * WEEK_MS} ORDER BY starts_at`,
      )
      .all(userIdOf(vps)) as RollupRow[];
  }
  return weeks;
}

/**
 * Writes what recording every check from `fromMs` to `toMs` and pruning at `toMs` would have left, for `fleet` VPSs.
 * Both are beginnings of a week. Row by row in the order of time, as they come in reality: a table that is filled VPS
 * by VPS has fuller pages than a real one.
 */
export async function fillHistory(
  app: App,
  scratch: Database,
  fleet: number,
  fromMs: number,
  toMs: number,
): Promise<void> {
  const weeks = await rollUpWeeks(app, scratch);
  const { detailMs, tenMinutesMs, hourlyMs, dailyMs, sampleValidMs } = app.settings.history;
  const client = app.db.$client;
  const addSample = client.prepare('INSERT INTO health_samples VALUES (?, ?, ?, ?)');
  const addRollup = client.prepare('INSERT INTO health_rollups VALUES (?, ?, ?, ?, ?, ?)');
  const keptMs = { '10min': tenMinutesMs, hour: hourlyMs, day: dailyMs };
  for (const resolution of RESOLUTIONS)
    for (let weekMs = fromMs; weekMs < toMs; weekMs += WEEK_MS) {
      const cutMs = toMs - keptMs[resolution] - BUCKET_MS[resolution];
      if (weekMs + WEEK_MS <= cutMs) continue;
      const rows = weeks.map((week) => week.filter((row) => row.resolution === resolution));
      client.transaction(() => {
        for (let bucket = 0; bucket * BUCKET_MS[resolution] < WEEK_MS; bucket++) {
          const startsAt = weekMs + bucket * BUCKET_MS[resolution];
          if (startsAt <= cutMs) continue;
          for (let vps = 0; vps < fleet; vps++) {
            const row = rows[(vps + weekMs / WEEK_MS) % WEEKS]?.[bucket];
            if (row?.offsetMs !== startsAt - weekMs) throw new Error('a bucket of the simulated week is missing');
            // The last check of all stands open.
            const open = startsAt + BUCKET_MS[resolution] === toMs ? MINUTE_MS : 0;
            addRollup.run(vps + 1, resolution, startsAt, row.upMs - open, row.downMs, row.probes);
          }
        }
      })();
    }
  if (sampleValidMs < MINUTE_MS) throw new Error('a check has to stand until the next one');
  for (let minuteMs = toMs - detailMs; minuteMs < toMs; minuteMs += MINUTE_MS)
    client.transaction(() => {
      for (let vps = 0; vps < fleet; vps++)
        for (const { at, state, probeMs } of looks(vps, minuteMs, minuteMs + MINUTE_MS))
          addSample.run(vps + 1, at.getTime(), state, probeMs);
    })();
}

/** All rows of one VPS, as text. */
export const dumpHistory = (db: Database, userId: string): string =>
  JSON.stringify(
    ['health_samples', 'health_rollups'].map((table) =>
      db.$client
        .prepare(`SELECT t.* FROM ${table} t JOIN history_series s ON s.id = t.series_id WHERE s.user_id = ?`)
        .raw()
        .all(userId)
        .map((row) => (row as unknown[]).slice(1)),
    ),
  );
