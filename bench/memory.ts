// `npm run bench -- memory [--sweeps N] [--fleet N] [--link auto|fresh|kept|bus]`: whether the monitor keeps anything that it
// should not. Compressed sweeps of simulated VPSs, one right after the other; between them services die and hosts fall
// silent, and buses tell of it.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { eq } from 'drizzle-orm';
import { openApp } from '../src/lib/app.ts';
import { restartAttempts } from '../src/lib/db/schema.ts';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { startHealthMonitor, stopHealthMonitor } from '../src/lib/monitoring/health-checker.ts';
import { runHealthSweep } from '../src/lib/monitoring/sweep.ts';
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
/** Of a hundred VPSs, in each sweep. */
const DYING = 1;
const SILENT = 1;

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const app = await openApp(
  {
    DATABASE_URL: join(folder, 'w.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'key'),
    SSH_LINK: values.link,
    // Each interval is as long as a sweep may take; its own sweeps never come, so that those below are all there are.
    HEALTH_CHECK_CRON: '0 0 1 1 *',
    SSH_CONNECT_TIMEOUT_MS: '500',
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
// Who sweeps keeps links, and hears their news.
await startHealthMonitor(app);
const rss: number[] = [];
const beganAtMs = performance.now();
for (let sweep = 0; sweep < SWEEPS; sweep++) {
  hosts.hang(some(SILENT));
  for (const index of some(DYING)) hosts.change(index, { unit: 'failed' });
  const result = await runHealthSweep(app);
  if (result.kind !== 'completed') throw new Error(result.kind);
  // Beside the sweep, for its news.
  for (const index of some(DYING)) hosts.change(index, { unit: 'failed' });
  await sleep(100);
  rss.push(process.memoryUsage().rss / 1024 ** 2);
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
  `${SWEEPS} sweeps of ${FLEET} VPSs in ${elapsedS.toFixed(0)} s, of which in each ${DYING} % die before, ${DYING} % after it, and ${SILENT} % are silent; links ${values.link}`,
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
