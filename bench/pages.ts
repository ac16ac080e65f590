// `npm run bench -- pages [--fleet N] [--link auto|fresh|kept|bus] [--rate N] [--seconds N]`: how long the fleet page takes at so
// many requests a second, of a server that does not sweep and of one that sweeps a fleet of 5,000 simulated VPSs.
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ensureBuilt, PROJECT_DIR } from '../scripts/built.js';
import { openApp } from '../src/lib/app.ts';
import { createAdmin, signIn } from '../tests/support/accounts.ts';
import { endWith, scratchEnvironment, startServer } from '../tests/support/project.ts';
import { startLoopbackHosts, watchThem } from './loopback-fleet.ts';
import { median, quantile, report } from './report.ts';

const { values } = parseArgs({
  options: {
    fleet: { type: 'string', default: '5000' },
    link: { type: 'string', default: 'auto' },
    rate: { type: 'string', default: '50' },
    seconds: { type: 'string', default: '30' },
    json: { type: 'boolean' },
  },
});
const WARM_UP_S = 5;
/** Five of them, and the fleet has been reached once: where links are kept, the first sweeps log in everywhere. */
const PATIENCE_MS = 300_000;

/** Milliseconds from when a request was due, whatever those before it took, to the last byte of its answer. */
async function ask(url: string, cookie: string, seconds: number): Promise<number[]> {
  const agent = new Agent({ keepAlive: true });
  const beganAtMs = performance.now();
  const asked = Array.from({ length: seconds * Number(values.rate) }, async (_, index) => {
    const dueAtMs = beganAtMs + (index * 1_000) / Number(values.rate);
    await sleep(dueAtMs - performance.now());
    await new Promise<void>((resolve, reject) => {
      get(url, { agent, headers: { cookie, accept: 'text/html' } }, (response) => {
        if (response.statusCode !== 200) reject(new Error(`the fleet page answered with ${response.statusCode}`));
        response.on('data', () => undefined).on('end', resolve);
      }).on('error', reject);
    });
    return performance.now() - dueAtMs;
  });
  const tookMs = await Promise.all(asked);
  agent.destroy();
  return tookMs;
}

async function measure(environment: Record<string, string>, isSwept: boolean): Promise<number[]> {
  const server = await startServer({ ...environment, ENABLE_HEALTH_MONITOR: String(isSwept) });
  try {
    const cookie = await signIn(server.url);
    if (isSwept) await untilAllReached(server.output);
    await ask(server.url, cookie, WARM_UP_S);
    // The first half of a sweep's minute, in which it is at work.
    if (isSwept) await untilNextSweep(server.output);
    return await ask(server.url, cookie, Number(values.seconds));
  } finally {
    await endWith(server, 'SIGTERM');
  }
}

const until = async (isTrue: () => boolean): Promise<void> => {
  const giveUpAtMs = performance.now() + PATIENCE_MS;
  while (!isTrue()) {
    if (performance.now() > giveUpAtMs) throw new Error(`not within ${PATIENCE_MS / 1_000} s`);
    await sleep(100);
  }
};
const untilAllReached = (output: () => string): Promise<void> =>
  until(() => output().includes(`(${values.fleet} checked, ${values.fleet} healthy`));
async function untilNextSweep(output: () => string): Promise<void> {
  const count = (): number => output().split('sweep started').length;
  const before = count();
  await until(() => count() > before);
}

process.chdir(PROJECT_DIR);
await ensureBuilt('server', 'commands');
const scratch = scratchEnvironment({ SSH_LINK: values.link });
const hosts = await startLoopbackHosts();
const app = await openApp(scratch.environment, 'server');
await watchThem(app, hosts, Number(values.fleet));
app.close();
await createAdmin(scratch.environment);
const sweeping = await measure(scratch.environment, true);
const resting = await measure(scratch.environment, false);
hosts.close();
scratch.remove();
const p99 = (of: readonly number[]): number => quantile(of, 0.99);
report(
  'pages',
  `the fleet page of ${values.fleet} VPSs, ${values.rate} requests a second for ${values.seconds} s; links ${values.link}`,
  [
    { what: 'without a sweep, median', value: median(resting), unit: 'ms' },
    // Beyond that requests come faster than they are answered, and the two can no longer be compared.
    { what: 'without a sweep, p99', value: p99(resting), unit: 'ms', bar: { atMost: 1_000 } },
    { what: 'with a sweep, median', value: median(sweeping), unit: 'ms' },
    { what: 'with a sweep, p99', value: p99(sweeping), unit: 'ms' },
    {
      what: 'p99 with one, times p99 without',
      value: p99(sweeping) / p99(resting),
      unit: '',
      bar: { atMost: 1.5 },
    },
  ],
);
