import { max } from 'drizzle-orm';
import type { App } from '../app.ts';
import { databaseFault } from '../db/files.ts';
import { readLease } from '../db/lease.ts';
import { healthChecks, monitorState } from '../db/schema.ts';
import type { Watch, Watcher } from '../facts/freshness.ts';

/** What this process knows of its own monitor; null: it runs none. */
export type OwnMonitor = { readonly startedAt: Date | null; readonly trouble: string | null } | null;

/** How the sweeps are going, as any process on this database can tell: one that stands by or is no server, too. */
export function readWatch({ db, settings }: App, own: OwnMonitor, now: Date): Watch {
  const state = db.select().from(monitorState).get();
  const lease = readLease(db, 'monitor', now);
  return {
    sweptAt: state?.sweptAt ?? lastLookAt(db),
    validMs: settings.history.sampleValidMs,
    watcher: watcherOf(lease, own),
    isSweeping: readLease(db, 'sweep', now)?.isHeld === true,
    // What has kept a server from sweeping that is gone since is no reason any more.
    trouble: own?.trouble ?? (lease?.isHeld && state?.sweepFailedAt ? state.sweepFault : null),
    gone: databaseFault(db),
  };
}

/** Before the first sweep that was written down, as under an older version, the newest look tells. */
const lastLookAt = (db: App['db']): Date | null =>
  db
    .select({ at: max(healthChecks.lastCheckAt) })
    .from(healthChecks)
    .get()?.at ?? null;

function watcherOf(lease: ReturnType<typeof readLease>, own: OwnMonitor): Watcher {
  if (lease?.isHeld) return { kind: 'active', pid: lease.pid, since: lease.acquiredAt };
  // It has not taken the right to sweep yet.
  if (own?.startedAt) return { kind: 'active', pid: process.pid, since: own.startedAt };
  return lease === null ? { kind: 'nobody' } : { kind: 'silent', pid: lease.pid };
}
