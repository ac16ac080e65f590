// `npm run bench -- store [--fleet N] [--days N]`: how many checks a second are recorded with all that follows from them, in
// batches of five, one transaction each, into a database that holds the history of so many VPSs; and what the pages read
// from it.
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR, type Actor } from '../src/lib/auth/actor.ts';
import { openDatabase } from '../src/lib/db/client.ts';
import { takeLease } from '../src/lib/db/lease.ts';
import { subscriptions } from '../src/lib/db/schema.ts';
import { listActive } from '../src/lib/monitoring/fleet.ts';
import { monitorStatus } from '../src/lib/monitoring/health-checker.ts';
import { recordChecks, type LookRecord } from '../src/lib/monitoring/health-store.ts';
import { targetOf } from '../src/lib/monitoring/vps-target.ts';
import { readFleetList } from '../src/lib/views/fleet-list.ts';
import { parseFleetQuery } from '../src/lib/views/fleet-query.ts';
import { readVpsPage } from '../src/lib/views/vps-page-read.ts';
import { median, report } from './report.ts';
import { addFleet, DAY_MS, fillHistory, looks, MINUTE_MS, userIdOf } from './simulated-history.ts';

const { values } = parseArgs({
  options: {
    fleet: { type: 'string', default: '10000' },
    days: { type: 'string', default: '90' },
    json: { type: 'boolean' },
  },
});
const FLEET = Number(values.fleet);
const WEEK_MS = 7 * DAY_MS;
const WEEKS = Math.ceil(Number(values.days) / 7);
/** An hour, so that all that is put off is in it once: recent samples are moved once an hour, of each VPS at its own minute. */
const SWEEPS = 60;
/** By then they are as many as they get. */
const SWEEPS_BEFORE = 60;
const BATCH = 5;
const VIEWS = 51;
const HOST_KEY = 'ssh-ed25519 AAAA';

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const environment = { DATABASE_URL: join(folder, 'w.db'), ENCRYPTION_KEY_FILE: join(folder, 'key') };
const app = await openApp(environment, 'server');
const client = app.db.$client;
const toMs = Math.floor(Date.now() / WEEK_MS) * WEEK_MS;

client.pragma('synchronous = OFF');
client.pragma('cache_size = -600000');
addFleet(app, 0, FLEET);
app.db.update(subscriptions).set({ sshHostKey: HOST_KEY }).run();
const weeks = await openDatabase(join(folder, 'weeks.db'), resolve('drizzle'), 'server');
await fillHistory(app, weeks, FLEET, toMs - WEEKS * WEEK_MS, toMs);
weeks.$client.close();
client.pragma('cache_size = -65536');
client.pragma('synchronous = FULL');
client.pragma('wal_checkpoint(TRUNCATE)');

const tenure = await takeLease(app.db, 'sweep', 'bench');
if ('takenBy' in tenure) throw new Error('somebody else has the lease');
let nowMs = toMs;

/** All is well, as nearly always. */
const lookAt = ({ subscription }: ReturnType<typeof listActive>[number], index: number): LookRecord => {
  const [look] = looks(index, nowMs, nowMs + MINUTE_MS);
  return {
    kind: 'look',
    userId: subscription.userId,
    subscriptionId: subscription.id,
    target: targetOf(subscription),
    hostKey: HOST_KEY,
    link: null,
    check: {
      lookedAt: new Date(nowMs + index),
      verdict: { kind: 'healthy' },
      healing: { action: 'none', reason: 'not_called_for' },
      maintenance: false,
      probeMs: look?.probeMs ?? 100,
    },
  };
};

const timed = (work: () => unknown): number => {
  const startMs = performance.now();
  work();
  return performance.now() - startMs;
};
const sweepMs: number[] = [];
const cpuUs: number[] = [];
const listMs: number[] = [];
for (let sweep = 0; sweep < SWEEPS_BEFORE + SWEEPS; sweep++, nowMs += MINUTE_MS) {
  let due: ReturnType<typeof listActive> = [];
  const readMs = timed(() => (due = listActive(app.db, app.settings)));
  const records = due.map(lookAt);
  const beganAt = performance.now();
  const before = process.cpuUsage();
  for (let start = 0; start < records.length; start += BATCH)
    await recordChecks(app.db, tenure, records.slice(start, start + BATCH), app.settings);
  const { user, system } = process.cpuUsage(before);
  const tookMs = performance.now() - beganAt;
  if (sweep < SWEEPS_BEFORE) continue;
  listMs.push(readMs);
  sweepMs.push(tookMs);
  cpuUs.push((user + system) / FLEET);
}

const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value) / values.length;
const perSecond = (ms: number): number => (FLEET / ms) * 1_000;
const now = new Date(nowMs);
const query = parseFleetQuery(new URLSearchParams());
const customer = (run: number): Actor => ({ role: 'customer', userId: userIdOf((run * 37) % FLEET) });
const viewed = (view: (run: number) => unknown): number =>
  median(Array.from({ length: VIEWS }, (_, run) => timed(() => view(run))));
const fleetMs = viewed(() => readFleetList(app, LOCAL_OPERATOR, query, now));
const vpsPage = (actor: Actor, run: number): void => {
  const id = `vps-${(run * 37) % FLEET}`;
  if (!readVpsPage(app, actor, { id, window: '24h' }, { monitor: monitorStatus(app), now })) throw new Error(id);
};
const customerMs = viewed((run) => vpsPage(customer(run), run));
const adminMs = viewed((run) => vpsPage(LOCAL_OPERATOR, run));
const sizeMb = statSync(app.settings.databasePath).size / 1e6;
app.close();
rmSync(folder, { recursive: true });
report(
  'store',
  `${FLEET} healthy VPSs with ${WEEKS * 7} days of history, ${SWEEPS} sweeps in batches of ${BATCH}, one transaction each; medians but for the checks`,
  [
    { what: 'checks recorded', value: perSecond(mean(sweepMs)), unit: '/s', bar: { atLeast: 20_000 } },
    { what: 'the same in the slowest sweep', value: perSecond(Math.max(...sweepMs)), unit: '/s' },
    { what: 'processor time of a check', value: mean(cpuUs), unit: 'µs' },
    { what: 'reading the fleet at the beginning of a sweep', value: median(listMs), unit: 'ms' },
    { what: 'what the fleet page reads', value: fleetMs, unit: 'ms', bar: { atMost: 30 } },
    { what: "what a customer's page reads", value: customerMs, unit: 'ms', bar: { atMost: 10 } },
    { what: 'what the page of a VPS reads for an admin', value: adminMs, unit: 'ms' },
    { what: 'size of the database', value: sizeMb, unit: 'MB' },
  ],
);
