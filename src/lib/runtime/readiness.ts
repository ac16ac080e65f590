import { partOf, type App } from '../app.ts';
import { assertWritable } from '../db/client.ts';
import { monitorStatus } from '../monitoring/health-checker.ts';
import { nextRunAfter } from '../schedule.ts';
import { lastSweepAt } from '../views/metrics-read.ts';
import { judgeReadiness, type Readiness } from './rules/readiness.ts';
import { createShortCache } from './short-cache.ts';

/** However many strangers ask how often. */
const KEEP_MS = 2_000;

const recentOf = (app: App) =>
  partOf(app, 'readiness', () => ({
    since: new Date(),
    recent: createShortCache<Readiness>({ keepMs: KEEP_MS, entries: 1, worthKeeping: () => true }),
  }));

/** Begins to count how long the first sweep may still have to come. */
export const startReadiness = (app: App): void => {
  recentOf(app);
};

/** Whether this server can do its work; two seconds old at most. Never rejects. */
export function readReadiness(app: App): Promise<Readiness> {
  const { since, recent } = recentOf(app);
  return recent('now', async () => {
    const databaseWritable = await assertWritable(app.db).then(
      () => true,
      () => false,
    );
    const now = new Date();
    const { monitorEnabled, healthCheckCron, history } = app.settings;
    const { role, lastSweep } = monitorStatus(app);
    const known = databaseWritable ? lastSweepAt(app) : null;
    // Before this process was there, it was for another one to say.
    const from = known !== null && known > since ? known : since;
    return judgeReadiness(
      {
        databaseWritable,
        monitorEnabled,
        role,
        overdueSince: nextRunAfter(healthCheckCron, from),
        // A sweep over a large fleet lasts longer than its interval.
        patienceMs: history.sampleValidMs + 2 * (lastSweep?.durationMs ?? 0),
      },
      now,
    );
  });
}
