// `npm run bench -- look`: what a look and a healing cost. Real OpenSSH on loopback, in processes of its own, with stubs for
// sudo and systemctl; the client is a process that does nothing else.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { parsePrivateKey } from '../src/lib/provisioning/private-key.ts';
import { VpsConnection, type VpsTarget } from '../src/lib/provisioning/vps-connection.ts';
import { probeService, readJournalTail, restartRachelService } from '../src/lib/provisioning/vps-status.ts';
import { startSshHost } from '../tests/support/sshd.ts';

const RUNS = { look: 100, healing: 40 };
/** Before anything is measured: what is loaded and compiled at first use. */
const WARM_UPS = 10;
const LIMITS = { connectTimeoutMs: 10_000, commandTimeoutMs: 10_000, restartTimeoutMs: 30_000, restartSettleMs: 0 };

type Login = { readonly port: number; readonly user: string; readonly privateKey: string; readonly hostKey: string };
type Work = keyof typeof RUNS;
type Cost = { readonly cpuMs: number; readonly elapsedMs: number };

/** One look; for a healing all that follows from it, too. */
async function lookAt(target: VpsTarget, work: Work): Promise<void> {
  const vps = new VpsConnection(target, LIMITS);
  try {
    const { result } = await probeService(vps);
    if (work === 'look') return;
    if (result.kind !== 'state' || result.activeState !== 'failed') throw new Error(JSON.stringify(result));
    await readJournalTail(vps);
    const restart = await restartRachelService(vps, { resetFailed: true, before: result.unit });
    if (restart.outcome !== 'succeeded') throw new Error(JSON.stringify(restart));
  } finally {
    await vps.close();
  }
}

if (process.send) {
  const [{ port, user, privateKey, hostKey }] = (await once(process, 'message')) as [Login];
  const key = parsePrivateKey(privateKey);
  const target = { host: '127.0.0.1', port, username: user, privateKey: key, hostKey, service: 'rachel8' };
  process.on('message', (work: Work) => {
    const before = process.cpuUsage();
    const startedAt = performance.now();
    void lookAt(target, work).then(() => {
      const { user: inUser, system } = process.cpuUsage(before);
      process.send?.({ cpuMs: (inUser + system) / 1_000, elapsedMs: performance.now() - startedAt } satisfies Cost);
    });
  });
  process.on('disconnect', () => process.exit());
  process.send('ready');
} else {
  const host = await startSshHost();
  const client = fork(import.meta.filename);
  client.send({ port: host.port, user: host.user, privateKey: host.privateKey, hostKey: host.shownHostKey() });
  await once(client, 'message');

  const run = async (work: Work): Promise<Cost> => {
    host.set({ state: work === 'look' ? 'active' : 'failed', result: 'exit-code' });
    client.send(work);
    const [cost] = (await once(client, 'message')) as [Cost];
    return cost;
  };
  for (let warmUp = 0; warmUp < WARM_UPS; warmUp++) await run('look');

  console.log(
    'Medians against OpenSSH on loopback\n\n              runs   client CPU (ms)   elapsed (ms)   connections each',
  );
  for (const work of ['look', 'healing'] as const) {
    const dialsBefore = host.dials();
    const costs: Cost[] = [];
    for (let index = 0; index < RUNS[work]; index++) costs.push(await run(work));
    const median = (key: keyof Cost): string =>
      (costs.map((cost) => cost[key]).toSorted((a, b) => a - b)[RUNS[work] >> 1] ?? 0).toFixed(1);
    const connections = ((host.dials() - dialsBefore) / RUNS[work]).toFixed(1);
    console.log(
      [
        work.padEnd(10),
        String(RUNS[work]).padStart(8),
        median('cpuMs').padStart(18),
        median('elapsedMs').padStart(15),
        connections.padStart(19),
      ].join(''),
    );
  }
  client.disconnect();
  await host.close();
}
