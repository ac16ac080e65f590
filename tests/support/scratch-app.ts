import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { asc, eq } from 'drizzle-orm';
import { expect, onTestFinished } from 'vitest';
import { openApp, type App } from '../../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../../src/lib/auth/actor.ts';
import type { Environment } from '../../src/lib/environment.ts';
import { healthChecks, restartAttempts, type HealthCheck } from '../../src/lib/db/schema.ts';
import { addVps } from '../../src/lib/fleet-admin/fleet-admin.ts';
import { endMaintenance, planMaintenance } from '../../src/lib/fleet-admin/vps-actions.ts';
import { parseMaintenance } from '../../src/lib/fleet-admin/maintenance-request.ts';
import { inTerminal } from '../../src/lib/parsing/problems.ts';
import { parseVps, type VpsDescription } from '../../src/lib/fleet-admin/new-vps.ts';
import type { Log } from '../../src/lib/log.ts';
import { runHealthSweep, type SweepSummary } from '../../src/lib/monitoring/sweep.ts';
import { startSshHost, type SshHost, type Verb } from './sshd.ts';

const MIGRATIONS_DIR = fileURLToPath(new URL('../../drizzle', import.meta.url));

export type ScratchApp = {
  /** The app as it is open now. */
  readonly app: App;
  /** Closes the app and opens it anew on the same files, as a restart of the server does. */
  reopen(): Promise<App>;
  close(): void;
};

/** A real app on a database and a key file of its own, in a temporary folder. */
export async function openScratchApp(overrides: Environment = {}): Promise<ScratchApp> {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-app-'));
  const environment: Environment = {
    DATABASE_URL: join(folder, 'wardround.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'encryption.key'),
    // Every host of a test is on loopback.
    ALLOWED_ADDRESSES: 'any',
    MIGRATIONS_DIR,
    RESTART_SETTLE_MS: '50',
    ...overrides,
  };
  let app = await openApp(environment, 'server');
  return {
    get app() {
      return app;
    },
    reopen: async () => {
      app.close();
      app = await openApp(environment, 'server');
      return app;
    },
    close: () => {
      app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

let customers = 0;

/** Puts a VPS into the fleet, through the same code as the command line. */
export async function addTestVps(
  app: App,
  given: Omit<VpsDescription, 'customer' | 'host' | 'port'> & { host?: string; port: number },
): Promise<{ id: string; userId: string }> {
  const customer = `customer-${++customers}@example.com`;
  const parsed = parseVps({ customer, host: '127.0.0.1', ...given, port: String(given.port) });
  if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
  return addVps(app, LOCAL_OPERATOR, parsed.vps);
}

/** Begins or ends maintenance without a set end, through the same code as the command line. */
export async function setMaintenance(app: App, vps: { id: string }, on: boolean): Promise<void> {
  if (!on) {
    await endMaintenance(app, LOCAL_OPERATOR, [vps.id], new Date());
    return;
  }
  const parsed = parseMaintenance({}, new Date());
  if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
  await planMaintenance(app, LOCAL_OPERATOR, [vps.id], parsed.window);
}

export const stateOf = (app: App, userId: string): HealthCheck | undefined =>
  app.db.select().from(healthChecks).where(eq(healthChecks.userId, userId)).get();

/** The restart ledger, oldest first. */
export const ledgerOf = (app: App, userId: string): (typeof restartAttempts.$inferSelect)[] =>
  app.db
    .select()
    .from(restartAttempts)
    .where(eq(restartAttempts.userId, userId))
    .orderBy(asc(restartAttempts.intendedAt))
    .all();

const TIMES = {
  health_checks: [
    'circuit_opened_at',
    'last_check_at',
    'last_healthy_at',
    'last_failure_at',
    'last_restart_attempt_at',
    'last_notified_down_at',
    'last_notified_up_at',
    'transitional_since',
    'starting_since',
    'starting_until',
    'auth_retry_at',
  ],
  restart_attempts: ['intended_at', 'finished_at'],
  incidents: ['opened_at', 'ended_at', 'circuit_opened_at', 'acknowledged_at'],
};

/** Makes everything that is stored of the fleet's health this much older. */
export function letTimePass(app: App, ms: number): void {
  for (const [table, columns] of Object.entries(TIMES)) {
    const older = columns.map((column) => `${column} = ${column} - ${ms}`).join(', ');
    app.db.$client.prepare(`UPDATE ${table} SET ${older}`).run();
  }
}

/** Keeps what is logged, and prints nothing. */
export function createSilentLog(): Log & { readonly lines: string[] } {
  const lines: string[] = [];
  const keep = (line: string): void => void lines.push(line);
  return { lines, info: keep, error: keep };
}

export type Ward = {
  readonly scratch: ScratchApp;
  readonly app: App;
  readonly host: SshHost;
  readonly id: string;
  readonly userId: string;
  readonly lines: string[];
  readonly log: Log;
  /** One whole sweep; fails when it was not completed. */
  sweep(): Promise<SweepSummary>;
  state(): HealthCheck | undefined;
};

/** An app with one VPS in its fleet, and that VPS; both are gone when the test is over. */
export async function openWard({
  environment,
  ...vps
}: { environment?: Environment } & Partial<Omit<VpsDescription, 'customer' | 'port'>> = {}): Promise<Ward> {
  const host = await startTestHost();
  const scratch = await openScratchApp(environment);
  onTestFinished(() => scratch.close());
  const { port, user, privateKey } = host;
  const { id, userId } = await addTestVps(scratch.app, { port, user, privateKey, ...vps });
  const log = createSilentLog();
  return {
    scratch,
    get app() {
      return scratch.app;
    },
    host,
    id,
    userId,
    log,
    lines: log.lines,
    sweep: () => sweepOnce(scratch.app, log),
    state: () => stateOf(scratch.app, userId),
  };
}

/** An SSH host that is gone when the test is over. */
export async function startTestHost(): Promise<SshHost> {
  const host = await startSshHost();
  onTestFinished(() => host.close());
  return host;
}

/** One whole sweep; fails when it was not completed. */
export async function sweepOnce(app: App, log: Log = createSilentLog()): Promise<SweepSummary> {
  const result = await runHealthSweep(app, { log });
  if (result.kind !== 'completed') throw new Error(`the sweep was not completed but ${result.kind}`);
  return result.summary;
}

/** Waits for something that another process does. */
export const until = (read: () => number, wanted: number): Promise<void> =>
  expect.poll(read, { timeout: 10_000, interval: 10 }).toBe(wanted);

/** Does `meanwhile` while the next command with this verb waits on the host, and then lets it go on. */
export async function whileHeld(host: SshHost, verb: Verb, meanwhile: () => Promise<unknown>): Promise<void> {
  const before = host.count(verb);
  const release = host.hold(verb);
  try {
    await until(() => host.count(verb), before + 1);
    await meanwhile();
  } finally {
    release();
  }
}

/** One whole sweep of one VPS, with something that happens in the middle of it: see `whileHeld`. */
export async function sweepWhileHeld(ward: Ward, verb: Verb, meanwhile: () => Promise<unknown>): Promise<void> {
  const sweeping = ward.sweep();
  try {
    await whileHeld(ward.host, verb, meanwhile);
  } finally {
    // Also after a failed assertion: the next test could not sweep.
    await sweeping;
  }
}
