// `npm run bench -- recovery`: how soon a service that is killed is active again, through the whole product (look, verdict,
// intent, ledger, evidence, order), at the default schedule. Simulated VPSs on loopback, or real ones:
//   --simulated [--round-trip MS] [--link fresh|kept|bus] [--services N]
//   --hosts A,B,… --key FILE [--user USER] --kill 'COMMAND with {host}' [--link …] [--services N]
// With real ones the end is what an observer of its own hears over the bus of that host.
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs, promisify } from 'node:util';
import { newKeyPair } from '../demo/key-pair.ts';
import { healthyMachine } from '../demo/machine.ts';
import { startSshHost } from '../demo/ssh-host.ts';
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { healthChecks, restartAttempts, restartEvidence } from '../src/lib/db/schema.ts';
import { addVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { parseVps } from '../src/lib/fleet-admin/new-vps.ts';
import { startHealthMonitor, stopHealthMonitor } from '../src/lib/monitoring/health-checker.ts';
import { UnitBus } from '../src/lib/provisioning/bus/unit-bus.ts';
import { SSHSession } from '../src/lib/provisioning/ssh-session.ts';
import { quantile, report, type Figure } from './report.ts';

/** A service that can be killed; `onActive` is called whenever it has become active. */
type Victim = { readonly host: string; readonly port: number; kill(): Promise<unknown>; onActive: () => void };

/** More than half of a fleet within a minute would be a mass stop, and healing would pause. */
const SPREAD_MS = 180_000;
const INTERVAL_MS = 60_000;
const PATIENCE_MS = 150_000;

const { values } = parseArgs({
  options: {
    simulated: { type: 'boolean', default: false },
    'round-trip': { type: 'string', default: '0' },
    link: { type: 'string', default: 'bus' },
    services: { type: 'string', default: '50' },
    hosts: { type: 'string' },
    key: { type: 'string' },
    user: { type: 'string', default: 'root' },
    kill: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const { hosts, key, kill, user, link } = values;
const [services, roundTripMs] = [Number(values.services), Number(values['round-trip'])];
if (!values.simulated && (hosts === undefined || key === undefined || kill === undefined)) {
  console.error('either --simulated, or --hosts A,B,… --key FILE --kill COMMAND');
  process.exit(2);
}

const login = newKeyPair();
const privateKey = key === undefined ? login.private : readFileSync(key, 'utf8');
const closers: (() => Promise<unknown>)[] = [];

async function simulate(): Promise<Victim> {
  const machine = healthyMachine({ bus: 'start' });
  const host = await startSshHost(machine, '127.0.0.1', login.public, { latencyMs: () => roundTripMs });
  closers.push(() => host.close());
  const kill = (): Promise<void> => {
    machine.unit = 'failed';
    return Promise.resolve();
  };
  const victim: Victim = { host: '127.0.0.1', port: host.port, kill, onActive: () => undefined };
  machine.watchers.add(() => {
    if (machine.unit === 'active') victim.onActive();
  });
  return victim;
}

async function observe(host: string): Promise<Victim> {
  const run = (): Promise<unknown> => promisify(execFile)('/bin/sh', ['-c', (kill ?? '').replaceAll('{host}', host)]);
  const victim: Victim = { host, port: 22, kill: run, onActive: () => undefined };
  const session = await SSHSession.open({ host, username: user, privateKey }, { timeoutMs: 10_000 });
  const listener = {
    onState: (state: string) => {
      if (state === 'active') victim.onActive();
    },
    onEnd: () => undefined,
  };
  await UnitBus.open(session, 'rachel8', { timeoutMs: 10_000, listener });
  closers.push(() => session.close());
  return victim;
}

const victims = values.simulated
  ? await Promise.all(Array.from({ length: services }, simulate))
  : await Promise.all((hosts ?? '').split(',').map(observe));

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const app = await openApp(
  {
    DATABASE_URL: join(folder, 'w.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'key'),
    ALLOWED_ADDRESSES: 'any',
    SSH_LINK: link,
    // Many services die here within a minute, one after the other: that is no bad release.
    MAX_RESTARTS_PER_SWEEP: String(services),
    RESTART_BUDGET: '1000',
  },
  'server',
);
for (const [index, { host, port }] of victims.entries()) {
  const customer = `c${index}@bench.example`;
  const parsed = parseVps({ customer, host, port: String(port), user: values.simulated ? 'bench' : user, privateKey });
  if ('problems' in parsed) throw new Error('a VPS could not be added');
  await addVps(app, LOCAL_OPERATOR, parsed.vps);
}
const print = console.log;
console.log = () => undefined;
await startHealthMonitor(app);
const healthy = (): number =>
  app.db
    .select()
    .from(healthChecks)
    .all()
    .filter(({ status, lastCheckAt }) => status === 'healthy' && lastCheckAt !== null).length;
while (healthy() < victims.length) await sleep(200);

const tookMs: number[] = [];
let lost = 0;
async function killOne(victim: Victim, atMs: number): Promise<void> {
  await sleep(atMs);
  const back = Promise.withResolvers<boolean>();
  const giveUp = setTimeout(() => back.resolve(false), PATIENCE_MS);
  const startedAtMs = performance.now();
  victim.onActive = () => back.resolve(true);
  await victim.kill();
  if (await back.promise) tookMs.push(performance.now() - startedAtMs);
  else lost += 1;
  clearTimeout(giveUp);
}
// Each service dies at most once an interval: the next death within it is for the sweep.
for (let done = 0; done < services; done += victims.length) {
  const round = victims.slice(0, services - done);
  await Promise.all(round.map((victim) => killOne(victim, Math.random() * SPREAD_MS)));
  if (done + victims.length < services) await sleep(INTERVAL_MS);
}
while (
  app.db
    .select()
    .from(restartAttempts)
    .all()
    .some(({ outcome }) => outcome === null)
)
  await sleep(100);
const restarts = app.db.select().from(restartAttempts).all();
const evidence = app.db
  .select()
  .from(restartEvidence)
  .all()
  .filter(({ unit }) => unit !== '').length;
await stopHealthMonitor(app);
console.log = print;
await Promise.all(closers.map((close) => close()));
app.close();
rmSync(folder, { recursive: true });

const bars: Readonly<Record<string, readonly [median: number, p95: number | null]>> =
  roundTripMs >= 50 ? { bus: [750, null] } : { bus: [250, 1_000], fresh: [35_000, null] };
const [medianBar, p95Bar] = bars[link] ?? [null, null];
const bar = (atMost: number | null | undefined): Pick<Figure, 'bar'> => (atMost == null ? {} : { bar: { atMost } });
report(
  'recovery',
  `${services} deaths at random moments of ${victims.length} ${values.simulated ? `simulated VPSs, ${roundTripMs} ms away` : 'real VPSs'}; link ${link}, a sweep a minute`,
  [
    { what: 'active again, median', value: quantile(tookMs, 0.5), unit: 'ms', ...bar(medianBar) },
    { what: 'active again, p95', value: quantile(tookMs, 0.95), unit: 'ms', ...bar(p95Bar) },
    { what: 'not active again', value: lost, unit: '', bar: { atMost: 0 } },
    { what: 'restarts in the ledger', value: restarts.length, unit: '', bar: { atMost: services } },
    { what: 'restarts with the evidence of the unit', value: evidence, unit: '', bar: { atLeast: services } },
  ],
);
