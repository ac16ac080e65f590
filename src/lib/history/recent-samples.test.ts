import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  addWatched,
  everyMinute,
  openHistoryApp,
  record,
  settleAll,
  type HistoryApp,
} from '../../../tests/support/history.ts';
import { openApp } from '../app.ts';
import { LOCAL_OPERATOR } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { readLastChecks, readStrips } from '../views/checks-read.ts';
import { readProbeDurations } from '../views/probe-read.ts';
import { readDailyBars, readUptime } from '../views/uptime-read.ts';
import { pruneHistory } from './retention.ts';
import { addProbe } from './rules/probe-histogram.ts';
import { closedPieces } from './rules/recent.ts';
import { bucketStart, RESOLUTIONS, type SampleState } from './rules/spans.ts';
import { recordSample, settleSeries, type NewSample } from './sample-store.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-02-27T21:57:00Z');

let history: HistoryApp;
beforeAll(async () => {
  history = await openHistoryApp();
});
afterAll(() => history.close());

let pairs = 0;
/** Two VPSs that live through the same: what the second one's looks come to is moved at once, as all were once. */
const addPair = () => [addWatched(history.app, `kept-${++pairs}`), addWatched(history.app, `moved-${pairs}`)] as const;
type Pair = ReturnType<typeof addPair>;

const seriesOf = (userId: string): number =>
  history.app.db.$client.prepare('SELECT id FROM history_series WHERE user_id = ?').pluck().get(userId) as number;

const recordBoth = (pair: Pair, sample: Omit<NewSample, 'userId'>, validMs: number): Promise<void> =>
  write(history.app.db, (tx) => {
    for (const { userId } of pair) recordSample(tx, { ...sample, userId }, validMs);
    settleSeries(tx, seriesOf(pair[1].userId));
  });

/** Everything that pages and the API read of it. */
function allOf({ vpsId }: Pair[number], now: Date, app = history.app): unknown {
  return {
    uptime: readUptime(app, LOCAL_OPERATOR, vpsId, now),
    bars: readDailyBars(app, LOCAL_OPERATOR, vpsId, now)?.filter(({ uptime }) => uptime !== null),
    checks: readLastChecks(app, LOCAL_OPERATOR, vpsId, now),
    strip: readStrips(app, LOCAL_OPERATOR, [vpsId], now).get(vpsId),
    durations: (['1h', '24h', '7d', '30d'] as const).map((window) =>
      readProbeDurations(app, LOCAL_OPERATOR, { vpsId, window }, now),
    ),
  };
}

const stored = ({ userId }: Pair[number]): unknown =>
  ['health_samples', 'health_rollups'].map((table) =>
    history.app.db.$client
      .prepare(`SELECT * FROM ${table} WHERE series_id = ?`)
      .raw()
      .all(seriesOf(userId))
      .map((row) => (row as unknown[]).slice(1)),
  );

const gapMs = fc.oneof(
  { weight: 12, arbitrary: fc.integer({ min: 50 * SECOND, max: 70 * SECOND }) },
  { weight: 3, arbitrary: fc.integer({ min: 0, max: 4 * MINUTE }) },
  // Whole minutes meet the borders of buckets; 0 is the same millisecond again.
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 10 }).map((minutes) => minutes * MINUTE) },
  { weight: 1, arbitrary: fc.integer({ min: HOUR, max: 3 * DAY }) },
  // The clock was set back: a little, and over what is pruned.
  { weight: 1, arbitrary: fc.integer({ min: -2 * HOUR, max: -1 }) },
  { weight: 1, arbitrary: fc.integer({ min: -3 * DAY, max: -HOUR }) },
);
const look = fc.record({
  kind: fc.constant('look' as const),
  gapMs,
  state: fc.constantFrom<SampleState[]>('healthy', 'healthy', 'healthy', 'unhealthy', 'down', 'maintenance', 'unknown'),
  probeMs: fc.option(fc.integer({ min: 0, max: 20_000 })),
  looks: fc.integer({ min: 1, max: 12 }),
});
const step = fc.oneof(
  { weight: 12, arbitrary: look },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('read' as const), offMs: fc.integer({ min: -HOUR, max: HOUR }) }),
  },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('prune' as const), laterMs: fc.integer({ min: 0, max: DAY }) }),
  },
  // Another schedule: looks stand for longer, or not so long.
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant('schedule' as const), validMs: fc.integer({ min: 30_000, max: HOUR }) }),
  },
);

