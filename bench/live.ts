// `npm run bench -- live`: what 500 open streams cost a sweep, and how long the page of a fleet of 5,000 takes.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { newKeyPair } from '../demo/key-pair.ts';
import { healthyMachine } from '../demo/machine.ts';
import { startSshHost } from '../demo/ssh-host.ts';
import { openApp, type App } from '../src/lib/app.ts';
import { createAdmin } from '../src/lib/auth/accounts.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { hashPassword, storePassword } from '../src/lib/auth/credentials.ts';
import { write } from '../src/lib/db/client.ts';
import { addVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { readFleetList } from '../src/lib/views/fleet-list.ts';
import { parseFleetQuery } from '../src/lib/views/fleet-query.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { parseVps } from '../src/lib/fleet-admin/new-vps.ts';
import { PASSWORD, signIn } from '../tests/support/accounts.ts';
import { addLargeFleet } from '../tests/support/large-fleet.ts';
import { endWith, scratchEnvironment, startServer } from '../tests/support/project.ts';

const WATCHED = 100;
const STREAMS = 500;
/** A user has a hundred of them at most; the last one is a customer. */
const USERS = 5;
/** Without and with streams by turns, as other work on the machine comes and goes. */
const ROUNDS = 4;
const SWEEPS_A_ROUND = 3;
const LARGE = 5_000;
const LATENCY_MS = 20;

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
const say = (what: string, figure: string): void => console.log(`${what.padEnd(66)}${figure.padStart(12)}`);

async function measureSweeps(): Promise<void> {
  const login = newKeyPair();
  const hosts = fork(import.meta.filename);
  hosts.send(login.public);
  const [ports] = (await once(hosts, 'message')) as [number[]];
  const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '*/2 * * * * *' });
  const app = await openApp(scratch.environment, 'server');
  const emails = await addFleetAndUsers(app, ports, login.private);
  app.close();
  const server = await startServer(scratch.environment);
  const cookies = await Promise.all(emails.map((email) => signIn(server.url, email)));
  const durations = { without: [] as number[], with: [] as number[] };
  let bytes = 0;
  let openMs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    durations.without.push(...(await nextSweeps(server, SWEEPS_A_ROUND)));
    const startMs = performance.now();
    const opened = await openStreams(server.url, cookies, (chunk) => (bytes += chunk));
    openMs = performance.now() - startMs;
    durations.with.push(...(await nextSweeps(server, SWEEPS_A_ROUND)));
    for (const request of opened) request.destroy();
  }
  const stopMs = await timeStop(server, cookies);
  hosts.disconnect();
  scratch.remove();
  console.log(`\nSweeps of ${WATCHED} healthy simulated VPSs by a server that sweeps all the time, medians:\n`);
  say('without streams', `${(median(durations.without) / 1000).toFixed(2)} s`);
  say(`with ${STREAMS} open streams`, `${(median(durations.with) / 1000).toFixed(2)} s`);
  say(`opening ${STREAMS} streams`, `${openMs.toFixed(0)} ms`);
  say('a stream reads, in each sweep', `${(bytes / STREAMS / ROUNDS / SWEEPS_A_ROUND / 1024).toFixed(1)} KB`);
  say(`SIGTERM with ${STREAMS} open streams, until the process has ended`, `${stopMs.toFixed(0)} ms`);
}

async function addFleetAndUsers(app: App, ports: readonly number[], privateKey: string): Promise<string[]> {
  const hash = await hashPassword(app, PASSWORD);
  let customer = '';
  for (const port of ports) {
    customer = `${port}@example.test`;
    const parsed = parseVps({ customer, host: '127.0.0.1', port: String(port), privateKey });
    if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('\n'));
    const { userId } = await addVps(app, LOCAL_OPERATOR, parsed.vps);
    if (port === ports.at(-1)) await write(app.db, (tx) => storePassword(tx, userId, hash));
  }
  const admins = Array.from({ length: USERS - 1 }, (_, index) => `admin-${index}@example.test`);
  for (const email of admins) await createAdmin(app, LOCAL_OPERATOR, { email, password: PASSWORD, name: '' });
  return [...admins, customer];
}

