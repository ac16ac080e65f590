// `npm run bench -- cli`: what a call of the command line costs beside a bare Node, and what the server keeps in memory.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ensureBuilt, PROJECT_DIR } from '../scripts/built.js';
import { createAdmin, signIn } from '../tests/support/accounts.ts';
import { addAll, makeLogin, startVps } from '../tests/support/fleet.ts';
import { endWith, scratchEnvironment, startServer } from '../tests/support/project.ts';

const VPSS = 25;
const CALLS = 20;
/** By turns, as other work on the machine comes and goes. */
const ROUNDS = 5;
const REST_MS = 30_000;
const PAGES = 20;
const TIME = '/usr/bin/time';
const COMMANDS = { bare: '-e 0', version: 'cli/wardround.js --version', list: 'cli/wardround.js vps list' };

if (!existsSync(TIME)) {
  console.error(`This needs ${TIME}. Install with: apt-get install time`);
  process.exit(1);
}
process.chdir(PROJECT_DIR);
await ensureBuilt('server', 'commands');
const scratch = scratchEnvironment();
const login = makeLogin(scratch.folder);
const fleet = await Promise.all(Array.from({ length: VPSS }, () => startVps(login.publicKey)));
await addAll(scratch.environment, login.keyFile, fleet);
measureCalls();
await measureServer();
for (const { host } of fleet) await host.close();
scratch.remove();

/** Processor time of one call in ms, and the largest resident memory of any in MB. */
function measure(args: string): { cpuMs: number; rssMb: number } {
  const report = `${scratch.folder}/time`;
  const loop = `i=0; while [ $i -lt ${CALLS} ]; do ${process.execPath} ${args} > /dev/null; i=$((i+1)); done`;
  execFileSync(TIME, ['-f', '%U %S %M', '-o', report, 'sh', '-c', loop], { env: scratch.environment });
  const [user = 0, system = 0, rssKb = 0] = readFileSync(report, 'utf8').trim().split(' ').map(Number);
  return { cpuMs: ((user + system) * 1000) / CALLS, rssMb: rssKb / 1024 };
}

function measureCalls(): void {
  const figures = Object.entries(COMMANDS).map(([name, args]) => ({ name, args, rounds: [measure(args)] }));
  for (let round = 1; round < ROUNDS; round++) for (const one of figures) one.rounds.push(measure(one.args));
  const median = (values: readonly number[]): number =>
    values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const cpu = figures.map(({ rounds }) => median(rounds.map(({ cpuMs }) => cpuMs)));
  console.log(
    `\n${TIME} over ${CALLS} calls, medians of ${ROUNDS} rounds; a fleet of ${VPSS} VPSs; ${process.version}\n`,
  );
  console.log(`${'node …'.padEnd(32)}processor time    beside bare Node    memory at most`);
  for (const [index, { args, rounds }] of figures.entries()) {
    const ms = cpu[index] ?? 0;
    const times = (ms / (cpu[0] ?? 1)).toFixed(2);
    const mb = Math.max(...rounds.map(({ rssMb }) => rssMb));
    console.log(
      `${args.padEnd(32)}${`${ms.toFixed(0)} ms`.padStart(14)}${times.padStart(20)}${`${mb.toFixed(0)} MB`.padStart(18)}`,
    );
  }
}

async function measureServer(): Promise<void> {
  await createAdmin(scratch.environment);
  const server = await startServer({ ...scratch.environment, HEALTH_CHECK_CRON: '*/10 * * * * *' });
  const say = (what: string): void => {
    const [, kb] = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${server.process.pid}/status`, 'utf8')) ?? [];
    console.log(`${what.padEnd(64)}${(Number(kb) / 1024).toFixed(0).padStart(5)} MB`);
  };
  console.log(`\nResident memory of the process of npm start, ${VPSS} VPSs swept each 10 s:\n`);
  await server.line(/sweep completed/);
  await sleep(REST_MS);
  say(`at rest, ${REST_MS / 1000} s after its first sweep`);
  const cookie = await signIn(server.url);
  for (let page = 0; page < PAGES; page++) await (await fetch(server.url, { headers: { cookie } })).text();
  await sleep(REST_MS);
  say(`at rest, ${REST_MS / 1000} s after a sign-in and ${PAGES} views of the fleet`);
  await endWith(server, 'SIGTERM');
}