describe('recent samples', () => {
  it('are read and pruned as if each had been moved at once, whatever clock, schedule and monitor do', async () => {
    let kept = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async (steps) => {
        const { app } = history;
        const pair = addPair();
        let atMs = START;
        let { sampleValidMs: validMs } = app.settings.history;
        const compare = (nowMs: number): void => {
          expect(allOf(pair[0], new Date(nowMs))).toEqual(allOf(pair[1], new Date(nowMs)));
        };
        for (const one of steps)
          if (one.kind === 'look')
            for (let index = 0; index < one.looks; index++) {
              atMs += index === 0 ? one.gapMs : MINUTE;
              await recordBoth(pair, { at: new Date(atMs), state: one.state, probeMs: one.probeMs }, validMs);
            }
          else if (one.kind === 'read') compare(atMs + one.offMs);
          else if (one.kind === 'schedule') validMs = one.validMs;
          else
            await pruneHistory(app.db, new Date(atMs + one.laterMs), {
              ...app.settings.history,
              ...{ detailMs: HOUR, tenMinutesMs: DAY, hourlyMs: 2 * DAY, dailyMs: 4 * DAY },
            });
        compare(atMs + MINUTE);
        kept += app.db.$client.prepare('SELECT count(*) FROM recent_samples').pluck().get() as number;
        await settleAll(app);
        compare(atMs + MINUTE);
        expect(stored(pair[0])).toEqual(stored(pair[1]));
        for (const { userId } of pair)
          app.db.$client.prepare('DELETE FROM history_series WHERE user_id = ?').run(userId);
      }),
      { numRuns: 40 },
    );
    // Half of the runs or more end with some that wait; that fewer than six of forty do is no chance.
    expect(kept).toBeGreaterThan(5);
  }, 60_000);

  it('are no way around the length of a bucket, when the clock goes back over what was pruned', async () => {
    const { app } = history;
    const pair = addPair();
    const midnight = Date.parse('2026-03-02T00:00:00Z');
    const live = async (from: number, to: number, state: SampleState): Promise<void> => {
      for (let minute = from; minute <= to; minute++) {
        await recordBoth(pair, { at: new Date(midnight + minute * MINUTE), state, probeMs: 50 }, 3 * MINUTE);
        const now = new Date(midnight + minute * MINUTE);
        expect(allOf(pair[0], now)).toEqual(allOf(pair[1], now));
      }
    };
    await live(0, 8, 'healthy');
    await settleAll(app);
    await pruneHistory(app.db, new Date(midnight + 8 * MINUTE), { ...app.settings.history, detailMs: SECOND });
    await live(1, 7, 'down');
    await live(9, 30, 'healthy');
  });

  it('do not keep the one before them, which is old', async () => {
    const { app } = history;
    const pair = addPair();
    const sample = { state: 'healthy', probeMs: 50 } as const;
    await recordBoth(pair, { at: new Date(START), ...sample }, MINUTE);
    await recordBoth(pair, { at: new Date(START + 2 * DAY), ...sample }, MINUTE);
    const now = new Date(START + 2 * DAY + MINUTE);
    await pruneHistory(app.db, now, app.settings.history);
    expect(readLastChecks(app, LOCAL_OPERATOR, pair[0].vpsId, now)).toHaveLength(1);
    expect(allOf(pair[0], now)).toEqual(allOf(pair[1], now));
  });

  it('are an hour of them at most, and no more than a row of them may hold', async () => {
    const [{ userId, vpsId }] = addPair();
    const { app } = history;
    const rowOf = (): { took: number; length: number } =>
      app.db.$client
        .prepare(
          'SELECT newest_at - began_at AS took, length(samples) AS length FROM recent_samples WHERE series_id = ?',
        )
        .get(seriesOf(userId)) as { took: number; length: number };
    for (const [everyMs, looks] of [
      [MINUTE, 200],
      [SECOND, 400],
    ] as const)
      for (let look = 0; look < looks; look++) {
        const at = new Date(START + everyMs * look + (everyMs === SECOND ? DAY : 0));
        await write(app.db, (tx) => recordSample(tx, { userId, at, state: 'healthy', probeMs: 12_345 }, 3 * MINUTE));
        expect(rowOf().took).toBeLessThan(HOUR);
        expect(rowOf().length).toBeLessThan(1_030);
      }
    await settleAll(app);
    expect(readLastChecks(app, LOCAL_OPERATOR, vpsId, new Date(START + 2 * DAY))).toHaveLength(60);
    const count = app.db.$client.prepare('SELECT count(*) FROM health_samples WHERE series_id = ?').pluck();
    expect(count.get(seriesOf(userId))).toBe(600);
  });
});

