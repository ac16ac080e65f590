import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addWatched,
  everyMinute,
  openHistoryApp,
  record,
  settleAll,
  type HistoryApp,
} from '../../../tests/support/history.ts';
import type { App } from '../app.ts';
import type { Database } from '../db/client.ts';
import {
  healthEvents,
  healthRollups,
  healthSamples,
  incidents,
  notifications,
  restartAttempts,
  restartEvidence,
  type NotificationRow,
} from '../db/schema.ts';
import { CHUNK_ROWS, pruneHistory, startHistoryRetention } from './retention.ts';
import type { SampleState } from './rules/spans.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const NOW = new Date('2026-06-15T12:17:00Z');
const ago = (ms: number): Date => new Date(NOW.getTime() - ms);

let history: HistoryApp;
let app: App;
let userId: string;
let vpsId: string;
beforeEach(async () => {
  history = await openHistoryApp();
  ({ app } = history);
  ({ userId, vpsId } = addWatched(app, 'a'));
});
afterEach(() => history.close());

const prune = () => pruneHistory(app.db, NOW, app.settings.history);
const count = (table: string): number =>
  app.db.$client.prepare(`SELECT count(*) FROM ${table}`).pluck().get() as number;
const idsIn = (table: string): unknown[] => app.db.$client.prepare(`SELECT id FROM ${table} ORDER BY id`).pluck().all();

/** The same database, and how many rows each of its transactions has changed, cascades included. */
function watched(db: Database): { db: Database; changes: number[] } {
  const changes: number[] = [];
  const total = (): number => db.$client.prepare('SELECT total_changes()').pluck().get() as number;
  const immediately: Database['immediately'] = (work) => {
    const before = total();
    const result = db.immediately(work);
    changes.push(total() - before);
    return result;
  };
  return { db: Object.assign(Object.create(db) as Database, { immediately }), changes };
}

