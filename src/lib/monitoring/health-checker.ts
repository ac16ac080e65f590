/**
 * The health monitor. Each look at a VPS is an `execSSHCommand` (provisioning/vps-status.ts, called from look.ts by way of
 * provisioning/vps-link.ts, which keeps the connection and knows a faster way to ask the same); what it means is judged in
 * rules/, and it ends as an upsert into `healthChecks` (`conclude` in health-store.ts), in one transaction a batch with
 * everything that follows from it. sweep.ts is one sweep; this file runs one each minute, and news-desk.ts looks between
 * two of them where a bus tells something.
 */
import { defaultApp, openedApp, partOf, type App } from '../app.ts';
import { assertInPlace, databaseFault } from '../db/files.ts';
import { LeaseKeeper, type HeldLease } from '../db/lease-keeper.ts';
import { LEASE_RENEWAL_MS } from '../db/lease.ts';
import { databaseTrouble } from '../db/trouble.ts';
import { tell } from '../live/bus.ts';
import { messageOf } from '../log.ts';
import { createHeartbeat } from '../notifications/heartbeat.ts';
import { scheduleJob, type RunningJob, type ScheduledJob } from '../schedule.ts';
import type { StopSignals } from './carry-out.ts';
import { linksOf } from './links.ts';
import { NewsDesk } from './news-desk.ts';
import { runHealthSweep, serverLog, type SweepProgress, type SweepSummary } from './sweep.ts';

export { runHealthSweep };

/** What the pages show of the job itself. */
export type MonitorStatus = {
  /** `standby`: another server process on the same database sweeps. */
  readonly role: 'off' | 'sweeping' | 'standby';
  /** When the job was started; null while it is off. */
  readonly startedAt: Date | null;
  /** Why its last attempt at a sweep, or at the right to sweep, came to nothing; null: it did not. */
  readonly trouble: string | null;
  readonly progress: SweepProgress | null;
  readonly lastSweep: SweepSummary | null;
  readonly nextSweepAt: Date | null;
  readonly skippedSweeps: number;
};

const OFF: MonitorStatus = {
  role: 'off',
  startedAt: null,
  trouble: null,
  progress: null,
  lastSweep: null,
  nextSweepAt: null,
  skippedSweeps: 0,
};

/** How long a restart that is under way may go on when the monitor is stopped by itself. */
const DRAIN_MS = 10_000;

class HealthMonitor implements RunningJob {
  readonly name = 'health monitor';
  readonly #app: App;
  readonly #stop = { probes: new AbortController(), restarts: new AbortController() };
  readonly #keeper: LeaseKeeper;
  readonly #heartbeat;
  readonly #renewal: NodeJS.Timeout;
  readonly #job: ScheduledJob;
  readonly #news: NewsDesk;
  #lead: HeldLease | null = null;
  #standby = false;
  readonly #startedAt = new Date();
  #trouble: string | null = null;
  #progress: SweepProgress | null = null;
  #lastSweep: SweepSummary | null = null;
  #skippedForOthers = 0;
  #stopping: Promise<void> | null = null;

