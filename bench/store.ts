// `npm run bench -- store`: how many checks a second are recorded with all that follows from them, in batches of five, one
// transaction each; then what the pages read of so many VPSs.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openApp } from '../src/lib/app.ts';
import { takeLease } from '../src/lib/db/lease.ts';
import { write } from '../src/lib/db/client.ts';
import { subscriptions, users } from '../src/lib/db/schema.ts';
import { recordChecks, targetOf, type LookRecord } from '../src/lib/monitoring/health-store.ts';
import { listActive } from '../src/lib/monitoring/fleet.ts';
import { addressOf } from './loopback-fleet.ts';
import { report } from './report.ts';

const FLEET = Number(process.env.BENCH_FLEET ?? 10_000);
const SWEEPS = 3;
const BATCH = 5;
const MINUTE_MS = 60_000;

const folder = mkdtempSync(join(tmpdir(), 'wardround-bench-'));
const environment = { DATABASE_URL: join(folder, 'w.db'), ENCRYPTION_KEY_FILE: join(folder, 'key') };
const app = await openApp(environment, 'server');
await write(app.db, (tx) => {
  for (let index = 0; index < FLEET; index++) {
    const userId = `user-${index}`;
    tx.insert(users)
      .values({ id: userId, email: `${index}@example.test` })
      .run();
    tx.insert(subscriptions)
      .values({
        userId,
        vpsProvisioned: true,
        provisioningStatus: 'ready',
        vpsIpAddress: addressOf(index),
        sshHostKey: 'ssh-ed25519 AAAA',
      })
      .run();
  }
});
const tenure = await takeLease(app.db, 'sweep', 'bench');
if ('takenBy' in tenure) throw new Error('somebody else has the lease');

/** All is well, as nearly always. */
const lookAt = ({ subscription }: ReturnType<typeof listActive>[number], lookedAt: Date): LookRecord => ({
  kind: 'look',
  userId: subscription.userId,
  subscriptionId: subscription.id,
  target: targetOf(subscription),
  hostKey: 'ssh-ed25519 AAAA',
  check: {
    lookedAt,
    verdict: { kind: 'healthy' },
    healing: { action: 'none', reason: 'not_called_for' },
    maintenance: false,
    probeMs: 100 + (lookedAt.getTime() % 97),
  },
});

const rates: number[] = [];
const cpuMs: number[] = [];
let listMs = 0;
for (let sweep = 0; sweep <= SWEEPS; sweep++) {
  const listedAt = performance.now();
  const due = listActive(app.db, app.settings);
  listMs = performance.now() - listedAt;
  const at = Date.now() - (SWEEPS - sweep) * MINUTE_MS;
  const records = due.map((vps, index) => lookAt(vps, new Date(at + index)));
  const beganAt = performance.now();
  const cpuBefore = process.cpuUsage();
  for (let start = 0; start < records.length; start += BATCH)
    await recordChecks(app.db, tenure, records.slice(start, start + BATCH), app.settings);
  const { user, system } = process.cpuUsage(cpuBefore);
  // The first one makes the rows, which is another thing.
  if (sweep === 0) continue;
  rates.push((FLEET / (performance.now() - beganAt)) * 1_000);
  cpuMs.push((user + system) / 1_000);
}
const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
app.close();
rmSync(folder, { recursive: true });
report('store', `${FLEET} healthy VPSs, ${SWEEPS} sweeps, batches of ${BATCH}, one transaction each`, [
  { what: 'checks recorded', value: median(rates), unit: '/s', bar: { atLeast: 20_000 } },
  { what: 'processor time of a check', value: (median(cpuMs) / FLEET) * 1_000, unit: 'µs' },
  { what: 'reading the fleet at the beginning of a sweep', value: listMs, unit: 'ms' },
]);