describe('pruneHistory', () => {
  it('keeps the samples of the last 24 hours', async () => {
    await record(app, everyMinute(userId, ago(26 * HOUR), Array<SampleState>(26 * 60).fill('healthy')));
    await prune();
    await settleAll(app);
    const left = app.db.select().from(healthSamples).all();
    expect(left).toHaveLength(24 * 60);
    expect(left[0]?.at).toEqual(ago(DAY));
  });

  it('never takes the newest sample: the time for which it stands is not in the roll-ups yet', async () => {
    await record(app, everyMinute(userId, ago(3 * DAY), ['healthy', 'healthy', 'down']));
    await prune();
    expect(app.db.select().from(healthSamples).all()).toMatchObject([{ state: 'down' }]);
    await record(app, everyMinute(userId, ago(0), ['healthy']));
    await settleAll(app);
    const downMs = app.db.$client.prepare(`SELECT sum(down_ms) FROM health_rollups WHERE resolution = 'day'`);
    expect(downMs.pluck().get()).toBe(app.settings.history.sampleValidMs);
    await prune();
    expect(app.db.select().from(healthSamples).all()).toMatchObject([{ state: 'healthy' }]);
  });

  it.each([
    ['10min', 10 * MINUTE, 7 * DAY],
    ['hour', HOUR, 90 * DAY],
    ['day', DAY, 730 * DAY],
  ] as const)(
    'keeps the roll-ups of a resolution (%s) as long as its setting says, the one on the edge too',
    async (resolution, length, kept) => {
      await record(app, everyMinute(userId, NOW, ['healthy']));
      app.db.$client.prepare('DELETE FROM health_rollups').run();
      const edge = Math.floor((NOW.getTime() - kept) / length) * length;
      const starts = [-3, -2, -1, 0, 1, 2].map((offset) => new Date(edge + offset * length));
      for (const startsAt of [...starts, new Date(Math.floor(NOW.getTime() / length) * length)])
        app.db.insert(healthRollups).values({ seriesId: 1, resolution, startsAt, upMs: 1 }).run();
      await prune();
      const left = app.db.select().from(healthRollups).all();
      expect(left.map((row) => row.startsAt.getTime())).toEqual([
        edge,
        edge + length,
        edge + 2 * length,
        Math.floor(NOW.getTime() / length) * length,
      ]);
    },
  );

  it('takes incidents two years after their end, with their journal, restarts and evidence', async () => {
    const add = (id: string, openedAt: Date, endedAt: Date | null): void => {
      const owner = addWatched(app, id);
      const incidentId = id;
      app.db
        .insert(incidents)
        .values({ id, ...owner, openedAt, endedAt, cause: 'service_not_active', firstError: 'x' })
        .run();
      app.db
        .insert(healthEvents)
        .values({ at: openedAt, kind: 'check_failed', ...owner, incidentId, actor: 'monitor', detail: {} })
        .run();
      app.db.insert(restartAttempts).values({ id, userId: owner.userId, incidentId, intendedAt: openedAt }).run();
      app.db.insert(restartEvidence).values({ restartId: id, takenAt: openedAt, unit: '', journal: '' }).run();
    };
    add('old', ago(731 * DAY), ago(730.01 * DAY));
    add('long', ago(800 * DAY), ago(729 * DAY));
    add('open', ago(800 * DAY), null);
    add('new', ago(DAY), ago(DAY - HOUR));
    for (const [id, at] of [
      ['lone-old', ago(731 * DAY)],
      ['lone-new', ago(729 * DAY)],
    ] as const) {
      app.db.insert(restartAttempts).values({ id, userId, intendedAt: at }).run();
      app.db.insert(healthEvents).values({ at, kind: 'admin_action', userId: null, actor: id, detail: {} }).run();
    }
    await prune();
    expect(idsIn('incidents')).toEqual(['long', 'new', 'open']);
    expect(idsIn('restart_attempts')).toEqual(['lone-new', 'long', 'new', 'open']);
    expect(
      app.db
        .select()
        .from(restartEvidence)
        .all()
        .map((row) => row.restartId)
        .sort(),
    ).toEqual(['long', 'new', 'open']);
    const events = app.db.select().from(healthEvents).all();
    expect(events.map((event) => event.incidentId ?? event.actor).sort()).toEqual(['lone-new', 'long', 'new', 'open']);
  });

  it('takes messages that need no more sending after 90 days, but not those of an open incident', async () => {
    app.db
      .insert(incidents)
      .values({ id: 'open', userId, vpsId, openedAt: ago(200 * DAY), cause: 'service_not_active', firstError: 'x' })
      .run();
    const add = (id: string, status: NotificationRow['status'], at: Date, incidentId: string | null = null): void => {
      const facts = {
        about: 'fleet',
        atMs: 0,
        beganAtMs: 0,
        fault: { kind: 'outage', unreachable: 3, reachableBefore: 3 },
      } as const;
      app.db
        .insert(notifications)
        .values({
          id,
          status,
          incidentId,
          facts,
          kind: 'down',
          audience: 'customer',
          recipientId: userId,
          channel: 'email',
          dedupeKey: id,
          nextAttemptAt: at,
          createdAt: at,
        })
        .run();
    };
    for (const status of ['sent', 'failed', 'collapsed', 'digested', 'pending', 'sending'] as const) {
      add(`old-${status}`, status, ago(91 * DAY));
      add(`new-${status}`, status, ago(89 * DAY));
    }
    add('told', 'sent', ago(100 * DAY), 'open');
    await prune();
    expect(idsIn('notifications')).toEqual([
      'new-collapsed',
      'new-digested',
      'new-failed',
      'new-pending',
      'new-sending',
      'new-sent',
      'old-pending',
      'old-sending',
      'told',
    ]);
  });

  it('changes few rows a transaction, however much there is, and lets others have their turn in between', async () => {
    for (const name of ['b', 'c', 'd'])
      await record(
        app,
        everyMinute(addWatched(app, name).userId, ago(30 * DAY), Array<SampleState>(2_000).fill('healthy')),
      );
    for (let index = 0; index < 300; index++) {
      app.db
        .insert(restartAttempts)
        .values({ id: `r${index}`, userId, intendedAt: ago(800 * DAY) })
        .run();
      app.db
        .insert(restartEvidence)
        .values({ restartId: `r${index}`, takenAt: ago(800 * DAY), unit: '', journal: '' })
        .run();
      for (let event = 0; event < 4; event++)
        app.db
          .insert(healthEvents)
          .values({ at: ago(800 * DAY), kind: 'recovered', actor: 'monitor', detail: {} })
          .run();
    }
    await settleAll(app);
    const { db, changes } = watched(app.db);
    let turns = 0;
    const turn = (): void => void (turns++, (turning = setImmediate(turn)));
    let turning = setImmediate(turn);
    const { rows } = await pruneHistory(db, NOW, app.settings.history);
    clearImmediate(turning);
    // 2,000 samples in 201 buckets of ten minutes each, less the newest sample.
    expect(rows).toBe(3 * (1_999 + 201) + 300 + 1_200);
    expect(Math.max(...changes)).toBeLessThanOrEqual(CHUNK_ROWS);
    expect(changes.reduce((sum, changed) => sum + changed)).toBe(rows + 300);
    expect(turns).toBeGreaterThanOrEqual(changes.length - 1);
    expect(count('health_samples')).toBe(3);
  });

  it('moves recent samples that are old, however many, in a piece of their own', async () => {
    await record(app, everyMinute(userId, ago(30 * DAY), Array<SampleState>(59).fill('healthy')));
    const other = addWatched(app, 'b');
    await record(app, everyMinute(other.userId, ago(30 * DAY), Array<SampleState>(59).fill('healthy')));
    expect(count('recent_samples')).toBe(2);
    const { db, changes } = watched(app.db);
    await pruneHistory(db, NOW, app.settings.history);
    expect(count('recent_samples')).toBe(0);
    expect(count('health_samples')).toBe(2);
    // An hour of looks, ten minutes by ten minutes, in an hour and a day; the row itself.
    expect(Math.max(...changes)).toBeLessThanOrEqual(59 + 7 + 2 + 1 + 1);
  });

  it('leaves recent samples alone that are all to be kept', async () => {
    await record(app, everyMinute(userId, ago(2 * HOUR), Array<SampleState>(120).fill('healthy')));
    const before = app.db.$client.prepare('SELECT * FROM recent_samples').all();
    expect(before).toHaveLength(1);
    expect(await prune()).toMatchObject({ rows: 0 });
    expect(app.db.$client.prepare('SELECT * FROM recent_samples').all()).toEqual(before);
  });

  it('does no harm when two do it at the same time', async () => {
    await record(app, everyMinute(userId, ago(30 * DAY), Array<SampleState>(3_000).fill('healthy')));
    const both = await Promise.all([prune(), prune()]);
    expect(both[0].rows + both[1].rows).toBe(2_999 + 301);
    expect(await prune()).toMatchObject({ rows: 0, chunks: 0 });
  });

  it('stops between two pieces when told to', async () => {
    await record(app, everyMinute(userId, ago(30 * DAY), Array<SampleState>(3_000).fill('healthy')));
    const { rows } = await pruneHistory(app.db, NOW, app.settings.history, AbortSignal.abort());
    expect(rows).toBe(0);
  });
});

describe('the job', () => {
  afterEach(() => vi.useRealTimers());

  it('prunes once an hour, at minute 17, until it is stopped', async () => {
    await record(app, everyMinute(userId, ago(30 * DAY), ['healthy', 'healthy']));
    await settleAll(app);
    vi.useFakeTimers({
      now: ago(2 * MINUTE),
      toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'Date', 'performance'],
    });
    const job = startHistoryRetention(app);
    await vi.advanceTimersByTimeAsync(MINUTE);
    expect(count('health_samples')).toBe(2);
    await vi.advanceTimersByTimeAsync(MINUTE + 1_000);
    await job.stop(new AbortController().signal);
    expect(count('health_samples')).toBe(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});
