import { openApp, type App } from '../app.ts';
import { createLog, messageOf, type Log } from '../jobs/log.ts';
import { scheduleJob, type ScheduledJob } from '../jobs/scheduler.ts';
import { checkVps, type StopSignals } from './check-vps.ts';
import { listActive, type DueVps } from './fleet.ts';
import { LeaseLostError, recordChecks, type CheckRecord, type Recorded } from './health-store.ts';
import { acquireLease, LEASE_RENEWAL_MS, releaseLease } from './lease.ts';
import { describeRecorded } from './log-lines.ts';
import { isLoginBackedOff } from './transition.ts';

export type SweepSummary = {
  readonly startedAt: Date;
  readonly durationMs: number;
  /** VPSs that have a new result. */
  readonly checked: number;
  readonly healthy: number;
  readonly unhealthy: number;
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

export type SweepProgress = { readonly done: number; readonly total: number };

/** What the pages show of the job itself. */
export type MonitorStatus = {
  /** `standby`: another server process on the same database sweeps. */
  readonly role: 'off' | 'sweeping' | 'standby';
  readonly progress: SweepProgress | null;
  readonly lastSweep: SweepSummary | null;
  readonly nextSweepAt: Date | null;
  readonly skippedSweeps: number;
};

export type SweepOptions = {
  readonly stop?: StopSignals;
  readonly onProgress?: (progress: SweepProgress) => void;
  readonly log?: Log;
};

const serverLog = createLog('health-checker');
/** How long a restart that is under way may go on when the monitor stops. */
const DRAIN_MS = 10_000;

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
  const app = givenApp ?? (await defaultApp());
  try {
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
  const count = { healthy: 0, unhealthy: 0, restarted: 0, unchecked: 0 };
  let fault: string | null = null;
  const onFault = (what: string, error: unknown, vpsCount: number): void => {
    count.unchecked += vpsCount;
    fault = `${what}: ${messageOf(error)}`;
    log.error(fault);
  };

  log.info(
    `sweep started: ${active.length} active VPSs${active.length > due.length ? `, ${active.length - due.length} of them waiting after refused logins` : ''}`,
  );
  let done = 0;
  onProgress({ done, total: due.length });
  for (const batch of inBatches(due, app.settings.batchSize)) {
    if (stop.probes.aborted) break;
    try {
      for (const recorded of await sweepBatch(app, batch, { stop, log, onFault })) tally(recorded, count);
    } catch (error) {
      onFault(`the results of ${batch.length} VPSs could not be saved`, error, batch.length);
      if (error instanceof LeaseLostError) break;
    }
    done += batch.length;
    onProgress({ done, total: due.length });
  }

  const checked = count.healthy + count.unhealthy;
  const durationMs = Math.round(performance.now() - startMs);
  const interrupted = done < due.length || stop.probes.aborted;
  log.info(
    `sweep ${interrupted ? 'interrupted' : 'completed'} in ${(durationMs / 1000).toFixed(1)}s ` +
      `(${checked} checked, ${count.healthy} healthy, ${count.unhealthy} unhealthy${count.unchecked > 0 ? `, ${count.unchecked} not checked` : ''})`,
  );
  const waiting = active.length - due.length;
  return {
    kind: interrupted ? 'interrupted' : 'completed',
    summary: { startedAt, durationMs, checked, waiting, fault, ...count },
  };
}

type BatchContext = {
  readonly stop: StopSignals;
  readonly log: Log;
  readonly onFault: (what: string, error: unknown, vpsCount: number) => void;
};

/** Checks a batch at the same time and records it in one transaction; a check that throws costs its own VPS only. */
async function sweepBatch(
  app: App,
  batch: readonly DueVps[],
  { stop, log, onFault }: BatchContext,
): Promise<Recorded[]> {
  const settled = await Promise.allSettled(batch.map((vps) => checkVps(app, vps, stop, log)));
  const records: CheckRecord[] = [];
  for (const [index, result] of settled.entries()) {
    if (result.status === 'fulfilled') {
      if (!isAbandoned(result.value)) records.push(result.value);
    } else onFault(`${batch[index]?.subscription.userId} could not be checked`, result.reason, 1);
  }
  const recorded = await recordChecks(app.db, records, app.settings.breaker);
  for (const line of recorded.flatMap(describeRecorded)) log.info(line);
  return recorded;
}

/** A look that was given up half-way, with nothing sent: there is nothing to write down. */
const isAbandoned = ({ check, restartId }: CheckRecord): boolean =>
  restartId === null && check.verdict.kind === 'inconclusive' && check.verdict.cause === 'aborted';

function tally(
  { next, events }: Recorded,
  count: { healthy: number; unhealthy: number; restarted: number; unchecked: number },
): void {
  if (events.some((event) => event.kind === 'inconclusive')) count.unchecked++;
  else if (next.status === 'healthy') count.healthy++;
  else count.unhealthy++;
  if (events.some((event) => event.kind === 'restarted')) count.restarted++;
}

function* inBatches<T>(items: readonly T[], size: number): Generator<readonly T[]> {
  for (let start = 0; start < items.length; start += size) yield items.slice(start, start + size);
}

type RunningMonitor = {
  readonly app: App;
  readonly status: () => MonitorStatus;
  readonly stop: () => Promise<void>;
};

// On globalThis: hot reload makes this module anew, and a second scheduler beside the first would sweep twice.
const MONITOR = Symbol.for('wardround.monitor');
const APP = Symbol.for('wardround.app');
const shared = globalThis as { [MONITOR]?: RunningMonitor; [APP]?: Promise<App> };

/** The app of this process, opened at first use. */
export const defaultApp = (): Promise<App> =>
  (shared[APP] ??= openApp().catch((error: unknown) => {
    delete shared[APP];
    throw error;
  }));

/** Starts the job, once a process: further calls change nothing. */
export async function startHealthMonitor(givenApp?: App): Promise<void> {
  const app = givenApp ?? (await defaultApp());
  if (shared[MONITOR]) return;
  shared[MONITOR] = createMonitor(app);
}

/**
 * Stops the job and waits until nothing of it runs any more: looks are given up at once, a restart under way has ten
 * seconds to end and be recorded. A second call waits for the same end.
 */
export async function stopHealthMonitor(): Promise<void> {
  await shared[MONITOR]?.stop();
}

export const monitorStatus = (): MonitorStatus =>
  shared[MONITOR]?.status() ?? { role: 'off', progress: null, lastSweep: null, nextSweepAt: null, skippedSweeps: 0 };

function createMonitor(app: App): RunningMonitor {
  const probes = new AbortController();
  const restarts = new AbortController();
  let progress: SweepProgress | null = null;
  let lastSweep: SweepSummary | null = null;
  let skippedForOthers = 0;
  let standby = false;
  let stopping: Promise<void> | null = null;

  /** Whether this process is the one that sweeps; renewed in between, so that a dead one is replaced within a minute. */
  const lead = async (): Promise<boolean> => {
    const other = await acquireLease(app.db, 'monitor');
    if ((other !== null) !== standby) {
      standby = other !== null;
      serverLog.info(
        standby
          ? `standing by: the server process ${other?.pid} sweeps on this database`
          : 'taking over: the other server process is gone',
      );
    }
    return !standby;
  };
  const renewal = setInterval(() => {
    lead().catch((error: unknown) => serverLog.error(`the monitor lease could not be renewed: ${messageOf(error)}`));
  }, LEASE_RENEWAL_MS);

  const job: ScheduledJob = scheduleJob('sweep', app.settings.healthCheckCron, serverLog, async () => {
    if (!(await lead())) return;
    try {
      const result = await runHealthSweep(app, {
        stop: { probes: probes.signal, restarts: restarts.signal },
        onProgress: (now) => (progress = now),
      });
      if (result.kind !== 'busy') lastSweep = result.summary;
      else
        serverLog.info(
          `sweep skipped: the process ${result.pid} is sweeping (${++skippedForOthers + job.skippedRuns()} skipped so far)`,
        );
    } finally {
      progress = null;
    }
  });
  serverLog.info(`health monitor started (schedule: ${app.settings.healthCheckCron})`);

  const drain = async (): Promise<void> => {
    clearInterval(renewal);
    probes.abort();
    const patience = setTimeout(() => restarts.abort(), DRAIN_MS);
    await job.stop();
    clearTimeout(patience);
    await releaseLease(app.db, 'monitor');
    delete shared[MONITOR];
    serverLog.info('health monitor stopped');
  };
  return {
    app,
    status: () => ({
      role: standby ? 'standby' : 'sweeping',
      progress,
      lastSweep,
      nextSweepAt: job.nextRunAt(),
      skippedSweeps: job.skippedRuns() + skippedForOthers,
    }),
    stop: () => (stopping ??= drain()),
  };
}
