import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addWatched, openHistoryApp, settleAll, type HistoryApp } from '../tests/support/history.ts';
import { dumpHistory } from '../bench/simulated-history.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { write } from '../src/lib/db/client.ts';
import { listIncidents, readIncident } from '../src/lib/views/incident-read.ts';
import { madeUpUntil } from '../src/lib/views/made-up.ts';
import { pruneHistory } from '../src/lib/history/retention.ts';
import { recordSample } from '../src/lib/history/sample-store.ts';
import { readDailyBars, readUptime } from '../src/lib/views/uptime-read.ts';
import { PAST_VALID_MS, pastOf } from './past.ts';
import { seedHistory } from './seed-history.ts';

// The beginning of a bucket of each resolution, so that nothing is cut in two by retention.
const NOW = new Date('2026-06-15T00:00:00Z');
let history: HistoryApp;
beforeEach(async () => {
  history = await openHistoryApp();
});
afterEach(() => history.close());

describe('the past of a demo', () => {
  it('is what recording each made-up check and pruning would have left', async () => {
    const { app } = history;
    const seeded = addWatched(app, 'seeded');
    await seedHistory(app, [seeded], NOW);
    const recorded = addWatched(app, 'recorded');
    await write(app.db, (tx) => {
      for (const { atMs, state, probeMs } of pastOf(0, NOW.getTime()).samples)
        recordSample(tx, { userId: recorded.userId, at: new Date(atMs), state, probeMs }, PAST_VALID_MS);
    });
    await settleAll(app);
    await pruneHistory(app.db, NOW, app.settings.history);
    expect(dumpHistory(app.db, seeded.userId)).toBe(dumpHistory(app.db, recorded.userId));
  });

  it('has good and bad days, incidents with evidence, and is marked', async () => {
    const { app } = history;
    const fleet = ['a', 'b', 'c'].map((name) => addWatched(app, name));
    expect(madeUpUntil(app)).toBeNull();
    await seedHistory(app, fleet, NOW);
    expect(madeUpUntil(app)).toEqual(NOW);
    for (const { vpsId } of fleet) {
      const uptime = readUptime(app, LOCAL_OPERATOR, vpsId, NOW)?.['90d'].uptime ?? 0;
      expect(uptime).toBeGreaterThan(0.99);
      expect(uptime).toBeLessThan(1);
      const past = readDailyBars(app, LOCAL_OPERATOR, vpsId, NOW)?.slice(0, -1) ?? [];
      expect(past.filter((bar) => bar.uptime === null)).toHaveLength(2);
    }
    const rows = listIncidents(app, LOCAL_OPERATOR, { limit: 100 });
    expect(rows.every(({ endedAt }) => endedAt !== null)).toBe(true);
    const restarted = rows.find(({ restarts }) => restarts > 0);
    expect(readIncident(app, LOCAL_OPERATOR, restarted?.id ?? '')?.restarts[0]?.journal).toContain('No space left');
  });

  it('is the same each time', () => {
    expect(pastOf(3, NOW.getTime())).toEqual(pastOf(3, NOW.getTime()));
    expect(pastOf(3, NOW.getTime()).incidents).not.toEqual(pastOf(4, NOW.getTime()).incidents);
  });

  it('leaves the restart budget of today alone', () => {
    for (let vps = 0; vps < 24; vps++)
      for (const { endedMs } of pastOf(vps, NOW.getTime()).incidents)
        expect(NOW.getTime() - endedMs).toBeGreaterThan(30 * 60_000);
  });
});
