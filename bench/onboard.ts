// `npm run bench -- onboard [--vps 500]`: from a file to a fleet of which every VPS is healthy, at the default schedule and
// pace: `wardround vps import` beside a running monitor. Simulated VPSs on loopback (Linux).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { ensureBuilt, PROJECT_DIR } from '../scripts/built.js';
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { startHealthMonitor, stopHealthMonitor } from '../src/lib/monitoring/health-checker.ts';
import { readFleetList } from '../src/lib/views/fleet-list.ts';
import { parseFleetQuery } from '../src/lib/views/fleet-query.ts';
import { runCli, scratchEnvironment } from '../tests/support/project.ts';
import { addressOf, startLoopbackHosts } from './loopback-fleet.ts';
import { report } from './report.ts';

const { values } = parseArgs({ options: { vps: { type: 'string', default: '500' }, json: { type: 'boolean' } } });
const size = Number(values.vps);

process.chdir(PROJECT_DIR);
await ensureBuilt('commands');
const hosts = await startLoopbackHosts();
const scratch = scratchEnvironment();
const keyFile = join(scratch.folder, 'login.key');
writeFileSync(keyFile, hosts.privateKey, { mode: 0o600 });
const rows = Array.from(
  { length: size },
  (_, index) => `${index}@example.test,${addressOf(index + 2)},${hosts.ports[0]}`,
);
const file = join(scratch.folder, 'fleet.csv');
writeFileSync(file, `customer,host,port\n${rows.join('\n')}\n`);

// The log of the monitor, a line a look.
const print = console.log;
console.log = () => undefined;
const app = await openApp(scratch.environment, 'server');
await startHealthMonitor(app);
const beganMs = performance.now();
const seconds = (): number => (performance.now() - beganMs) / 1_000;
const imported = await runCli(
  scratch.environment,
  'vps',
  'import',
  file,
  '--user',
  'test',
  '--key-file',
  keyFile,
  '--json',
);
const importedAfter = seconds();
const { summary } = JSON.parse(imported.stdout) as { summary: string };
if (imported.exitCode !== 0) throw new Error(`${summary} ${imported.stderr}`);
const healthy = (): number =>
  readFleetList(app, LOCAL_OPERATOR, parseFleetQuery(new URLSearchParams()), new Date()).counts.healthy;
for (let count = healthy(); count < size; count = healthy()) {
  if (process.stderr.isTTY)
    process.stderr.write(`\r${count} of ${size} healthy after ${seconds().toFixed(0)} s\u001b[K`);
  await sleep(1_000);
}
const healthyAfter = seconds();
if (process.stderr.isTTY) process.stderr.write('\r\u001b[K');
await stopHealthMonitor();
app.close();
hosts.close();
scratch.remove();
console.log = print;
report('onboard', `${size} simulated VPSs from a table, default schedule and pace`, [
  { what: 'until all are tried and added', value: importedAfter, unit: 's' },
  { what: 'until all are healthy', value: healthyAfter, unit: 's', bar: { atMost: 600 } },
]);
process.exit();
