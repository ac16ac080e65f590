// `npm run bench -- stragglers`: the monitor at its default settings over a fleet of which a tenth hangs from the second
// sweep on. Simulated hosts on loopback, in a process of their own.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { openApp } from '../src/lib/app.ts';
import { healthChecks, subscriptions } from '../src/lib/db/schema.ts';
import { monitorStatus, startHealthMonitor, stopHealthMonitor } from '../src/lib/monitoring/health-checker.ts';
import type { SweepSummary } from '../src/lib/monitoring/sweep.ts';
import { eq } from 'drizzle-orm';
import { addressOf, startLoopbackHosts, watchThem } from './loopback-fleet.ts';
import { report } from './report.ts';

const FLEET = Number(process.env.BENCH_FLEET ?? 1_000);
const SWEEPS = 4;
const POLL_MS = 500;
/** node-schedule, and what a look takes: nobody is looked at to the millisecond. */
const TOLERANCE_S = 1;

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const environment = {
  DATABASE_URL: join(folder, 'w.db'),
  ENCRYPTION_KEY_FILE: join(folder, 'key'),
  ALLOWED_ADDRESSES: 'any',
};
const app = await openApp(environment, 'server');
const hosts = await startLoopbackHosts();
await watchThem(app, hosts, FLEET);
const hanging = Array.from({ length: FLEET / 10 }, (_, index) => index * 10 + 3);
const hangs = new Set(hanging.map(addressOf));

const lastLookMs = new Map<string, number>();
let longestGapMs = 0;
const noteLooks = (): void => {
  const rows = app.db
    .select({ address: subscriptions.vpsIpAddress, at: healthChecks.lastCheckAt })
    .from(healthChecks)
    .innerJoin(subscriptions, eq(subscriptions.userId, healthChecks.userId))
    .all();
  for (const { address, at } of rows) {
    if (address === null || at === null || hangs.has(address)) continue;
    longestGapMs = Math.max(longestGapMs, at.getTime() - (lastLookMs.get(address) ?? at.getTime()));
    lastLookMs.set(address, at.getTime());
  }
};

const summaries: SweepSummary[] = [];
const cpuBefore = process.cpuUsage();
const print = console.log;
console.log = () => undefined;
await startHealthMonitor(app);
while (summaries.length < SWEEPS) {
  await sleep(POLL_MS);
  noteLooks();
  const { lastSweep } = monitorStatus(app);
  if (lastSweep === null || lastSweep === summaries.at(-1)) continue;
  summaries.push(lastSweep);
  if (summaries.length === 1) hosts.hang(hanging);
}
noteLooks();
const { skippedSweeps } = monitorStatus(app);
const cpu = process.cpuUsage(cpuBefore);
await stopHealthMonitor(app);
console.log = print;
hosts.close();
app.close();
rmSync(folder, { recursive: true });

const known = summaries.slice(2);
const longest = (of: readonly SweepSummary[]): number => Math.max(...of.map(({ durationMs }) => durationMs)) / 1_000;
const unlooked = (of: readonly SweepSummary[]): number => of.reduce((sum, { unchecked }) => sum + unchecked, 0);
report(
  'stragglers',
  `${FLEET} simulated VPSs, ${hanging.length} of them hang from the second sweep on; default settings, ${SWEEPS} sweeps`,
  [
    { what: 'sweep before any hangs', value: longest(summaries.slice(0, 1)), unit: 's', bar: { atMost: 60 } },
    { what: 'sweep in which they fall silent', value: longest(summaries.slice(1, 2)), unit: 's', bar: { atMost: 60 } },
    { what: 'longest sweep after that', value: longest(known), unit: 's', bar: { atMost: 60 } },
    {
      what: 'longest time from look to look at a VPS that answers',
      value: longestGapMs / 1_000,
      unit: 's',
      bar: { atMost: 60 + TOLERANCE_S },
    },
    { what: 'VPSs without a result', value: unlooked(summaries), unit: '', bar: { atMost: 0 } },
    { what: 'sweeps skipped', value: skippedSweeps, unit: '', bar: { atMost: 0 } },
    { what: 'processor time of the monitor', value: (cpu.user + cpu.system) / 1e6 / SWEEPS, unit: 's a sweep' },
    { what: 'memory (RSS)', value: process.memoryUsage().rss / 1024 ** 2, unit: 'MiB' },
  ],
);
