import { onTestFinished } from 'vitest';
import { newKeyPair } from '../../demo/key-pair.ts';
import type { Machine } from '../../demo/machine.ts';
import type { App } from '../../src/lib/app.ts';
import type { Environment } from '../../src/lib/environment.ts';
import type { HealthCheck } from '../../src/lib/db/schema.ts';
import type { LinkKind } from '../../src/lib/facts/link.ts';
import { linksOf } from '../../src/lib/monitoring/links.ts';
import { NewsDesk } from '../../src/lib/monitoring/news-desk.ts';
import type { SweepSummary } from '../../src/lib/monitoring/sweep.ts';
import { startVps, type SimulatedVps } from './fleet.ts';
import { addTestVps, createSilentLog, openScratchApp, stateOf, sweepOnce, type ScratchApp } from './scratch-app.ts';

export type LinkedVps = SimulatedVps & {
  readonly id: string;
  readonly userId: string;
  state(): HealthCheck | undefined;
};

export type LinkedWard = {
  readonly scratch: ScratchApp;
  readonly app: App;
  readonly vpss: readonly LinkedVps[];
  /** The first of them. */
  readonly vps: LinkedVps;
  readonly lines: string[];
  sweep(): Promise<SweepSummary>;
  /** Ends the keeping of links and the following of news, and waits for that. */
  end(): Promise<void>;
};

/**
 * Simulated VPSs in an app that keeps links to them and follows their news, as the process that sweeps does, but sweeps
 * only when told to. All is gone when the test is over.
 */
export async function openLinkedWard({
  kind,
  machines = [{}],
  environment = {},
}: {
  readonly kind: LinkKind | 'auto';
  readonly machines?: readonly Partial<Machine>[];
  readonly environment?: Environment;
}): Promise<LinkedWard> {
  const login = newKeyPair();
  const scratch = await openScratchApp({ SSH_LINK: kind, ...environment });
  const { app } = scratch;
  const vpss: LinkedVps[] = [];
  for (const behaviour of machines) {
    const vps = await startVps(login.public, { bus: 'start', ...behaviour }, 0);
    onTestFinished(() => vps.host.close());
    const { id, userId } = await addTestVps(app, { port: vps.host.port, user: 'test', privateKey: login.private });
    vpss.push({ ...vps, id, userId, state: () => stateOf(app, userId) });
  }
  const [vps] = vpss;
  if (vps === undefined) throw new Error('a ward without a VPS');
  const log = createSilentLog();
  const stop = new AbortController();
  const desk = new NewsDesk(app, { probes: stop.signal, restarts: stop.signal }, log);
  linksOf(app).keep((whose, activeState) => desk.onNews(whose, activeState));
  const end = async (): Promise<void> => {
    stop.abort();
    await desk.ended();
    await linksOf(app).endKeeping();
  };
  onTestFinished(async () => {
    await end();
    scratch.close();
  });
  return { scratch, app, vpss, vps, lines: log.lines, sweep: () => sweepOnce(app, log), end };
}
