import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addWatched, everyMinute, openHistoryApp, record, type HistoryApp } from '../../../tests/support/history.ts';
import type { App } from '../app.ts';
import { LOCAL_OPERATOR, type Actor } from '../auth/actor.ts';
import { historySeries, incidents, users } from '../db/schema.ts';
import { readLastChecks, readStrips } from './checks-read.ts';
import { readFleetIncidentStats, readIncidentStats } from './incident-stats.ts';
import { RELATIVE_ERROR } from '../history/rules/probe-histogram.ts';
import type { ProbeWindow } from './probe-chart.ts';
import { readProbeDurations } from './probe-read.ts';
import type { SampleState } from '../history/rules/spans.ts';
import { readDailyBars, readUptime } from './uptime-read.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = new Date('2026-06-15T12:00:30Z');
const ago = (ms: number): Date => new Date(NOW.getTime() - ms);

let history: HistoryApp;
let app: App;
/** Checked each minute for 100 minutes, the last 20 s ago: 60 healthy, then 40 as in `LATEST`. */
let checked: { userId: string; vpsId: string };
let neverChecked: typeof checked;
const LATEST = [
  ...Array<SampleState>(20).fill('healthy'),
  ...(['unhealthy', 'down', 'down', 'maintenance', 'unknown'] as const),
  ...Array<SampleState>(15).fill('healthy'),
];

beforeAll(async () => {
  history = await openHistoryApp();
  ({ app } = history);
  checked = addWatched(app, 'checked');
  neverChecked = addWatched(app, 'never-checked');
  const states = [...Array<SampleState>(60).fill('healthy'), ...LATEST];
  await record(app, everyMinute(checked.userId, ago(99 * MINUTE + 20_000), states));
});
afterAll(() => history.close());

const customer = (vps: typeof checked): Actor => ({ role: 'customer', userId: vps.userId });

describe('every read', () => {
  const reads: Record<string, (actor: Actor, vpsId: string) => unknown> = {
    uptime: (actor, id) => readUptime(app, actor, id, NOW),
    'daily bars': (actor, id) => readDailyBars(app, actor, id, NOW),
    'last checks': (actor, id) => readLastChecks(app, actor, id, NOW),
    'probe durations': (actor, vpsId) => readProbeDurations(app, actor, { vpsId, window: '24h' }, NOW),
    'last hour of probes': (actor, vpsId) => readProbeDurations(app, actor, { vpsId, window: '1h' }, NOW),
    incidents: (actor, vpsId) => readIncidentStats(app, actor, { vpsId, days: 30 }, NOW),
    strips: (actor, id) => readStrips(app, actor, [id], NOW).get(id),
  };

  it.each(Object.entries(reads))('of %s is for the owner and for admins, and nobody else', (_, read) => {
    expect(read(customer(checked), checked.vpsId)).toBeDefined();
    expect(read(LOCAL_OPERATOR, checked.vpsId)).toEqual(read(customer(checked), checked.vpsId));
    expect(read(customer(neverChecked), checked.vpsId)).toBeUndefined();
    expect(read(LOCAL_OPERATOR, 'vps-none')).toBeUndefined();
  });

  it('tells of a VPS that was never checked that nothing is known', () => {
    const { vpsId } = neverChecked;
    const unknown = { upMs: 0, downMs: 0, uptime: null };
    expect(readUptime(app, LOCAL_OPERATOR, vpsId, NOW)).toEqual({
      '24h': unknown,
      '7d': unknown,
      '30d': unknown,
      '90d': unknown,
      watchedSince: null,
    });
    expect(readDailyBars(app, LOCAL_OPERATOR, vpsId, NOW)?.every((bar) => bar.uptime === null)).toBe(true);
    expect(readLastChecks(app, LOCAL_OPERATOR, vpsId, NOW)).toEqual([]);
    expect(readProbeDurations(app, LOCAL_OPERATOR, { vpsId, window: '7d' }, NOW)).toMatchObject({ steps: [] });
    expect(readProbeDurations(app, LOCAL_OPERATOR, { vpsId, window: '1h' }, NOW)).toMatchObject({ points: [] });
    expect(readStrips(app, LOCAL_OPERATOR, null, NOW).has(vpsId)).toBe(false);
  });
});

describe('uptime', () => {
  it('includes the time for which the last sample has stood until now, but not beyond its validity', () => {
    const upAt = (now: Date) => readUptime(app, LOCAL_OPERATOR, checked.vpsId, now)?.['24h'];
    const closedMs = 94 * MINUTE;
    expect(upAt(NOW)).toEqual({
      upMs: closedMs + 20_000,
      downMs: 3 * MINUTE,
      uptime: (closedMs + 20_000) / (closedMs + 20_000 + 3 * MINUTE),
    });
    expect(upAt(new Date(NOW.getTime() + HOUR))?.upMs).toBe(closedMs + 3 * MINUTE);
  });
});

