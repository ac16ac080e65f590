import { defaultApp, type App } from '../app.ts';
import { createLog, messageOf, type Log } from '../jobs/log.ts';
import type { StopSignals } from './check-vps.ts';
import { listActive } from './fleet.ts';
import { acquireLease, LEASE_RENEWAL_MS, releaseLease } from './lease.ts';
import { watchStalls } from './stall-watch.ts';
import { SweepRun, type SweepProgress } from './sweep-run.ts';
import { isLoginBackedOff } from './transition.ts';

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
    const holder = await acquireLease(app.db, 'sweep');
    if (holder !== null) return { kind: 'busy', pid: holder.pid };
    // The lease may get lost while this process stands still; then another one sweeps, and this one has to end.
    const lost = new AbortController();
    const renewal = setInterval(() => {
      acquireLease(app.db, 'sweep').then(
        (other) => other !== null && lost.abort(),
        (error: unknown) => log.error(`the sweep lease could not be renewed: ${messageOf(error)}`),
      );
    }, LEASE_RENEWAL_MS);
    const signals: StopSignals = {
      probes: AbortSignal.any([lost.signal, ...(stop ? [stop.probes] : [])]),
      restarts: AbortSignal.any([lost.signal, ...(stop ? [stop.restarts] : [])]),
    };
    try {
      return await sweep(app, signals, log, onProgress ?? (() => undefined));
    } finally {
      clearInterval(renewal);
      await releaseLease(app.db, 'sweep');
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
  const run = new SweepRun(app, due, { stop, stalls, log, onProgress });
  try {
    await run.lookAtAll();
    // A part of the fleet is no basis to judge the whole; what is held is looked at again in the next sweep.
    if (!run.interrupted) await run.settleHeld();
  } finally {
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
