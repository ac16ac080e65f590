import { eq } from 'drizzle-orm';
import { onTestFinished } from 'vitest';
import type { Machine } from '../../demo/machine.ts';
import { newKeyPair } from '../../demo/key-pair.ts';
import { encryptToken, privateKeyPlace } from '../../src/lib/crypto/encryption.ts';
import { subscriptions, users } from '../../src/lib/db/schema.ts';
import type { App } from '../../src/lib/app.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { startVps, type SimulatedVps } from './fleet.ts';
import { addTestVps, createSilentLog, openScratchApp, sweepOnce } from './scratch-app.ts';
import { runHealthSweep, type SweepProgress, type SweepSummary } from '../../src/lib/monitoring/sweep.ts';

export type SimulatedFleet = {
  readonly app: App;
  readonly vpss: readonly (SimulatedVps & { readonly id: string; readonly userId: string })[];
  readonly lines: string[];
  sweep(): Promise<SweepSummary>;
  /** One sweep that is stopped after so many looks. */
  sweepUntil(looked: number): Promise<SweepSummary>;
  /** Restarts sent to the whole fleet so far. */
  restarts(): number;
  set(change: Partial<Machine>, from: number, to: number): void;
  refuse(from: number, to: number): Promise<void>;
  accept(from: number, to: number): Promise<void>;
  /** Has the app use a key that no VPS lets in. */
  loseLogin(): void;
};

/** Simulated VPSs behind real SSH servers, an app that watches them, and one admin; all gone when the test is over. */
export async function openSimulatedFleet(size: number, environment: Environment = {}): Promise<SimulatedFleet> {
  const login = newKeyPair();
  const scratch = await openScratchApp({ RESTART_SETTLE_MS: '10', SSH_CONNECT_TIMEOUT_MS: '5000', ...environment });
  onTestFinished(() => scratch.close());
  const { app } = scratch;
  app.db.insert(users).values({ id: 'user-admin', email: 'admin@example.test', role: 'admin' }).run();
  const vpss: (SimulatedVps & { id: string; userId: string })[] = [];
  for (let index = 0; index < size; index++) {
    const vps = await startVps(login.public, {}, 0);
    onTestFinished(() => vps.host.close());
    const added = await addTestVps(app, { port: vps.host.port, user: 'test', privateKey: login.private });
    vpss.push({ ...vps, ...added });
  }
  const log = createSilentLog();
  return {
    app,
    vpss,
    lines: log.lines,
    sweep: () => sweepOnce(app, log),
    sweepUntil: async (looked) => {
      const [probes, restarts] = [new AbortController(), new AbortController()];
      const onProgress = ({ done }: SweepProgress): void => {
        if (done >= looked) probes.abort();
      };
      const stop = { probes: probes.signal, restarts: restarts.signal };
      const result = await runHealthSweep(app, { log, stop, onProgress });
      if (result.kind !== 'interrupted') throw new Error(`the sweep was not interrupted but ${result.kind}`);
      return result.summary;
    },
    restarts: () =>
      vpss.flatMap(({ commands }) => commands).filter((command) => command === 'sudo systemctl restart rachel8').length,
    set: (change, from, to) => {
      for (const { machine } of vpss.slice(from, to)) Object.assign(machine, change);
    },
    refuse: async (from, to) => {
      for (const { host } of vpss.slice(from, to)) await host.refuse();
    },
    accept: async (from, to) => {
      for (const { host } of vpss.slice(from, to)) await host.accept();
    },
    loseLogin: () => {
      const other = newKeyPair().private;
      for (const { id } of vpss) {
        const sshPrivateKey = encryptToken(other, privateKeyPlace(id), app.encryptionKey);
        app.db.update(subscriptions).set({ sshPrivateKey }).where(eq(subscriptions.id, id)).run();
      }
    },
  };
}