describe('since when a VPS is watched', () => {
  const since = (vps: typeof checked) => readUptime(app, LOCAL_OPERATOR, vps.vpsId, NOW)?.watchedSince;

  it('is told to the look, as long as that is kept, then to the hour, then to the day', async () => {
    expect(since(checked)).toEqual(ago(99 * MINUTE + 20_000));
    const vps = addWatched(app, 'old');
    // The roll-ups of the first look are closed by the second one.
    await record(app, [
      ...everyMinute(vps.userId, ago(200 * DAY + 90_000), ['healthy', 'healthy']),
      ...everyMinute(vps.userId, ago(10 * DAY + 90_000), ['healthy', 'healthy']),
      ...everyMinute(vps.userId, ago(HOUR), ['healthy']),
    ]);
    const forget = (table: string, before: Date, where = '') =>
      app.db.$client
        .prepare(
          `DELETE FROM ${table} WHERE series_id = (SELECT id FROM history_series WHERE user_id = ?) ${where} < ?`,
        )
        .run(vps.userId, before.getTime());
    expect(since(vps)).toEqual(ago(200 * DAY + 90_000));
    forget('health_samples', ago(DAY), 'AND at');
    expect(since(vps)).toEqual(new Date('2025-11-27T11:00:00Z'));
    forget('health_rollups', ago(90 * DAY), "AND resolution = 'hour' AND starts_at");
    expect(since(vps)).toEqual(new Date('2025-11-27T00:00:00Z'));
    forget('health_rollups', ago(90 * DAY), "AND resolution = 'day' AND starts_at");
    expect(since(vps)).toEqual(new Date('2026-06-05T11:00:00Z'));
    app.db.delete(users).where(eq(users.id, vps.userId)).run();
  });
});

describe('the windows of uptime', () => {
  it.each([
    ['24h', '10min', '2026-06-14T12:00:00Z', 10 * MINUTE],
    ['7d', 'hour', '2026-06-08T12:00:00Z', HOUR],
    ['30d', 'hour', '2026-05-16T12:00:00Z', HOUR],
    ['90d', 'hour', '2026-03-17T12:00:00Z', HOUR],
  ] as const)(
    'begin with the bucket of their first moment and end with that of now (%s, by %s: %s)',
    (window, resolution, first, lengthMs) => {
      const vps = addWatched(app, `window-${window}`);
      app.db.insert(historySeries).values({ userId: vps.userId }).run();
      const insert = app.db.$client.prepare(
        'INSERT INTO health_rollups SELECT id, ?, ?, 0, ?, ? FROM history_series WHERE user_id = ?',
      );
      const add = (startsAt: Date, downMs: number) =>
        insert.run(resolution, startsAt.getTime(), downMs, '', vps.userId);
      add(new Date(Date.parse(first) - lengthMs), 1);
      add(new Date(first), 10);
      add(new Date(NOW.getTime() - (NOW.getTime() % lengthMs)), 100);
      add(new Date(NOW.getTime() - (NOW.getTime() % lengthMs) + lengthMs), 1_000);
      expect(readUptime(app, LOCAL_OPERATOR, vps.vpsId, NOW)?.[window].downMs).toBe(110);
    },
  );
});

describe('daily bars', () => {
  it('are 90 days in UTC, the last one today', () => {
    const bars = readDailyBars(app, LOCAL_OPERATOR, checked.vpsId, NOW) ?? [];
    expect(bars.map((bar) => bar.day)).toHaveLength(90);
    expect(bars[0]?.day).toBe('2026-03-18');
    expect(bars.at(-1)).toMatchObject({ day: '2026-06-15', upMs: 94 * MINUTE + 20_000, downMs: 3 * MINUTE });
    expect(bars.filter((bar) => bar.uptime !== null)).toHaveLength(1);
  });
});

