import { defaultApp, partOf, type App } from '../app.ts';
import type { HeldLease } from '../db/lease-keeper.ts';
import type { Database } from '../db/client.ts';
import type { Tenure } from '../db/lease.ts';
import { databaseTrouble } from '../db/trouble.ts';
import { createLog, messageOf, type Log } from '../log.ts';
import { count as countFor } from '../metrics/counting.ts';
import type { StopSignals } from './carry-out.ts';
import { linksOf } from './links.ts';
import { listActive, type DueVps } from './fleet.ts';
import { judgeSweep, noteFailedSweep, noteSweep, pauseHealing, readMonitorState } from './monitor-state.ts';
import { isLoginBackedOff } from './rules/login-backoff.ts';
import { restartCap } from './rules/round.ts';
import { runRound, type RoundReport } from './run-round.ts';
import { LeaseLostError } from './tenure.ts';
import { watchStalls } from './stall-watch.ts';
import { sweepLeaseOf } from './sweep-lease.ts';
import { claimsOf } from './vps-claims.ts';

export type SweepProgress = { readonly done: number; readonly total: number };

export type SweepSummary = {
  readonly startedAt: Date;
  readonly durationMs: number;
  /** VPSs that have a new result. */
  readonly checked: number;
  readonly healthy: number;
  /** Not active or not reachable; also those that are waited for while they start or stop. */
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
  /** It came to its end, but what it found, or that it has ended, could not be saved; `fault` tells why. */
  | { readonly kind: 'unsaved'; readonly summary: SweepSummary }
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

/** One sweep at a time, also where two callers of one process ask for one. */
const guardOf = (app: App): { sweeping: boolean } => partOf(app, 'sweep guard', () => ({ sweeping: false }));

/**
 * Checks every active VPS once, in batches, and records what it saw. One at a time, here and across processes.
 * Rejects only when the database cannot be read or the lease cannot be taken.
 */
export async function runHealthSweep(
  givenApp?: App,
  { stop, onProgress, log = serverLog }: SweepOptions = {},
): Promise<SweepResult> {
  const app = givenApp ?? (await defaultApp());
  const guard = guardOf(app);
  if (guard.sweeping) return { kind: 'busy', pid: process.pid };
  guard.sweeping = true;
  try {
    const lease = await sweepLeaseOf(app).hold();
    if ('pid' in lease) return { kind: 'busy', pid: lease.pid };
    try {
      return await sweep(app, lease, {
        stop: stopSignals(lease, stop),
        log,
        onProgress: onProgress ?? (() => undefined),
      });
    } catch (error) {
      // Where it is the database itself that fails, only this process can know.
      const failed = { at: new Date(), fault: messageOf(error) };
      if (databaseTrouble(error) === null) await noteFailedSweep(app.db, lease.tenure, failed).catch(() => undefined);
      throw error;
    } finally {
      await lease.release();
    }
  } finally {
    guard.sweeping = false;
  }
}

/** What ends a round: whoever asked for it, or the loss of the right to check. */
export const stopSignals = ({ lost }: HeldLease, stop?: StopSignals): StopSignals => ({
  probes: AbortSignal.any([lost, ...(stop ? [stop.probes] : [])]),
  restarts: AbortSignal.any([lost, ...(stop ? [stop.restarts] : [])]),
});

type SweepContext = {
  readonly stop: StopSignals;
  readonly log: Log;
  readonly onProgress: (progress: SweepProgress) => void;
};

async function sweep(app: App, { tenure }: HeldLease, { stop, log, onProgress }: SweepContext): Promise<SweepResult> {
  const { db, settings } = app;
  const startedAt = new Date();
  const startMs = performance.now();
  const active = listActive(db, settings);
  const due = active.filter((vps) => !isLoginBackedOff(vps.state, startedAt));
  const waiting = active.length - due.length;
  linksOf(app).retain(new Set(active.map(({ subscription }) => subscription.id)));
  log.info(
    `sweep started: ${active.length} active VPSs${waiting > 0 ? `, ${waiting} of them waiting after refused logins` : ''}`,
  );
  const total = due.length;
  const cap = restartCap(total, settings.maxRestartsPerSweep);
  const stalls = watchStalls();
  const claims = claimsOf(app);
  // What an admin has asked for meanwhile has a newer result, or gets one.
  const claim = (batch: readonly DueVps[], note: (id: string) => void): Promise<readonly DueVps[]> =>
    Promise.resolve(claims.claimFree(batch, startMs, note));
  const report = await runRound(
    app,
    due,
    { kind: 'sweep', fleet: total, cap, healing: readMonitorState(db).healing },
    {
      tenure,
      stop,
      stalls,
      log,
      claim,
      restartId: null,
      onLookedAt: (_, done) => onProgress({ done, total }),
      judge: async (found) => (await judgeSweep(db, tenure, found, new Date())).counts,
      pause: (found) => pauseHealing(db, tenure, found, new Date()),
    },
  ).finally(() => stalls.stop());

  const { count } = report;
  const { kind, fault } = report.interrupted
    ? ({ kind: 'interrupted', fault: report.fault } as const)
    : await conclude(db, tenure, report, log);
  const { healthy, unhealthy, maintenance, unchecked } = count;
  const checked = healthy + unhealthy + maintenance;
  const durationMs = Math.round(performance.now() - startMs);
  log.info(
    `sweep ${kind === 'unsaved' ? 'not saved' : kind} in ${(durationMs / 1000).toFixed(1)}s ` +
      `(${checked} checked, ${healthy} healthy, ${unhealthy} unhealthy` +
      `${maintenance > 0 ? `, ${maintenance} under maintenance` : ''}${unchecked > 0 ? `, ${unchecked} not checked` : ''})`,
  );
  countFor(app, { kind: 'sweep', result: kind, durationMs });
  return {
    kind,
    summary: { startedAt, durationMs, checked, waiting, fault, ...count },
  };
}

/** Writes down how the sweep ended, which all servers tell the age of what they show by. Says whether all of it is saved. */
async function conclude(
  db: Database,
  tenure: Tenure,
  { fault, saved }: RoundReport,
  log: Log,
): Promise<{ readonly kind: 'completed' | 'unsaved' | 'interrupted'; readonly fault: string | null }> {
  const at = new Date();
  try {
    if (saved) await noteSweep(db, tenure, { at, fault });
    else await noteFailedSweep(db, tenure, { at, fault: fault ?? UNSAVED });
    return { kind: saved ? 'completed' : 'unsaved', fault };
  } catch (error) {
    const why = `${UNSAVED}: ${messageOf(error)}`;
    log.error(why);
    return { kind: error instanceof LeaseLostError ? 'interrupted' : 'unsaved', fault: fault ?? why };
  }
}

const UNSAVED = 'the end of the sweep could not be saved';
