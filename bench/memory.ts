// `npm run bench -- memory [--sweeps N] [--fleet N] [--link auto|fresh|kept|bus]`: whether the monitor keeps anything that it
// should not. A sweep of simulated VPSs each four seconds; between them services die and hosts fall silent, and buses tell
// of it.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eq } from 'drizzle-orm';
import { openApp } from '../src/lib/app.ts';
import { restartAttempts } from '../src/lib/db/schema.ts';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { monitorStatus, startHealthMonitor, stopHealthMonitor } from '../src/lib/monitoring/health-checker.ts';
import type { SweepSummary } from '../src/lib/monitoring/sweep.ts';
import { chance } from './chance.ts';
import { startLoopbackHosts, watchThem } from './loopback-fleet.ts';
import { median, report } from './report.ts';

const { values } = parseArgs({
  options: {
    sweeps: { type: 'string', default: '2000' },
    fleet: { type: 'string', default: '500' },
    link: { type: 'string', default: 'auto' },
    json: { type: 'boolean' },
  },
});
const SWEEPS = Number(values.sweeps);
const FLEET = Number(values.fleet);
/** Of a hundred VPSs, after each sweep. */
const DYING = 1;
const SILENT = 1;
const POLL_MS = 20;

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const app = await openApp(
  {
    DATABASE_URL: join(folder, 'w.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'key'),
    SSH_LINK: values.link,
    HEALTH_CHECK_CRON: '*/4 * * * * *',
    SSH_CONNECT_TIMEOUT_MS: '500',
    SSH_COMMAND_TIMEOUT_MS: '500',
    RESTART_SETTLE_MS: '20',
    RESTART_BUDGET: '1000',
  },
  'server',
);
const hosts = await startLoopbackHosts(FLEET);
await watchThem(app, hosts, FLEET);
const random = chance(1);
const some = (ofHundred: number): number[] =>
  Array.from({ length: FLEET }, (_, index) => index).filter(() => random() * 100 < ofHundred);
const sockets = (): number => readdirSync('/proc/self/fd').length;
const baseSockets = sockets();

const print = console.log;
console.log = () => undefined;
await startHealthMonitor(app);
const rss: number[] = [];
let silent: readonly number[] = [];
let before: SweepSummary | null = null;
const beganAtMs = performance.now();
while (rss.length < SWEEPS) {
  await sleep(POLL_MS);
  const { lastSweep } = monitorStatus(app);
  if (lastSweep === null || lastSweep === before) continue;
  before = lastSweep;
  rss.push(process.memoryUsage().rss / 1024 ** 2);
  for (const index of silent) hosts.change(index, { network: 'up' });
  silent = some(SILENT);
  for (const index of silent) hosts.change(index, { network: 'hangs' });
  for (const index of some(DYING)) hosts.change(index, { unit: 'failed' });
}
const elapsedS = (performance.now() - beganAtMs) / 1_000;
const brought = app.db.select().from(restartAttempts).where(eq(restartAttempts.outcome, 'succeeded')).all().length;
const kept = linksOf(app).kept;
await stopHealthMonitor(app);
await sleep(1_000);
console.log = print;
const leftOver = sockets() - baseSockets;
hosts.close();
app.close();
rmSync(folder, { recursive: true });
const quarter = (from: number): number =>
  median(rss.slice(Math.floor(from * SWEEPS), Math.floor((from + 0.25) * SWEEPS)));
report(
  'memory',
  `${SWEEPS} sweeps of ${FLEET} VPSs in ${elapsedS.toFixed(0)} s, between which ${DYING} % die, and ${SILENT} % fall silent until the next one; links ${values.link}`,
  [
    { what: 'memory (RSS) in the second quarter', value: quarter(0.25), unit: 'MiB' },
    { what: 'memory (RSS) in the last quarter', value: quarter(0.75), unit: 'MiB' },
    {
      what: 'the last quarter by the second',
      value: quarter(0.75) / quarter(0.25),
      unit: '',
      bar: { atMost: 1.05 },
    },
    { what: 'services brought back', value: brought, unit: '', bar: { atLeast: 1 } },
    { what: 'connections kept at the end', value: kept, unit: '' },
    { what: 'open files at the end, more than at the beginning', value: leftOver, unit: '', bar: { atMost: 0 } },
  ],
);
