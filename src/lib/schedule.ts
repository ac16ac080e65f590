import cronParser from 'cron-parser';
import schedule from 'node-schedule';
import { messageOf, type Log } from './log.ts';

/** What a server runs for as long as it lives. */
export type RunningJob = {
  readonly name: string;
  /** Begins nothing more and resolves when all has ended. What is under way may go on until `patience` is aborted. */
  stop(patience: AbortSignal): Promise<void>;
};

export type ScheduledJob = {
  /** When the next run is due; null once stopped. */
  nextRunAt(): Date | null;
  /** Runs that were left out because the one before was not done. */
  skippedRuns(): number;
  /** No further run starts; resolves when the one that runs now has ended. */
  stop(): Promise<void>;
};

const WATCHDOG_MS = 5_000;
/** A run this much later than due was forgotten by the timer: a clock set back makes node-schedule wait as long. */
const MISSED_AFTER_MS = 5_000;

/** A timer may fire a little before its time. */
const EARLY_MS = 500;

/**
 * How far apart the run that is due at `now` and the one before it are. Not the next two: an expression such as
 * `0,5,10 * * * *` has pauses, and the run before a pause comes no sooner than the others.
 */
export function intervalMs(cron: string, now: Date): number {
  const runs = cronParser.parseExpression(cron, { currentDate: new Date(now.getTime() + EARLY_MS) });
  const due = runs.prev().getTime();
  return due - runs.prev().getTime();
}

/** When a cron expression fires next after a time; null: never (30 February). */
export function nextRunAfter(cron: string, after: Date): Date | null {
  try {
    return cronParser.parseExpression(cron, { currentDate: after }).next().toDate();
  } catch {
    return null;
  }
}

/**
 * Runs `run` at the times of a cron expression (five fields, or six with seconds), one at a time. A failure is logged
 * and costs that run only. node-schedule fires by the wall clock; this measures with one that is never set: a burst
 * after a jump forward gives one run, and a watchdog starts the run that a jump back has swallowed.
 */
export function scheduleJob(name: string, cron: string, log: Log, run: () => Promise<unknown>): ScheduledJob {
  let running: Promise<void> | null = null;
  let lastPeriodMs = -Infinity;
  let lastFiredMs = -Infinity;
  let skipped = 0;
  let stopped = false;
  let job: schedule.Job;
  let dueMs = Infinity;

  const fire = (): void => {
    if (stopped) return;
    const nowMs = performance.now();
    const sinceFiredMs = nowMs - lastFiredMs;
    lastFiredMs = nowMs;
    // A burst, one for each period that a clock set forward has jumped over: reading the expression takes longer than that.
    if (sinceFiredMs < EARLY_MS) return;
    dueMs = nextDueMs(cron);
    // Each period is run or skipped once.
    if (nowMs - lastPeriodMs < intervalMs(cron, new Date()) / 2) return;
    lastPeriodMs = nowMs;
    if (running !== null) {
      skipped++;
      log.info(`${name} skipped: the one before is still running (${skipped} skipped so far)`);
      return;
    }
    running = run()
      .then(() => undefined)
      .catch((error: unknown) => log.error(`${name} failed: ${messageOf(error)}`))
      .finally(() => {
        running = null;
      });
  };
  const start = (): void => {
    job = schedule.scheduleJob(cron, fire);
    job.on('error', (error: unknown) => log.error(`${name} failed: ${messageOf(error)}`));
    dueMs = nextDueMs(cron);
  };
  start();

  const watchdog = setInterval(() => {
    if (performance.now() < dueMs + MISSED_AFTER_MS) return;
    log.info(`${name} was due and did not start: the clock was set, or the process stood still; starting it now`);
    job.cancel();
    start();
    fire();
  }, WATCHDOG_MS);
  watchdog.unref();

  return {
    nextRunAt: () =>
      stopped ? null : ((job.nextInvocation() as unknown as { toDate(): Date } | null)?.toDate() ?? null),
    skippedRuns: () => skipped,
    stop: async () => {
      stopped = true;
      clearInterval(watchdog);
      job.cancel();
      await running;
    },
  };
}

const nextDueMs = (cron: string): number =>
  performance.now() + cronParser.parseExpression(cron).next().getTime() - Date.now();
