import { eq } from 'drizzle-orm';
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
import { LOCAL_OPERATOR } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { users } from '../db/schema.ts';
import { countProbes, parseHistogram } from './rules/probe-histogram.ts';
import { forgetHistory, recordSample, type NewSample } from './sample-store.ts';
import type { Resolution, SampleState } from './rules/spans.ts';
import { readDailyBars, readUptime } from '../views/uptime-read.ts';

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.parse('2026-02-27T21:00:00Z');

let history: HistoryApp;
beforeAll(async () => {
  history = await openHistoryApp();
});
afterAll(() => history.close());

type Rollup = { resolution: Resolution; startsAt: number; upMs: number; downMs: number; probes: string };
async function rollupsOf(userId: string): Promise<Rollup[]> {
  await settleAll(history.app);
  return history.app.db.$client
    .prepare(
      `SELECT resolution, starts_at AS startsAt, up_ms AS upMs, down_ms AS downMs, probes
       FROM health_rollups JOIN history_series ON id = series_id WHERE user_id = ? ORDER BY resolution, starts_at`,
    )
    .all(userId) as Rollup[];
}

let vpsCount = 0;
const addVps = () => addWatched(history.app, `sample-${++vpsCount}`);

type Step = { readonly gapMs: number; readonly state: SampleState; readonly probeMs: number | null };
type Counted = { up: number; down: number };

const isUp: Record<SampleState, boolean | null> = {
  healthy: true,
  unhealthy: false,
  down: false,
  maintenance: null,
  unknown: null,
};

/**
 * The same question, answered by asking for every single second which sample is the last one before it. Every time in
 * it is a whole second.
 */
function countSeconds(
  samples: readonly NewSample[],
  validMs: number,
  untilMs: number,
): (from: number, to: number) => Counted {
  const last = new Map(samples.map((sample) => [sample.at.getTime(), sample.state]));
  const first = Math.min(...last.keys());
  const states: (boolean | null)[] = [];
  let standing: { since: number; state: SampleState } | null = null;
  for (let now = first; now < untilMs; now += SECOND) {
    const state = last.get(now);
    if (state !== undefined) standing = { since: now, state };
    states.push(standing !== null && now < standing.since + validMs ? isUp[standing.state] : null);
  }
  return (from, to) => {
    const within = states.slice(Math.max(0, (from - first) / SECOND), Math.max(0, (to - first) / SECOND));
    return {
      up: within.filter((up) => up === true).length * SECOND,
      down: within.filter((up) => up === false).length * SECOND,
    };
  };
}

const step: fc.Arbitrary<Step> = fc.record({
  gapMs: fc
    .oneof(
      { weight: 8, arbitrary: fc.integer({ min: 50, max: 70 }) },
      { weight: 2, arbitrary: fc.integer({ min: 0, max: 200 }) },
      // The monitor was off.
      { weight: 1, arbitrary: fc.integer({ min: 200, max: 5 * 3600 }) },
      // The clock was set back.
      { weight: 1, arbitrary: fc.integer({ min: -3 * 3600, max: -1 }) },
    )
    .map((seconds) => seconds * SECOND),
  state: fc.constantFrom('healthy', 'healthy', 'healthy', 'unhealthy', 'down', 'maintenance', 'unknown'),
  probeMs: fc.option(fc.integer({ min: 0, max: 20_000 })),
});