describe('the last checks', () => {
  it('are the newest 60 of one VPS, oldest first, with time and duration', () => {
    const checks = readLastChecks(app, LOCAL_OPERATOR, checked.vpsId, NOW) ?? [];
    expect(checks.map((check) => check.state)).toEqual([...Array<SampleState>(20).fill('healthy'), ...LATEST]);
    expect(checks.at(-1)).toEqual({ at: ago(20_000), state: 'healthy', probeMs: 50 });
  });

  it('are a letter each in a list of VPSs', () => {
    const strips = readStrips(app, LOCAL_OPERATOR, null, NOW);
    expect([...strips.keys()]).toEqual([checked.vpsId]);
    expect(strips.get(checked.vpsId)).toBe(`${'h'.repeat(40)}uddm?${'h'.repeat(15)}`);
    expect(readStrips(app, LOCAL_OPERATOR, [], NOW).size).toBe(0);
    expect(readStrips(app, LOCAL_OPERATOR, [checked.vpsId, neverChecked.vpsId], NOW).size).toBe(1);
    expect(readStrips(app, customer(neverChecked), null, NOW).size).toBe(0);
  });

  it('leave out what a clock that was wrong has put into the future', () => {
    expect(readLastChecks(app, LOCAL_OPERATOR, checked.vpsId, ago(10 * MINUTE))?.at(-1)?.at).toEqual(
      ago(10 * MINUTE + 20_000),
    );
    expect(readStrips(app, LOCAL_OPERATOR, null, ago(10 * MINUTE)).get(checked.vpsId)).toBe(
      `${'h'.repeat(50)}uddm?${'h'.repeat(5)}`,
    );
  });
});

describe('probe durations', () => {
  it('are single probes over the last hour', () => {
    const found = readProbeDurations(app, LOCAL_OPERATOR, { vpsId: checked.vpsId, window: '1h' }, NOW);
    if (found?.kind !== 'points') throw new Error('points were asked for');
    // From 11:00 on; two checks that found the VPS down have no duration.
    expect(found.points).toHaveLength(60 - 2 + 1);
    expect(found.points.at(-1)).toEqual({ at: ago(20_000), probeMs: 50 });
  });

  it.each<[ProbeWindow, number, number]>([
    ['24h', 10 * MINUTE, 11],
    ['7d', HOUR, 3],
    ['30d', 6 * HOUR, 2],
  ])('over %s are quantiles of steps of %d ms', (window, stepMs, steps) => {
    const found = readProbeDurations(app, LOCAL_OPERATOR, { vpsId: checked.vpsId, window }, NOW);
    if (found?.kind !== 'quantiles') throw new Error('quantiles were asked for');
    expect(found.stepMs).toBe(stepMs);
    expect(found.steps.length).toBe(steps);
    expect(found.steps.reduce((sum, step) => sum + step.probes, 0)).toBe(98);
    for (const { startsAt, p50Ms, p95Ms } of found.steps) {
      expect(startsAt.getTime() % stepMs).toBe(0);
      expect(p50Ms).toBeGreaterThanOrEqual(40 * (1 - RELATIVE_ERROR));
      expect(p95Ms).toBeLessThanOrEqual(100 * (1 + RELATIVE_ERROR));
      expect(p95Ms).toBeGreaterThanOrEqual(p50Ms);
    }
  });
});

describe('incidents', () => {
  it('are counted over a window; the mean time to recovery is of those that recovered in it', () => {
    const owner = { userId: checked.userId, vpsId: checked.vpsId };
    const cause = { cause: 'service_not_active', firstError: 'x' } as const;
    const rows: Partial<typeof incidents.$inferInsert>[] = [
      { openedAt: ago(DAY), endedAt: ago(DAY - 10 * MINUTE), endedBy: 'restart' },
      { openedAt: ago(2 * DAY), endedAt: ago(2 * DAY - 30 * MINUTE), endedBy: 'by_itself' },
      { openedAt: ago(31 * DAY), endedAt: ago(29 * DAY), endedBy: 'by_itself' },
      { openedAt: ago(40 * DAY), endedAt: ago(39 * DAY), endedBy: 'by_itself' },
      { openedAt: ago(3 * DAY), endedAt: ago(2 * DAY), endedBy: 'not_watched' },
      { openedAt: ago(3 * DAY), endedAt: ago(2 * DAY), endedBy: 'restart', vpsId: 'vps-before' },
      { openedAt: ago(HOUR), endedAt: null },
    ];
    for (const row of rows)
      app.db
        .insert(incidents)
        .values({ ...owner, ...cause, openedAt: NOW, ...row })
        .run();
    const stats = readIncidentStats(app, customer(checked), { vpsId: checked.vpsId, days: 30 }, NOW);
    expect(stats).toEqual({
      from: new Date('2026-05-16T12:00:00Z'),
      opened: 4,
      recovered: 3,
      recoveredByRestart: 1,
      meanTimeToRecoveryMs: (10 * MINUTE + 30 * MINUTE + 2 * DAY) / 3,
      open: 1,
    });
    expect(readFleetIncidentStats(app, LOCAL_OPERATOR, 30, NOW)).toEqual(stats);
    expect(readFleetIncidentStats(app, customer(neverChecked), 30, NOW)).toMatchObject({
      opened: 0,
      recovered: 0,
      meanTimeToRecoveryMs: null,
      open: 0,
    });
  });
});
