import { partOf, type App } from '../app.ts';
import { assertWritable } from '../db/client.ts';
import { monitorStatus } from '../monitoring/health-checker.ts';
import { readWatch } from '../views/watch-read.ts';
import { judgeReadiness, type Readiness } from './rules/readiness.ts';
import { createShortCache } from './short-cache.ts';

/** However many strangers ask how often. */
const KEEP_MS = 2_000;

/** Whether this server can do its work; two seconds old at most. Rejects only where the database cannot be read. */
export const readReadiness = (app: App): Promise<Readiness> =>
  partOf(app, 'readiness', () =>
    createShortCache<Readiness>({ keepMs: KEEP_MS, entries: 1, worthKeeping: () => true }),
  )('now', async () => {
    const own = monitorStatus(app);
    const writable = await assertWritable(app.db).then(
      () => true,
      () => false,
    );
    const now = new Date();
    const watch = writable ? readWatch(app, own, now) : null;
    return judgeReadiness({ watch, monitorEnabled: app.settings.monitorEnabled, role: own.role }, now);
  });
