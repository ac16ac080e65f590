import { defaultApp, type App } from '../app.ts';
import { createLog, type Log } from '../log.ts';
import type { StopSignals } from './check-vps.ts';
import { listActive, type DueVps } from './fleet.ts';
import { watchStalls } from './stall-watch.ts';
import { holdSweepLease } from './sweep-lease.ts';
import { SweepRun, type SweepProgress } from './sweep-run.ts';
import { isLoginBackedOff } from './rules/transition.ts';
import { tryClaim } from './vps-claims.ts';

export type SweepSummary = {
  readonly startedAt: Date;
  readonly durationMs: number;
  /** VPSs that have a new result. */
  readonly checked: number;
  readonly healthy: number;
  /** Not active or not reachable, those that enjoy their sweep of grace among them. */
  readonly unhealthy: number;
  /** Not active or not reachable either, but under maintenance. */
  readonly maintenance: number;
  /** Restarts that brought a service back. */
  readonly restarted: number;
  /** Left out until their refused login may be tried again. */
  readonly waiting: number;
  /** Not checked, or not saved, through a fault of ours; `fault` tells the last one. */
  readonly unchecked: number;
  readonly fault: string | null;
};

export type SweepResult =
  | { readonly kind: 'completed'; readonly summary: SweepSummary }
  /** The monitor was stopped, or another process took over; what was checked until then is saved. */
  | { readonly kind: 'interrupted'; readonly summary: SweepSummary }
  /** Another sweep is running, in this process or in the one with this PID. */
  | { readonly kind: 'busy'; readonly pid: number };

export type SweepOptions = {
  readonly stop?: StopSignals;
  readonly onProgress?: (progress: SweepProgress) => void;
  readonly log?: Log;
};

export const serverLog = createLog('health-checker');

let sweepInProgress = false;

/**
 * Checks every active VPS once, in batches, and records what it saw. One at a time, here and across processes.
 * Rejects only when the database cannot be read or the lease cannot be taken.
 */
export async function runHealthSweep(
  givenApp?: App,
  { stop, onProgress, log = serverLog }: SweepOptions = {},
): Promise<SweepResult> {
  if (sweepInProgress) return { kind: 'busy', pid: process.pid };
  sweepInProgress = true;
  try {
    const app = givenApp ?? (await defaultApp());
    const lease = await holdSweepLease(app.db, log);
    if ('pid' in lease) return { kind: 'busy', pid: lease.pid };
    const signals: StopSignals = {
      probes: AbortSignal.any([lease.lost, ...(stop ? [stop.probes] : [])]),
      restarts: AbortSignal.any([lease.lost, ...(stop ? [stop.restarts] : [])]),
    };
    try {
      return await sweep(app, signals, log, onProgress ?? (() => undefined));
    } finally {
      await lease.release();
    }
  } finally {
    sweepInProgress = false;
  }
}

async function sweep(
  app: App,
  stop: StopSignals,
  log: Log,
  onProgress: (progress: SweepProgress) => void,
): Promise<SweepResult> {
  const startedAt = new Date();
  const startMs = performance.now();
  const active = listActive(app.db);
  const due = active.filter((vps) => !isLoginBackedOff(vps.state, startedAt));
  const waiting = active.length - due.length;
  log.info(
    `sweep started: ${active.length} active VPSs${waiting > 0 ? `, ${waiting} of them waiting after refused logins` : ''}`,
  );
  const stalls = watchStalls();
  // What an admin has asked for meanwhile has a newer result, or gets one.
  const claim = (batch: readonly DueVps[]) =>
    Promise.resolve(batch.filter(({ subscription }) => tryClaim(subscription.id, startMs)));
  const run = new SweepRun(app, due, { stop, stalls, log, onProgress, claim });
  try {
    await run.lookAtAll();
    // A part of the fleet is no basis to judge the whole; what is held is looked at again in the next sweep.
    if (!run.interrupted) await run.settleHeld();
  } finally {
    run.giveBackAll();
    stalls.stop();
  }

  const { healthy, unhealthy, maintenance, unchecked } = run.count;
  const checked = healthy + unhealthy + maintenance;
  const durationMs = Math.round(performance.now() - startMs);
  log.info(
    `sweep ${run.interrupted ? 'interrupted' : 'completed'} in ${(durationMs / 1000).toFixed(1)}s ` +
      `(${checked} checked, ${healthy} healthy, ${unhealthy} unhealthy` +
      `${maintenance > 0 ? `, ${maintenance} under maintenance` : ''}${unchecked > 0 ? `, ${unchecked} not checked` : ''})`,
  );
  return {
    kind: run.interrupted ? 'interrupted' : 'completed',
    summary: { startedAt, durationMs, checked, waiting, fault: run.fault, ...run.count },
  };
}
