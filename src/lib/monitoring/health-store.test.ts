import { afterEach, beforeEach, expect, it } from 'vitest';
import { scratchEnvironment } from '../../../tests/support/project.ts';
import { recordStatements, type Recording } from '../../../tests/support/statements.ts';
import { openApp, type App } from '../app.ts';
import { takeLease, type Tenure } from '../db/lease.ts';
import { healthChecks, incidents, subscriptions, users } from '../db/schema.ts';
import { listActive } from './fleet.ts';
import { recordChecks, type LookRecord } from './health-store.ts';
import { targetOf } from './vps-target.ts';
import type { Verdict } from './rules/verdict.ts';

const FLEET = 5;
/** Of a VPS that is well and has no maintenance, no restarts and no open incident; a sample in three roll-ups. */
const MOST_STATEMENTS_A_CHECK = 5;
const TEN_MINUTES_MS = 600_000;
const HEALTHY: Verdict = { kind: 'healthy' };
const REFUSED: Verdict = { kind: 'unreachable', cause: 'refused', message: 'refused' };

let scratch: ReturnType<typeof scratchEnvironment>;
let app: App;
let tenure: Tenure;
let sent: Recording;
beforeEach(async () => {
  scratch = scratchEnvironment();
  app = await openApp(scratch.environment, 'server');
  for (let index = 0; index < FLEET; index++) {
    const userId = `user-${index}`;
    app.db
      .insert(users)
      .values({ id: userId, email: `${index}@example.test` })
      .run();
    const ready = { vpsProvisioned: true, provisioningStatus: 'ready', sshHostKey: 'ssh-ed25519 AAAA' } as const;
    app.db
      .insert(subscriptions)
      .values({ id: `vps-${index}`, userId, ...ready })
      .run();
  }
  const taken = await takeLease(app.db, 'sweep', 'test');
  if ('takenBy' in taken) throw new Error('taken');
  tenure = taken;
  sent = recordStatements(app.db.$client);
});
afterEach(() => {
  app.close();
  scratch.remove();
});

const looks = (msAgo: number, verdict: Verdict = HEALTHY): LookRecord[] =>
  listActive(app.db, app.settings).map(({ subscription }) => ({
    kind: 'look',
    userId: subscription.userId,
    subscriptionId: subscription.id,
    target: targetOf(subscription),
    hostKey: subscription.sshHostKey,
    link: null,
    check: {
      lookedAt: new Date(Date.now() - msAgo),
      verdict,
      healing: { action: 'none', reason: 'not_called_for' },
      maintenance: false,
      probeMs: 100,
    },
  }));
const record = (batch: readonly LookRecord[]) => recordChecks(app.db, tenure, batch, app.settings);

it('asks the database for no more than it has to for a VPS that is well', async () => {
  // Within the same minute, so that no VPS is to have its recent samples moved.
  const beganMsAgo = Date.now() % TEN_MINUTES_MS;
  await record(looks(beganMsAgo));
  const second = looks(beganMsAgo - 1);
  sent.take();
  await record(second);
  const statements = sent.take();
  const perBatch = statements.filter(({ times }) => times === 1);
  expect(perBatch.map(({ sql }) => sql)).toEqual([expect.stringMatching(/FROM leases/)]);
  const written = statements.filter(({ sql }) => sql.startsWith('UPDATE health_checks'));
  // A look that finds all well as before changes a few columns, not forty.
  expect(written.map(({ sql }) => sql.split(' = ?').length - 1)).toEqual([7]);
  const all = statements.reduce((sum, { times }) => sum + times, 0);
  expect((all - perBatch.length) / FLEET).toBeLessThanOrEqual(MOST_STATEMENTS_A_CHECK);
});

it('lists a fleet with as many statements as one VPS', () => {
  sent.take();
  expect(listActive(app.db, app.settings)).toHaveLength(FLEET);
  expect(sent.take().every(({ times }) => times === 1)).toBe(true);
});

it('reads what there is besides of a VPS that has more to it', async () => {
  await record(looks(120_000));
  await record(looks(60_000, REFUSED));
  expect(app.db.select().from(incidents).all()).toHaveLength(FLEET);
  await record(looks(30_000));
  expect(app.db.select({ endedBy: incidents.endedBy }).from(incidents).all()).toEqual(
    Array.from({ length: FLEET }, () => ({ endedBy: expect.any(String) as unknown })),
  );
  const rows = app.db.select().from(healthChecks).all();
  expect(rows).toHaveLength(FLEET);
  expect(rows).toEqual(
    rows.map((row) => ({ ...row, status: 'healthy', totalChecks: 3, totalFailures: 1, totalRecoveries: 1 })),
  );
});