describe('recordSample', () => {
  it('keeps roll-ups and uptime equal to a count second by second, whatever the clock and the monitor do', async () => {
    const validMs = history.app.settings.history.sampleValidMs;
    const sequence = fc.array(fc.record({ step, restart: fc.integer({ min: 0, max: 40 }) }), {
      minLength: 1,
      maxLength: 60,
    });
    await fc.assert(
      fc.asyncProperty(sequence, fc.integer({ min: 0, max: 600 }), async (steps, later) => {
        const { userId, vpsId } = addVps();
        const samples: NewSample[] = [];
        let atMs = START;
        for (const {
          step: { gapMs, state, probeMs },
          restart,
        } of steps) {
          atMs += gapMs;
          const sample = { userId, at: new Date(atMs), state, probeMs };
          samples.push(sample);
          await record(history.app, [sample]);
          if (restart === 0) await history.reopen();
        }

        const newestMs = Math.max(...samples.map((sample) => sample.at.getTime()));
        const nowMs = newestMs + later * SECOND;
        const seen = countSeconds(samples, validMs, nowMs);
        const windows = readUptime(history.app, LOCAL_OPERATOR, vpsId, new Date(nowMs));
        const begins = {
          '24h': Math.floor((nowMs - DAY) / (10 * MINUTE)) * 10 * MINUTE,
          '7d': Math.floor((nowMs - 7 * DAY) / HOUR) * HOUR,
          '30d': 0,
          '90d': 0,
        };
        for (const [name, from] of Object.entries(begins) as [keyof typeof begins, number][]) {
          const expected = seen(from, nowMs);
          const found = windows?.[name];
          expect({ up: found?.upMs, down: found?.downMs }).toEqual(expected);
          const known = expected.up + expected.down;
          if (known === 0) expect(found?.uptime).toBeNull();
          else {
            expect(found?.uptime).toBe(expected.up / known);
            expect(found?.uptime).toBeGreaterThanOrEqual(0);
            expect(found?.uptime).toBeLessThanOrEqual(1);
          }
        }
        const bars = readDailyBars(history.app, LOCAL_OPERATOR, vpsId, new Date(nowMs)) ?? [];
        expect(bars).toHaveLength(90);
        expect(bars.at(-1)?.day).toBe(new Date(nowMs).toISOString().slice(0, 10));
        for (const bar of bars) {
          const startsAt = Date.parse(bar.day);
          expect({ up: bar.upMs, down: bar.downMs }).toEqual(seen(startsAt, startsAt + DAY));
        }

        const closed = countSeconds(samples, validMs, newestMs);
        const length: Record<Resolution, number> = { '10min': 10 * MINUTE, hour: HOUR, day: DAY };
        const rollups = await rollupsOf(userId);
        const totals: Record<Resolution, Counted> = {
          '10min': { up: 0, down: 0 },
          hour: { up: 0, down: 0 },
          day: { up: 0, down: 0 },
        };
        for (const { resolution, startsAt, upMs, downMs } of rollups) {
          expect({ up: upMs, down: downMs }).toEqual(closed(startsAt, startsAt + length[resolution]));
          totals[resolution].up += upMs;
          totals[resolution].down += downMs;
        }
        expect(totals['10min']).toEqual(closed(0, newestMs));
        expect(totals.hour).toEqual(totals['10min']);
        expect(totals.day).toEqual(totals['10min']);
        const probed = new Map(samples.map((sample) => [sample.at.getTime(), sample.probeMs]));
        for (const resolution of ['10min', 'hour', 'day'])
          expect(
            rollups
              .filter((row) => row.resolution === resolution)
              .reduce((sum, row) => sum + countProbes(parseHistogram(row.probes)), 0),
          ).toBe([...probed.values()].filter((ms) => ms !== null).length);
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('replaces a sample of the same millisecond, the newest one as well as one in between', async () => {
    const { userId } = addVps();
    const [first, second, third] = everyMinute(userId, new Date(START), ['healthy', 'healthy', 'healthy']);
    if (!first || !second || !third) throw new Error();
    await record(history.app, [first, second, third, { ...second, state: 'down', probeMs: null }]);
    await record(history.app, [{ ...third, state: 'unknown' }]);
    expect((await rollupsOf(userId))[0]).toMatchObject({ upMs: MINUTE, downMs: MINUTE });
    expect(countProbes(parseHistogram((await rollupsOf(userId))[0]?.probes ?? ''))).toBe(2);
  });

  it('never lets a bucket hold more time than it has, when the clock goes back over what was pruned', async () => {
    const { userId } = addVps();
    const hour = everyMinute(userId, new Date(START), Array<SampleState>(61).fill('healthy'));
    await record(history.app, hour);
    history.app.db.$client.prepare('DELETE FROM health_samples').run();
    await record(history.app, everyMinute(userId, new Date(START + 30 * MINUTE), ['down', 'down', 'down']));
    for (const { resolution, upMs, downMs } of await rollupsOf(userId)) {
      expect(upMs).toBeGreaterThanOrEqual(0);
      expect(downMs).toBeGreaterThanOrEqual(0);
      expect(upMs + downMs).toBeLessThanOrEqual({ '10min': 10 * MINUTE, hour: HOUR, day: DAY }[resolution]);
    }
  });

  it('leaves nothing behind when the transaction of the check fails', async () => {
    const { userId } = addVps();
    await record(history.app, everyMinute(userId, new Date(START), ['healthy', 'healthy']));
    const before = await rollupsOf(userId);
    const failed = write(history.app.db, (tx) => {
      recordSample(tx, { userId, at: new Date(START + 2 * MINUTE), state: 'down', probeMs: 5 }, 3 * MINUTE);
      throw new Error('disk full');
    });
    await expect(failed).rejects.toThrow('disk full');
    expect(await rollupsOf(userId)).toEqual(before);
  });
});

describe('forgetHistory', () => {
  it('takes all of one VPS and nothing of another; the next sample begins anew', async () => {
    const [gone, kept] = [addVps(), addVps()];
    for (const { userId } of [gone, kept])
      await record(history.app, everyMinute(userId, new Date(START), Array<SampleState>(30).fill('healthy')));
    const keptBefore = await rollupsOf(kept.userId);
    await write(history.app.db, (tx) => forgetHistory(tx, gone.userId));
    expect(await rollupsOf(gone.userId)).toEqual([]);
    expect(await rollupsOf(kept.userId)).toEqual(keptBefore);
    await record(history.app, everyMinute(gone.userId, new Date(START + DAY), ['healthy', 'healthy']));
    expect(await rollupsOf(gone.userId)).toHaveLength(3);
  });

  it('is what happens when the user is deleted', async () => {
    const { userId } = addVps();
    await record(history.app, everyMinute(userId, new Date(START), ['healthy', 'healthy']));
    const orphans = (): unknown =>
      history.app.db.$client
        .prepare('SELECT count(*) FROM health_samples WHERE series_id NOT IN (SELECT id FROM history_series)')
        .pluck()
        .get();
    history.app.db.delete(users).where(eq(users.id, userId)).run();
    expect(orphans()).toBe(0);
    expect(await rollupsOf(userId)).toEqual([]);
  });
});