  constructor(app: App) {
    this.#app = app;
    this.#keeper = new LeaseKeeper(app.db, 'monitor', serverLog);
    this.#heartbeat = createHeartbeat(app.settings, serverLog);
    this.#news = new NewsDesk(
      app,
      { probes: this.#stop.probes.signal, restarts: this.#stop.restarts.signal },
      serverLog,
    );
    this.#job = scheduleJob('sweep', app.settings.healthCheckCron, serverLog, () => this.#sweep());
    this.#renewal = setInterval(() => {
      this.#leads().catch((error: unknown) =>
        serverLog.error(`the monitor lease could not be taken: ${messageOf(error)}`),
      );
    }, LEASE_RENEWAL_MS);
    serverLog.info(`health monitor started (schedule: ${app.settings.healthCheckCron})`);
  }

  get status(): MonitorStatus {
    return {
      role: this.#standby ? 'standby' : 'sweeping',
      startedAt: this.#startedAt,
      trouble: this.#trouble,
      progress: this.#progress,
      lastSweep: this.#lastSweep,
      nextSweepAt: this.#job.nextRunAt(),
      skippedSweeps: this.#job.skippedRuns() + this.#skippedForOthers,
    };
  }

  /** Looks are given up at once; a restart may go on until `patience` is aborted. A second call waits for the same end. */
  stop(patience: AbortSignal): Promise<void> {
    return (this.#stopping ??= this.#drain(patience));
  }

  async #sweep(): Promise<void> {
    const { probes, restarts } = this.#stop;
    const stop: StopSignals = { probes: probes.signal, restarts: restarts.signal };
    try {
      assertInPlace(this.#app.db);
      if (!(await this.#leads())) return;
      const result = await runHealthSweep(this.#app, { stop, onProgress: (now) => this.#show(now) });
      if (result.kind !== 'busy') this.#lastSweep = result.summary;
      if (result.kind === 'completed') this.#trouble = null;
      if (result.kind === 'unsaved') this.#trouble = result.summary.fault;
      // Not awaited: whoever listens there may be slow, and the next sweep must not wait for that.
      if (result.kind === 'completed' && databaseFault(this.#app.db) === null) void this.#heartbeat();
      if (result.kind === 'busy') {
        this.#skippedForOthers++;
        serverLog.info(
          `sweep skipped: the process ${result.pid} is sweeping (${this.status.skippedSweeps} skipped so far)`,
        );
      }
    } catch (error) {
      this.#trouble = troubleInWords(error);
      throw error;
    } finally {
      this.#show(null);
    }
  }

  #show(progress: SweepProgress | null): void {
    this.#progress = progress;
    tell(this.#app.db, { kind: 'monitor' });
  }

  /** Whether this process is the one that sweeps; asked in between too, so that a dead one is replaced within a minute. */
  async #leads(): Promise<boolean> {
    if (this.#stopping !== null) return false;
    if (this.#lead === null || this.#lead.lost.aborted) {
      const taken = await this.#keeper.hold().catch((error: unknown) => {
        this.#trouble = troubleInWords(error);
        throw error;
      });
      // What keeps others from sweeping, they say themselves.
      if ('pid' in taken) this.#trouble = null;
      this.#lead = 'pid' in taken ? null : taken;
      await this.#keepLinks(this.#lead !== null);
      this.#tellRole('pid' in taken ? taken.pid : null);
    }
    return this.#lead !== null;
  }

  /** Only who sweeps keeps links, and hears what they tell. */
  async #keepLinks(leads: boolean): Promise<void> {
    const links = linksOf(this.#app);
    if (leads) links.keep((vps, activeState) => this.#news.onNews(vps, activeState));
    else await links.endKeeping();
  }

  #tellRole(other: number | null): void {
    if ((other !== null) === this.#standby) return;
    this.#standby = other !== null;
    serverLog.info(
      this.#standby
        ? `standing by: the server process ${other} sweeps on this database`
        : 'taking over: the other server process is gone',
    );
  }

  async #drain(patience: AbortSignal): Promise<void> {
    clearInterval(this.#renewal);
    this.#stop.probes.abort();
    const giveUp = (): void => this.#stop.restarts.abort();
    if (patience.aborted) giveUp();
    patience.addEventListener('abort', giveUp, { once: true });
    await Promise.all([this.#job.stop(), this.#news.ended()]);
    await linksOf(this.#app).endKeeping();
    await this.#lead?.release();
    monitors(this.#app).running = null;
    serverLog.info('health monitor stopped');
  }
}

function troubleInWords(error: unknown): string {
  const trouble = databaseTrouble(error);
  return trouble === null ? messageOf(error) : `${trouble.title} ${trouble.remedy}`;
}

/** At most one a process: on the app, so that hot reload makes no second one. */
const monitors = (app: App): { running: HealthMonitor | null } =>
  partOf(app, 'health monitor', () => ({ running: null }));

/** Starts the job, once a process: further calls change nothing. */
export async function startHealthMonitor(givenApp?: App): Promise<RunningJob> {
  const app = givenApp ?? (await defaultApp());
  return (monitors(app).running ??= new HealthMonitor(app));
}

/**
 * Stops the job and waits until nothing of it runs any more: looks are given up at once, a restart under way has ten
 * seconds to end and be recorded. A second call waits for the same end.
 */
export async function stopHealthMonitor(givenApp?: App): Promise<void> {
  const app = givenApp ?? (await openedApp());
  if (!app) return;
  const patience = new AbortController();
  const timer = setTimeout(() => patience.abort(), DRAIN_MS);
  await monitors(app).running?.stop(patience.signal);
  clearTimeout(timer);
}

export const monitorStatus = (app: App): MonitorStatus => monitors(app).running?.status ?? OFF;
