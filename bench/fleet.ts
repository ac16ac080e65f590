// `npm run bench -- fleet [--sizes 100,1000] [--link auto|fresh|kept|bus] [--svg FILE [--with FILE]]`: what steady sweeps of fleets
// of several sizes cost the monitor, and a drawing of it; with a file, of the runs that have written into it before, too. Simulated hosts on loopback, behind a real SSH server in a process of its own; the monitor is a
// process that does nothing else.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openApp } from '../src/lib/app.ts';
import { linksOf } from '../src/lib/monitoring/links.ts';
import { runHealthSweep, type SweepSummary } from '../src/lib/monitoring/sweep.ts';
import { drawLines } from './line-chart.ts';
import { startLoopbackHosts, watchThem, type LoopbackHosts } from './loopback-fleet.ts';
import { report } from './report.ts';

const INTERVAL_MS = 60_000;
/** Until all have been reached: where links are kept, the first sweeps log in everywhere. */
const MOST_WARM_UPS = 8;
const BARRED = 10_000;

const { values } = parseArgs({
  options: {
    sizes: { type: 'string', default: '100,1000,5000,10000,20000' },
    link: { type: 'string', default: 'auto' },
    svg: { type: 'string' },
    with: { type: 'string' },
    json: { type: 'boolean' },
  },
});

type Environment = Readonly<Record<string, string>>;
type Measured = SweepSummary & {
  readonly size: number;
  readonly warmUps: number;
  /** In one interval, of which the sweep is a part. */
  readonly cpuS: number;
  readonly rssMib: number;
  readonly kept: number;
};

/** Runs in the process of the monitor. */
async function monitor(environment: Environment): Promise<Omit<Measured, 'size'>> {
  const app = await openApp(environment, 'server');
  linksOf(app).keep(() => undefined);
  const sweep = async (): Promise<SweepSummary> => {
    const result = await runHealthSweep(app, { log: { info: () => undefined, error: console.error } });
    if (result.kind !== 'completed') throw new Error(result.kind);
    return result.summary;
  };
  let warmUps = 1;
  while ((await sweep()).unchecked > 0 && warmUps < MOST_WARM_UPS) warmUps++;
  const before = process.cpuUsage();
  const over = sleep(INTERVAL_MS);
  const summary = await sweep();
  await over;
  const { user, system } = process.cpuUsage(before);
  const { kept } = linksOf(app);
  const measured = { cpuS: (user + system) / 1e6, rssMib: process.memoryUsage().rss / 1024 ** 2 };
  await linksOf(app).endKeeping();
  app.close();
  return { ...summary, ...measured, kept, warmUps };
}

async function measure(hosts: LoopbackHosts, size: number): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
  const environment = {
    DATABASE_URL: join(folder, 'w.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'key'),
    ALLOWED_ADDRESSES: 'any',
    SSH_LINK: values.link,
    SSH_MAX_LINKS: String(size),
  };
  const app = await openApp(environment, 'server');
  await watchThem(app, hosts, size);
  app.close();
  const child = fork(import.meta.filename, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  child.send(environment);
  const [measured] = (await Promise.race([once(child, 'message'), once(child, 'exit')])) as [Measured | number];
  rmSync(folder, { recursive: true });
  if (typeof measured !== 'object') throw new Error(`the monitor has ended with ${measured}`);
  child.disconnect();
  return { ...measured, size };
}

if (process.send) {
  const [environment] = (await once(process, 'message')) as [Environment];
  process.send(await monitor(environment));
} else {
  const hosts = await startLoopbackHosts();
  const all: Measured[] = [];
  for (const size of values.sizes.split(',').map(Number)) all.push(await measure(hosts, size));
  hosts.close();
  const circumstances = `simulated VPSs behind ssh2 on loopback, links ${values.link}, one interval of 60 s once all have been reached`;
  report(
    'fleet',
    circumstances,
    all.flatMap(({ size, durationMs, cpuS, rssMib, unchecked, kept, warmUps }) => {
      const isBarred = size === BARRED;
      const atMost = <T>(bar: T) => (isBarred ? { bar: { atMost: bar } } : {});
      return [
        { what: `${size}: sweep`, value: durationMs / 1_000, unit: 's', ...atMost(60) },
        { what: `${size}: processor time of a core`, value: cpuS / 0.6, unit: '%', ...atMost(50) },
        { what: `${size}: memory (RSS)`, value: rssMib, unit: 'MiB', ...atMost(1_024) },
        { what: `${size}: VPSs without a result`, value: unchecked, unit: '', ...atMost(0) },
        { what: `${size}: connections kept, after ${warmUps} sweeps`, value: kept, unit: '' },
      ];
    }),
  );
  const points = all.map(({ size, cpuS, rssMib }) => ({ size, cpu: cpuS / 0.6, rssMib }));
  if (values.svg !== undefined) {
    const drawn = values.with === undefined ? points : addTo(values.with, points);
    const cpu = drawn.map((point) => [point.size, point.cpu] as const);
    const memory = drawn.map((point) => [point.size, point.rssMib] as const);
    const lines = [
      { name: 'processor time, % of a core', points: cpu },
      { name: 'memory, MiB', points: memory },
    ];
    writeFileSync(values.svg, drawLines(`One sweep a minute, links ${values.link}`, 'VPSs', lines));
  }
}

type Point = { readonly size: number; readonly cpu: number; readonly rssMib: number };

/** Keeps these points in the file, and gives all that are in it. */
function addTo(file: string, points: readonly Point[]): Point[] {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Point[]) : [];
  const all = [...new Map([...before, ...points].map((point) => [point.size, point])).values()];
  const sorted = all.toSorted((one, other) => one.size - other.size);
  writeFileSync(file, JSON.stringify(sorted));
  return sorted;
}
