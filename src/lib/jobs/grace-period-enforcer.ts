import { and, eq, isNotNull, lte, or, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { write, type Database } from '../db/client.ts';
import { subscriptions } from '../db/schema.ts';
import { endUnwatchedIncident } from '../monitoring/incident-store.ts';
import { createLog } from '../log.ts';
import { scheduleJob, type RunningJob } from '../schedule.ts';

const log = createLog('grace-period-enforcer');

/**
 * Cancels the subscriptions that have been past due for longer than the grace period; their VPSs leave the sweep.
 * Past due is what has the status `past_due`, and what is still `active` but has `past_due_since`: billing may let a
 * VPS be watched during its grace period. Returns the ids of what it cancelled; a second run finds nothing.
 */
export const enforceGracePeriod = (db: Database, now: Date, gracePeriodMs: number): Promise<string[]> =>
  write(db, (tx) => {
    const pastDue = or(
      eq(subscriptions.status, 'past_due'),
      and(eq(subscriptions.status, 'active'), isNotNull(subscriptions.pastDueSince)),
    );
    // Without a date, the last change of the row is the latest day on which payment can have failed.
    const since = sql`coalesce(${subscriptions.pastDueSince}, ${subscriptions.updatedAt})`;
    const canceled = tx
      .update(subscriptions)
      .set({ status: 'canceled', canceledAt: now })
      .where(and(pastDue, lte(since, now.getTime() - gracePeriodMs)))
      .returning({ id: subscriptions.id, userId: subscriptions.userId })
      .all();
    for (const { userId } of canceled) endUnwatchedIncident(tx, userId, now);
    return canceled.map(({ id }) => id);
  });

/** Starts the hourly job. */
export function startGracePeriodEnforcer({ db, settings }: App): RunningJob {
  const job = scheduleJob('grace period check', settings.gracePeriodCron, log, async () => {
    const canceled = await enforceGracePeriod(db, new Date(), settings.gracePeriodMs);
    for (const id of canceled) log.info(`${id}: past due for longer than the grace period, canceled`);
  });
  return { name: 'grace period enforcer', stop: () => job.stop() };
}