async function nextSweeps(server: Awaited<ReturnType<typeof startServer>>, count: number): Promise<number[]> {
  const before = sweepsIn(server.output()).length;
  // The first one may have begun before.
  while (sweepsIn(server.output()).length <= before + count) await new Promise((resolve) => setTimeout(resolve, 200));
  return sweepsIn(server.output()).slice(before + 1, before + 1 + count);
}
const sweepsIn = (output: string): number[] =>
  [...output.matchAll(/sweep completed in ([\d.]+)s/g)].map(([, seconds]) => Number(seconds) * 1000);

function openStreams(
  url: string,
  cookies: readonly string[],
  onBytes: (bytes: number) => void,
): Promise<http.ClientRequest[]> {
  return Promise.all(
    Array.from({ length: STREAMS }, async (_, index) => {
      const cookie = cookies[index % cookies.length] ?? '';
      const request = http.get(`${url}/live`, { headers: { cookie, accept: 'text/event-stream' }, agent: false });
      request.on('error', () => undefined);
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      if (response.statusCode !== 200) throw new Error(`a stream was refused: ${response.statusCode}`);
      response.on('error', () => undefined);
      response.on('data', (chunk: Buffer) => onBytes(chunk.length));
      return request;
    }),
  );
}

async function timeStop(server: Awaited<ReturnType<typeof startServer>>, cookies: readonly string[]): Promise<number> {
  await openStreams(server.url, cookies, () => undefined);
  const startMs = performance.now();
  await endWith(server, 'SIGTERM');
  return performance.now() - startMs;
}

async function measureFleetPage(): Promise<void> {
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  const app = await openApp(scratch.environment, 'server');
  await addLargeFleet(app, LARGE, new Date());
  await createAdmin(app, LOCAL_OPERATOR, { email: 'admin@example.test', password: PASSWORD, name: '' });
  console.log(`\nThe fleet page of ${LARGE} VPSs with 60 checks each, medians of 15:\n`);
  for (const [what, search] of [
    ['counts and a window of 100 rows, trouble first', ''],
    ['the same, searched', '?q=customer+01'],
    ['the same, slowest first, from row 4,000 on', '?sort=response&offset=4000'],
  ] as const) {
    const query = parseFleetQuery(new URLSearchParams(search));
    const durations = Array.from({ length: 15 }, () => {
      const startMs = performance.now();
      readFleetList(app, LOCAL_OPERATOR, query, new Date());
      return performance.now() - startMs;
    });
    say(`queries: ${what}`, `${median(durations).toFixed(0)} ms`);
  }
  app.close();
  const server = await startServer(scratch.environment);
  const cookie = await signIn(server.url);
  for (const [what, path] of [
    ['the page', '/'],
    ['its data, as after each change', '/__data.json'],
    ['another window while scrolling', '/fleet/rows?offset=4000'],
  ] as const) {
    const durations: number[] = [];
    let bytes = 0;
    for (let run = 0; run < 15; run++) {
      const startMs = performance.now();
      const response = await fetch(server.url + path, { headers: { cookie } });
      durations.push(performance.now() - startMs);
      bytes = (await response.arrayBuffer()).byteLength;
    }
    say(`first byte of ${what} (${(bytes / 1024).toFixed(0)} KB)`, `${median(durations).toFixed(0)} ms`);
  }
  await endWith(server, 'SIGTERM');
  scratch.remove();
}

if (process.send) {
  const [publicKey] = (await once(process, 'message')) as [string];
  const ports: number[] = [];
  for (let index = 0; index < WATCHED; index++)
    ports.push((await startSshHost(healthyMachine(), '127.0.0.1', publicKey, { latencyMs: () => LATENCY_MS })).port);
  process.send(ports);
  process.on('disconnect', () => process.exit());
} else {
  await measureSweeps();
  await measureFleetPage();
}
