import { readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import type { App } from '../../src/lib/app.ts';
import type { HealthCheck } from '../../src/lib/db/schema.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { linksOf } from '../../src/lib/monitoring/links.ts';
import { NewsDesk } from '../../src/lib/monitoring/news-desk.ts';
import { addTestVps, createSilentLog, ledgerOf, openScratchApp, stateOf, sweepOnce } from '../support/scratch-app.ts';
import { RIG_KEY_FILE, type RigMachine } from './machine.ts';

export type RigWard = {
  readonly app: App;
  state(): HealthCheck | undefined;
  /** What was restarted, and how that ended. */
  outcomes(): (string | null)[];
  sweep(): Promise<unknown>;
};

/** An app that keeps a link to this one machine and follows its news, as the process that sweeps does, but sweeps when told. */
export async function openRigWard(machine: RigMachine, user: string, more: Environment = {}): Promise<RigWard> {
  const scratch = await openScratchApp({
    SSH_COMMAND_TIMEOUT_MS: '5000',
    SSH_CONNECT_TIMEOUT_MS: '5000',
    RESTART_BUDGET: '1000',
    HEALTH_CHECK_CRON: '* * * * * *',
    ...more,
  });
  const { app } = scratch;
  const { userId } = await addTestVps(app, {
    host: machine.host,
    port: 22,
    user,
    privateKey: readFileSync(RIG_KEY_FILE, 'utf8'),
  });
  const log = createSilentLog();
  const stop = new AbortController();
  const desk = new NewsDesk(app, { probes: stop.signal, restarts: stop.signal }, log);
  linksOf(app).keep((whose, activeState) => desk.onNews(whose, activeState));
  onTestFinished(async () => {
    stop.abort();
    await desk.ended();
    await linksOf(app).endKeeping();
    scratch.close();
  });
  return {
    app,
    state: () => stateOf(app, userId),
    outcomes: () => ledgerOf(app, userId).map(({ outcome }) => outcome),
    sweep: () => sweepOnce(app, log),
  };
}