describe('the history of a database from before there were recent samples', () => {
  it('is read as it was, and goes on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'wardround-older-'));
    const older = join(folder, 'drizzle');
    cpSync(resolve('drizzle'), older, { recursive: true });
    const file = join(older, 'meta/_journal.json');
    const journal = JSON.parse(readFileSync(file, 'utf8')) as { entries: { tag: string }[] };
    const entries = journal.entries.slice(0, 1 + journal.entries.findIndex(({ tag }) => tag === '0011_links'));
    writeFileSync(file, JSON.stringify({ ...journal, entries }));
    const open = (migrations: string) =>
      openApp(
        {
          DATABASE_URL: join(folder, 'w.db'),
          ENCRYPTION_KEY_FILE: join(folder, 'key'),
          MIGRATIONS_DIR: migrations,
        },
        'server',
      );

    const [migrated, fresh] = ['migrated', 'fresh'].map((name) => ({ userId: `user-${name}`, vpsId: `vps-${name}` }));
    if (!migrated || !fresh) throw new Error();
    let app = await open(older);
    const states = Array.from({ length: 200 }, (_, minute) => (minute % 50 === 7 ? 'down' : 'healthy') as SampleState);
    const looks = everyMinute(migrated.userId, new Date(START), states);
    const samples = looks.map((one) => ({ ...one, atMs: one.at.getTime() }));
    const { $client } = app.db;
    // With the columns of that version.
    for (const { userId, vpsId } of [migrated, fresh]) {
      $client.prepare('INSERT INTO users (id, email) VALUES (?, ?)').run(userId, `${userId}@example.test`);
      $client.prepare('INSERT INTO subscriptions (id, user_id) VALUES (?, ?)').run(vpsId, userId);
    }
    // As each look left it.
    $client.prepare('INSERT INTO history_series VALUES (1, ?)').run(migrated.userId);
    for (const { atMs, state, probeMs } of samples)
      $client.prepare('INSERT INTO health_samples VALUES (1, ?, ?, ?)').run(atMs, state, probeMs);
    const add = $client.prepare(
      `INSERT INTO health_rollups VALUES (1, ?, ?, ?, ?, '')
       ON CONFLICT DO UPDATE SET up_ms = up_ms + excluded.up_ms, down_ms = down_ms + excluded.down_ms`,
    );
    for (const { resolution, startsAtMs, upMs, downMs } of closedPieces(samples, app.settings.history.sampleValidMs))
      add.run(resolution, startsAtMs, upMs, downMs);
    for (const resolution of RESOLUTIONS)
      for (const [startsAtMs, of] of Map.groupBy(samples, ({ atMs }) => bucketStart(resolution, atMs))) {
        const probes = of.reduce((text, { probeMs }) => (probeMs === null ? text : addProbe(text, probeMs)), '');
        add.run(resolution, startsAtMs, 0, 0);
        $client
          .prepare('UPDATE health_rollups SET probes = ? WHERE resolution = ? AND starts_at = ?')
          .run(probes, resolution, startsAtMs);
      }
    expect($client.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'recent_samples'").get()).toBeUndefined();
    app.close();

    app = await open(resolve('drizzle'));
    await record(
      app,
      looks.map((one) => ({ ...one, userId: fresh.userId })),
    );
    const newestMs = samples.at(-1)?.atMs ?? NaN;
    for (let minute = 0; minute <= 130; minute++) {
      const now = new Date(newestMs + minute * MINUTE);
      if (minute > 0)
        for (const { userId } of [migrated, fresh]) await record(app, everyMinute(userId, now, ['healthy']));
      if (minute < 3 || minute % 13 === 0) expect(allOf(migrated, now, app)).toEqual(allOf(fresh, now, app));
    }
    app.close();
    rmSync(folder, { recursive: true });
  });
});
