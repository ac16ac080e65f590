// `npm run bench -- link HOST KEY_FILE [--user USER] [--service UNIT] [--kill COMMAND]`: what a look costs over a fresh
// connection, a kept one and systemd's own bus, on a real machine with systemd; and, where COMMAND kills the service there,
// how fast the news of it comes and it is active again. The user needs sudo for the first two, and root or the rule of
// polkit for the last.
import { execFileSync } from 'node:child_process';
import { once, EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { UnitBus } from '../src/lib/provisioning/bus/unit-bus.ts';
import { parsePrivateKey } from '../src/lib/provisioning/private-key.ts';
import { execSSHCommand } from '../src/lib/provisioning/ssh-exec.ts';
import { SSHSession } from '../src/lib/provisioning/ssh-session.ts';

const RUNS = { fresh: 50, kept: 100, bus: 1_000, kills: 50 };
const WARM_UPS = 5;
const patience = { timeoutMs: 10_000 };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    user: { type: 'string', default: 'root' },
    service: { type: 'string', default: 'rachel8' },
    kill: { type: 'string' },
  },
});
const [host, keyFile] = positionals;
if (host === undefined || keyFile === undefined) {
  console.error('usage: npm run bench -- link HOST KEY_FILE [--user USER] [--service UNIT] [--kill COMMAND]');
  process.exit(2);
}
const { user: username, service } = values;
const target = { host, username, privateKey: parsePrivateKey(readFileSync(keyFile, 'utf8')) };

const percentile = (all: readonly number[], share: number): number =>
  all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(all.length * share))] ?? NaN;
const spread = (all: readonly number[]): string =>
  `${percentile(all, 0.5).toFixed(1).padStart(10)}${percentile(all, 0.95).toFixed(1).padStart(10)}`;

/** Processor time is that of this process, all told: what is loaded and compiled at first use is left out. */
async function measure(name: string, runs: number, look: () => Promise<unknown>): Promise<void> {
  for (let warmUp = 0; warmUp < WARM_UPS; warmUp += 1) await look();
  const latencies: number[] = [];
  const before = process.cpuUsage();
  for (let run = 0; run < runs; run += 1) {
    const startedAt = performance.now();
    await look();
    latencies.push(performance.now() - startedAt);
  }
  const { user, system } = process.cpuUsage(before);
  const cpu = ((user + system) / 1_000 / runs).toFixed(2);
  console.log(`${name.padEnd(34)}${String(runs).padStart(6)}${cpu.padStart(14)}${spread(latencies)}`);
}

const command = `sudo systemctl is-active ${service}`;
console.log(`${'a look'.padEnd(34)}  runs client CPU ms    median  p95 (ms)`);
await measure('fresh connection, systemctl', RUNS.fresh, () =>
  execSSHCommand({ ...target, command, connectTimeoutMs: 10_000, commandTimeoutMs: 10_000 }),
);
const session = await SSHSession.open(target, patience);
await measure('kept connection, systemctl', RUNS.kept, () => session.run(command, patience));

const news = new EventEmitter<{ news: [state: string] }>();
const unit = await UnitBus.open(session, service, {
  ...patience,
  listener: {
    onState: (state) => news.emit('news', state),
    onEnd: ({ code, message }) => {
      if (code !== 'aborted') throw new Error(`the bus has ended: ${message}`);
    },
  },
});
await measure("kept channel to systemd's bus", RUNS.bus, () => unit.look(patience));

if (values.kill !== undefined) {
  const newsMs: number[] = [];
  const activeMs: number[] = [];
  for (let kill = 0; kill < RUNS.kills; kill += 1) {
    // As an order of its own may be the fifth within ten seconds.
    await unit.resetFailed(patience);
    const heard = once(news, 'news');
    execFileSync('/bin/sh', ['-c', values.kill]);
    const killedAt = performance.now();
    await heard;
    newsMs.push(performance.now() - killedAt);
    const { activeState } = await unit.look(patience);
    if (activeState !== 'failed' && activeState !== 'inactive') throw new Error(`killed, and ${activeState}`);
    const end = await unit.start(patience);
    const after = await unit.look(patience);
    if (after.activeState !== 'active') throw new Error(`started (${String(end)}), and ${after.activeState}`);
    activeMs.push(performance.now() - killedAt);
  }
  console.log(`\nafter the command that kills it         runs    median  p95 (ms)`);
  console.log(`${'news over the bus'.padEnd(34)}${String(RUNS.kills).padStart(10)}${spread(newsMs)}`);
  console.log(`${'active again, by StartUnit'.padEnd(34)}${String(RUNS.kills).padStart(10)}${spread(activeMs)}`);
}
await session.close();
