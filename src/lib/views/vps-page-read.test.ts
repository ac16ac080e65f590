import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addWatched, everyMinute, openHistoryApp, record, type HistoryApp } from '../../../tests/support/history.ts';
import type { App } from '../app.ts';
import { LOCAL_OPERATOR, type Actor } from '../auth/actor.ts';
import {
  healthChecks,
  healthEvents,
  incidents,
  restartAttempts,
  restartEvidence,
  subscriptions,
} from '../db/schema.ts';
import { customerSentence } from './customer-sentence.ts';
import { readVps } from './fleet-read.ts';
import { readIncidentPage } from './incident-page-read.ts';
import { readVpsPage } from './vps-page-read.ts';

const NOW = new Date('2026-11-24T12:00:00Z');
const ago = (minutes: number): Date => new Date(NOW.getTime() - minutes * 60_000);
const RAW = 'raw words of the machine';
const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHmIPwNqYrjYIGxlUBYzTCpNZy1aD0Qq0yJ8Yk8m6S3v';
const monitor = {
  role: 'sweeping',
  startedAt: ago(60),
  trouble: null,
  progress: null,
  lastSweep: null,
  nextSweepAt: new Date(NOW.getTime() + 34_000),
  skippedSweeps: 0,
} as const;

let history: HistoryApp;
let app: App;
let owner: Actor;
let other: Actor;
let vpsId: string;
let bertsId: string;

beforeAll(async () => {
  history = await openHistoryApp();
  ({ app } = history);
  const vps = addWatched(app, 'anna');
  ({ vpsId } = vps);
  owner = { role: 'customer', userId: vps.userId };
  const berts = addWatched(app, 'bert');
  bertsId = berts.vpsId;
  other = { role: 'customer', userId: berts.userId };
  app.db.update(subscriptions).set({ sshHostKey: HOST_KEY }).run();
  await record(app, everyMinute(vps.userId, ago(60), ['healthy', 'unhealthy']));
  const state = { status: 'unhealthy', lastErrorCode: 'service_not_active', consecutiveFailures: 2 } as const;
  app.db
    .insert(healthChecks)
    .values({ userId: vps.userId, ...state, lastError: RAW, lastCheckAt: ago(0) })
    .run();
  const incident = {
    id: 'incident-1',
    cause: 'service_not_active',
    firstError: RAW,
    openedAt: ago(2),
    failedChecks: 2,
  } as const;
  app.db
    .insert(incidents)
    .values({ ...vps, ...incident })
    .run();
  const restart = { id: 'restart-1', incidentId: 'incident-1', outcome: 'failed', detail: RAW } as const;
  app.db
    .insert(restartAttempts)
    .values({ userId: vps.userId, ...restart, intendedAt: ago(2) })
    .run();
  app.db
    .insert(restartEvidence)
    .values({ restartId: 'restart-1', takenAt: ago(2), unit: RAW, journal: RAW })
    .run();
  const event = { ...vps, incidentId: 'incident-1', actor: 'monitor', at: ago(2) };
  app.db
    .insert(healthEvents)
    .values([
      { ...event, kind: 'check_failed', detail: { cause: 'service_not_active', message: RAW } },
      { ...event, kind: 'restart_failed', detail: { message: RAW } },
    ])
    .run();
});
afterAll(() => history.close());

const pageFor = (actor: Actor) => readVpsPage(app, actor, { id: vpsId, window: '24h' }, { monitor, now: NOW });

describe('the page of a VPS', () => {
  it('tells its customer in plain words, and holds nothing that a machine said', () => {
    const view = pageFor(owner);
    if (view?.kind !== 'customer') throw new Error('a customer gets the view of a customer');
    const { now, next } = customerSentence(view.facts, NOW);
    expect(`${now} ${next}`).toBe('One restart did not help. We try again in 34 s.');
    expect(view.incidents).toMatchObject([
      {
        words: 'The service was not running. This has been so for 2 min; we keep trying.',
        timeline: [{ words: 'A check failed: the service was not running' }, { words: 'The restart did not help' }],
      },
    ]);
    const sent = JSON.stringify(view);
    for (const secret of [RAW, 'SHA256', 'AAAAC3', 'anna@example.test']) expect(sent).not.toContain(secret);
  });

  it('calls no restart a failure that is still under way', () => {
    const second = { id: 'restart-2', incidentId: 'incident-1', userId: owner.userId ?? '', intendedAt: ago(0) };
    app.db.insert(restartAttempts).values(second).run();
    const view = pageFor(owner);
    app.db.delete(restartAttempts).where(eq(restartAttempts.id, second.id)).run();
    if (view?.kind !== 'customer') throw new Error('a customer gets the view of a customer');
    const { now, next } = customerSentence(view.facts, NOW);
    expect(`${now} ${next}`).toBe('One restart did not help. We are restarting it now.');
  });

  it('shows an admin all of it', () => {
    const view = pageFor(LOCAL_OPERATOR);
    if (view?.kind !== 'admin') throw new Error('an admin gets the view of an admin');
    expect(view.vps.hostKeyFingerprint).toMatch(/^SHA256:/);
    expect(view.evidence[0]?.restarts[0]).toMatchObject({ journal: RAW });
    expect(view.sameMachines).toMatchObject([
      { host: readVps(app, other, bertsId, NOW)?.host, customer: 'bert@example.test' },
    ]);
    expect(view.journal.map(({ words }) => words)).toEqual([`restart did not help: ${RAW}`, `check failed: ${RAW}`]);
  });

  it('is not there for another customer', () => {
    expect(pageFor(other)).toBeUndefined();
  });
});

describe('the page of an incident', () => {
  it('tells its customer in plain words, admins what was seen, and others nothing', () => {
    const plain = readIncidentPage(app, owner, 'incident-1', NOW);
    expect(plain?.kind).toBe('customer');
    expect(JSON.stringify(plain)).not.toContain(RAW);
    const whole = readIncidentPage(app, LOCAL_OPERATOR, 'incident-1', NOW);
    expect(whole).toMatchObject({ kind: 'admin', restarts: [{ journal: RAW, unit: RAW }], acknowledgedBy: null });
    expect(readIncidentPage(app, other, 'incident-1', NOW)).toBeUndefined();
  });
});
