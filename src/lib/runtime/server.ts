import { once } from 'node:events';
import { defaultApp, partOf, type App } from '../app.ts';
import { offerFirstAdmin } from '../auth/first-admin.ts';
import { parseSettings } from '../config.ts';
import { ConfigurationError, readEnvironment } from '../environment.ts';
import { DatabaseError } from '../db/trouble.ts';
import { importRunsOf } from '../fleet-admin/import-runs.ts';
import { closeStreams } from '../live/stream.ts';
import { createLog, logAsJson, messageOf } from '../log.ts';
import { onDemandOf } from '../monitoring/on-demand.ts';
import type { RunningJob } from '../schedule.ts';
import { startCounting } from './metrics.ts';
import { startTracing } from './tracing.ts';

const log = createLog('wardround');

/** How long all that is under way may go on when the server stops: restarts, messages. */
const PATIENCE_MS = 10_000;

/** The running server: everything that goes on in an app beside its requests, with one beginning and one end. */
export class Server {
  readonly app: App;
  readonly #jobs: RunningJob[];
  #stopping: Promise<boolean> | null = null;

  constructor(app: App) {
    this.app = app;
    // Admins may ask for checks and restarts whether the monitor is on or not.
    const onDemand = onDemandOf(app);
    const imports = importRunsOf(app);
    this.#jobs = [
      { name: 'what admins have asked for', stop: (patience) => onDemand.stop(patience) },
      { name: 'imports', stop: () => imports.stopAll() },
    ];
  }

  /** Takes a job into its care: it ends with the server. */
  own(job: RunningJob): void {
    this.#jobs.push(job);
  }

  /**
   * Ends every job, all at once and with one patience. Resolves when the last one has ended: true where each of them
   * could, false where one failed, which is logged and keeps no other from its end. A second call waits for the same.
   */
  stop(patienceMs = PATIENCE_MS): Promise<boolean> {
    return (this.#stopping ??= this.#end(patienceMs));
  }

  async #end(patienceMs: number): Promise<boolean> {
    // The web server waits for its requests, and a stream is one that never ends.
    closeStreams(this.app);
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), patienceMs);
    const ends = await Promise.allSettled(this.#jobs.map(async (job) => job.stop(patience.signal)));
    clearTimeout(timer);
    const failed = ends.flatMap((end, index) => (end.status === 'rejected' ? [{ end, job: this.#jobs[index] }] : []));
    for (const { end, job } of failed) log.error(`${job?.name} could not be stopped: ${messageOf(end.reason)}`);
    return failed.length === 0;
  }
}

/**
 * Opens the database, lets `start` begin the jobs, and sees to their end at SIGTERM, SIGINT and SIGHUP. Further calls
 * (hot reload) change nothing. A problem that a person can mend ends the process with its message; anything else is
 * thrown.
 */
export async function startServer(
  start: (server: Server) => Promise<void>,
  { exitAfterStop }: { readonly exitAfterStop: boolean },
): Promise<void> {
  try {
    // Before the database is opened, of which there may be something to say.
    if (parseSettings(readEnvironment()).logFormat === 'json') await logAsJson();
    const app = await defaultApp();
    const slot = partOf(app, 'server', () => ({ server: null as Server | null }));
    if (slot.server !== null) return;
    slot.server = new Server(app);
    startCounting(app);
    const tracing = await startTracing(app);
    if (tracing !== null) slot.server.own(tracing);
    const { databasePath } = app.settings;
    if (app.isNewDatabase)
      log.info(`began a new database at ${databasePath}; if there should be one, stop now: is its disk mounted?`);
    if (app.createdKeyFile !== null)
      log.info(
        `made a fresh encryption key in ${app.createdKeyFile}: back it up, without it no stored SSH key can be read`,
      );
    const link = await offerFirstAdmin(app, new Date());
    if (link !== null) log.info(`there is no administrator yet; become it, within 24 hours, at ${link}`);
    await start(slot.server);
    stopOnSignals(slot.server, exitAfterStop);
    // Not before: a page may still be on its way when the jobs have ended.
    process.once('exit', () => app.close());
  } catch (error) {
    if (!(error instanceof ConfigurationError || error instanceof DatabaseError)) throw error;
    console.error(error.message);
    process.exit(1);
  }
}

/** Ctrl-C under npm arrives twice at once: from the terminal and from npm. */
const SAME_SIGNAL_MS = 1_000;

function stopOnSignals(server: Server, exitAfterStop: boolean): void {
  let stoppingSinceMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSinceMs !== null) {
      // Whoever asks again means now.
      if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSinceMs = performance.now();
    log.info(`${signal}: stopping; a restart under way may end first`);
    void end(server, signal, exitAfterStop);
  };
  // A terminal that is closed is no reason to cut a restart off.
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, onSignal);
}

async function end(server: Server, signal: NodeJS.Signals, exitAfterStop: boolean): Promise<void> {
  // Vite's dev server waits for a signal that is taken here. A built server first lets its requests end, and could
  // end by itself, but for a timer that node-schedule loses sight of when the clock was set back. It knows no SIGHUP.
  const served = exitAfterStop || signal === 'SIGHUP' ? Promise.resolve() : once(process, 'sveltekit:shutdown');
  const [stopped] = await Promise.all([server.stop(), served]);
  // The last requests may have asked for something, which is then closed as not done.
  await onDemandOf(server.app).stop(AbortSignal.abort());
  process.exit(stopped ? 0 : 1);
}
