import { defaultApp, type App } from '../app.ts';
import { messageOf } from '../log.ts';
import { scheduleJob, type ScheduledJob } from '../schedule.ts';
import { publish } from '../live/bus.ts';
import { sendHeartbeat } from '../notifications/heartbeat.ts';
import { acquireLease, LEASE_RENEWAL_MS, releaseLease } from './lease.ts';
import { runHealthSweep, serverLog, type SweepSummary } from './sweep.ts';
import type { SweepProgress } from './sweep-run.ts';

export { runHealthSweep };

/** What the pages show of the job itself. */
export type MonitorStatus = {
  /** `standby`: another server process on the same database sweeps. */
  readonly role: 'off' | 'sweeping' | 'standby';
  readonly progress: SweepProgress | null;
  readonly lastSweep: SweepSummary | null;
  readonly nextSweepAt: Date | null;
  readonly skippedSweeps: number;
};

/** How long a restart that is under way may go on when the monitor stops. */
const DRAIN_MS = 10_000;

type RunningMonitor = {
  readonly app: App;
  readonly status: () => MonitorStatus;
  readonly stop: () => Promise<void>;
};

// On globalThis: hot reload makes this module anew, and a second scheduler beside the first would sweep twice.
const MONITOR = Symbol.for('wardround.monitor');
const shared = globalThis as { [MONITOR]?: RunningMonitor };

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
        onProgress: (now) => {
          progress = now;
          publish({ kind: 'monitor' });
        },
      });
      if (result.kind !== 'busy') lastSweep = result.summary;
      // Not awaited: whoever listens there may be slow, and the next sweep must not wait for that.
      if (result.kind === 'completed') void sendHeartbeat(app.settings, serverLog);
      if (result.kind === 'busy')
        serverLog.info(
          `sweep skipped: the process ${result.pid} is sweeping (${++skippedForOthers + job.skippedRuns()} skipped so far)`,
        );
    } finally {
      progress = null;
      publish({ kind: 'monitor' });
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
