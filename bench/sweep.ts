// `npm run bench -- sweep`: how long a sweep of healthy VPSs takes. Simulated hosts on loopback, in a process of their own.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { newKeyPair } from '../demo/key-pair.ts';
import { healthyMachine } from '../demo/machine.ts';
import { startSshHost } from '../demo/ssh-host.ts';
import { openApp } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { addVps } from '../src/lib/fleet-admin/fleet-admin.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { parseVps } from '../src/lib/fleet-admin/new-vps.ts';
import { runHealthSweep } from '../src/lib/monitoring/sweep.ts';

const SIZES = [25, 100, 250];
const SWEEPS = 5;
/** What a look at systemd takes on a small VPS; the network comes on top of it. */
const LATENCY_MS = 20;

if (process.send) {
  const [publicKey] = (await once(process, 'message')) as [string];
  const ports: number[] = [];
  for (let index = 0; index < Math.max(...SIZES); index++) {
    ports.push((await startSshHost(healthyMachine(), '127.0.0.1', publicKey, { latencyMs: () => LATENCY_MS })).port);
  }
  process.send(ports);
  process.on('disconnect', () => process.exit());
} else {
  const login = newKeyPair();
  const hosts = fork(import.meta.filename);
  hosts.send(login.public);
  const [ports] = (await once(hosts, 'message')) as [number[]];
  console.log(`A sweep of N healthy VPSs, ${LATENCY_MS} ms to answer, batches of five, median of ${SWEEPS} sweeps\n`);
  console.log('   VPSs   sweep (s)   per VPS (ms)');
  for (const size of SIZES) {
    const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
    const app = await openApp(
      { DATABASE_URL: join(folder, 'w.db'), ENCRYPTION_KEY_FILE: join(folder, 'key'), ALLOWED_ADDRESSES: 'any' },
      'server',
    );
    for (const port of ports.slice(0, size)) {
      const parsed = parseVps({
        customer: `${port}@example.test`,
        host: '127.0.0.1',
        port: String(port),
        privateKey: login.private,
      });
      if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('\n'));
      await addVps(app, LOCAL_OPERATOR, parsed.vps);
    }
    const durations: number[] = [];
    for (let sweep = 0; sweep < SWEEPS; sweep++) {
      const result = await runHealthSweep(app, { log: { info: () => undefined, error: console.error } });
      if (result.kind !== 'completed' || result.summary.healthy !== size) throw new Error(JSON.stringify(result));
      durations.push(result.summary.durationMs);
    }
    const median = durations.toSorted((a, b) => a - b)[Math.floor(SWEEPS / 2)] ?? 0;
    console.log(
      `${String(size).padStart(7)}${(median / 1000).toFixed(2).padStart(12)}${(median / size).toFixed(1).padStart(15)}`,
    );
    app.close();
    rmSync(folder, { recursive: true });
  }
  hosts.disconnect();
}
