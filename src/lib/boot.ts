import { once } from 'node:events';
import { defaultApp, type App } from './app.ts';
import { offerFirstAdmin } from './auth/first-admin.ts';
import { ConfigurationError } from './environment.ts';
import { DatabaseError } from './db/client.ts';
import { startHistoryRetention, stopHistoryRetention } from './history/retention.ts';
import { startGracePeriodEnforcer, stopGracePeriodEnforcer } from './jobs/grace-period-enforcer.ts';
import { createLog, messageOf } from './log.ts';
import { closeStreams } from './live/stream.ts';
import { startHealthMonitor, stopHealthMonitor } from './monitoring/health-checker.ts';
import { stopOnDemand } from './monitoring/on-demand.ts';
import { startDispatcher, stopDispatcher } from './notifications/dispatcher.ts';

const log = createLog('wardround');
const BOOTED = Symbol.for('wardround.booted');
const shared = globalThis as { [BOOTED]?: true };

/**
 * Opens the database, starts the jobs and sees to their end at SIGTERM and SIGINT. Further calls (hot reload) change
 * nothing. A problem that a person can mend ends the process with its message; anything else is thrown.
 */
export async function bootServer({ exitAfterStop }: { readonly exitAfterStop: boolean }): Promise<void> {
  if (shared[BOOTED]) return;
  try {
    const app = await defaultApp();
    shared[BOOTED] = true;
    if (app.createdKeyFile !== null)
      log.info(
        `made a fresh encryption key in ${app.createdKeyFile}: back it up, without it no stored SSH key can be read`,
      );
    const link = await offerFirstAdmin(app, new Date());
    if (link !== null) log.info(`there is no administrator yet; become it, within 24 hours, at ${link}`);
    if (app.settings.monitorEnabled) await startHealthMonitor(app);
    else log.info('health monitor is off (ENABLE_HEALTH_MONITOR=true starts it)');
    startGracePeriodEnforcer(app);
    startHistoryRetention(app);
    startDispatcher(app);
    stopOnSignals(app, exitAfterStop);
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

function stopOnSignals(app: App, exitAfterStop: boolean): void {
  let stoppingSinceMs: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSinceMs !== null) {
      // Whoever asks again means now.
      if (performance.now() - stoppingSinceMs > SAME_SIGNAL_MS) process.exit(1);
      return;
    }
    stoppingSinceMs = performance.now();
    log.info(`${signal}: stopping; a restart under way may end first`);
    // The server waits for its requests, and a stream is one that never ends.
    closeStreams(app);
    const jobs = [
      stopHealthMonitor(),
      stopOnDemand(),
      stopGracePeriodEnforcer(),
      stopHistoryRetention(),
      stopDispatcher(),
    ];
    const drained = Promise.all(jobs).catch((error: unknown) => {
      log.error(`stopping failed: ${messageOf(error)}`);
      process.exitCode = 1;
    });
    // Vite's dev server waits for a signal that is taken here. A built server first lets its requests end, and could
    // end by itself, but for a timer that node-schedule loses sight of when the clock was set back.
    const served = exitAfterStop ? Promise.resolve() : once(process, 'sveltekit:shutdown');
    // The last requests may have asked for something, which is then closed as not done.
    void Promise.all([drained, served])
      .then(stopOnDemand)
      .then(() => process.exit());
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
}
