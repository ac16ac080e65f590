import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eq, like } from 'drizzle-orm';
import { vi } from 'vitest';
import { newKeyPair } from '../../demo/key-pair.ts';
import { defaultApp, type App } from '../../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../../src/lib/auth/actor.ts';
import { judgeAccess } from '../../src/lib/auth/routes.ts';
import {
  beginSecondFactor,
  confirmSecondFactor,
  disableSecondFactor,
  provisioningOf,
} from '../../src/lib/auth/second-factor.ts';
import type { SignedIn } from '../../src/lib/auth/session.ts';
import { signIn, verifySecondFactor } from '../../src/lib/auth/sign-in.ts';
import { removeUser } from '../../src/lib/auth/users.ts';
import { incidents, statusPages, subscriptions, users } from '../../src/lib/db/schema.ts';
import { removeVps } from '../../src/lib/fleet-admin/fleet-admin.ts';
import { acknowledgeIncident } from '../../src/lib/fleet-admin/incident-admin.ts';
import { checkNow, resetCircuit, restartNow } from '../../src/lib/fleet-admin/vps-actions.ts';
import { pruneHistory } from '../../src/lib/history/retention.ts';
import { enforceGracePeriod } from '../../src/lib/jobs/grace-period-enforcer.ts';
import { acceptOutage, setHealing } from '../../src/lib/monitoring/monitor-state.ts';
import { addUser, askFrom, cookieFrom, openSession, PASSWORD, sessionOf } from './account-app.ts';
import { startVps, type SimulatedVps } from './fleet.ts';
import { addLargeFleet } from './large-fleet.ts';
import { startMailServer } from './mail-server.ts';
import { createTestSender } from './outbox.ts';
import { discover, isPage } from './routes.ts';
import { addTestVps, createSilentLog, setMaintenance, sweepOnce } from './scratch-app.ts';
import { recordStatements, type Statement } from './statements.ts';
import { totp } from './totp.ts';

const YEARS_MS = 3 * 365 * 24 * 60 * 60_000;

export type BusyApp = {
  readonly app: App;
  /** What was sent to the database, by who has sent it: `sweep`, `GET /incidents`, … */
  readonly sent: ReadonlyMap<string, readonly Statement[]>;
  close(): Promise<void>;
};

/**
 * The app of a server with a large fleet, after everything has been done with it once: sweeps that find, restart, give
 * up and recover, an outage, messages, everything that an admin may do, every page (`searches`: with which searches, where
 * not with none) for whoever may see it, and the jobs that tidy up.
 */
export async function openBusyApp(searches: Readonly<Record<string, readonly string[]>>): Promise<BusyApp> {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-busy-'));
  const mail = await startMailServer();
  const environment = {
    DATABASE_URL: join(folder, 'w.db'),
    ENCRYPTION_KEY_FILE: join(folder, 'key'),
    // Every host of a test is on loopback.
    ALLOWED_ADDRESSES: 'any',
    RESTART_SETTLE_MS: '10',
    SMTP_URL: mail.url,
    PUBLIC_URL: 'http://127.0.0.1',
    NOTIFY_DOWN_AFTER_CHECKS: '1',
  };
  for (const [name, value] of Object.entries(environment)) vi.stubEnv(name, value);
  const app = await defaultApp();
  const recording = recordStatements(app.db.$client);
  const sent = new Map<string, readonly Statement[]>();
  const note = (who: string): unknown => sent.set(who, [...(sent.get(who) ?? []), ...recording.take()]);
  const machines: SimulatedVps[] = [];
  const { sender, release } = await createTestSender(app, { nowMs: () => Date.now() + 60_000 });
  const close = async (): Promise<void> => {
    sender.close();
    app.close();
    await mail.close();
    for (const { host } of machines) await host.close();
    rmSync(folder, { recursive: true, force: true });
    vi.unstubAllEnvs();
  };

  app.db.$client.pragma('synchronous = OFF');
  await addLargeFleet(app, 150, new Date());
  // Nobody is at home there: looking at them would take its time.
  const pending = { provisioningStatus: 'pending' } as const;
  app.db.update(subscriptions).set(pending).where(like(subscriptions.userId, 'user-0%')).run();
  await addUser(app, 'admin@example.test', { role: 'admin' });
  const login = newKeyPair();
  const owned: { id: string; userId: string }[] = [];
  const failing = { unit: 'failed', restart: 'fails' } as const;
  for (const behaviour of [failing, { unit: 'failed' }, {}, {}] as const) {
    const vps = await startVps(login.public, behaviour, 0);
    machines.push(vps);
    owned.push(await addTestVps(app, { port: vps.host.port, user: 'test', privateKey: login.private }));
  }
  const [own = { id: '', userId: '' }] = owned;
  recording.take();

  const sweep = async (): Promise<void> => {
    await sweepOnce(app);
    note('sweep');
    await sender.round();
    await sender.idle();
    note('outbox');
  };
  for (let round = 0; round < 4; round++) await sweep();
  const incidentId = app.db.select().from(incidents).where(eq(incidents.userId, own.userId)).get()?.id ?? '';
  for (const { host } of machines) await host.refuse();
  await sweep();
  await acceptOutage(app.db, LOCAL_OPERATOR);
  await sweep();
  for (const { host } of machines) await host.accept();
  await setHealing(app.db, LOCAL_OPERATOR, 'off');
  await setHealing(app.db, LOCAL_OPERATOR, 'on');
  await acknowledgeIncident(app, LOCAL_OPERATOR, incidentId, new Date());
  await resetCircuit(app, LOCAL_OPERATOR, [own.id], new Date());
  await setMaintenance(app, own, true);
  await setMaintenance(app, own, false);
  const log = createSilentLog();
  const checked = await checkNow(app, LOCAL_OPERATOR, [own.id], log);
  await checked.done;
  const restarted = await restartNow(app, LOCAL_OPERATOR, own.id, { now: new Date(), log });
  await restarted.done;
  for (const { machine } of machines) Object.assign(machine, { unit: 'active', restart: 'works' });
  note('admin');
  await sweep();

  const admin = await signInWithSecondFactor(app, 'admin@example.test');
  const email = app.db.select().from(users).where(eq(users.id, own.userId)).get()?.email ?? '';
  const customer: SignedIn = {
    ...admin,
    actor: { role: 'customer', userId: own.userId },
    user: { ...admin.user, id: own.userId, email },
  };
  note('signing in');
  const token = 'x'.repeat(43);
  app.db.insert(statusPages).values({ vpsId: own.id, token }).run();
  recording.take();
  for (const what of discover().filter((one) => one.startsWith('GET '))) {
    const route = what.slice('GET '.length);
    for (const signedIn of [null, customer, admin])
      if (judgeAccess(route, signedIn?.actor ?? null) === 'allowed')
        for (const search of searches[route] ?? [''])
          await open(route, {
            search: search.replace(':vps', own.id),
            params: { id: route.startsWith('/incidents') ? incidentId : own.id, token },
            signedIn,
          });
    note(what);
  }

  await release();
  await pruneHistory(app.db, new Date(Date.now() + YEARS_MS), app.settings.history);
  await enforceGracePeriod(app.db, new Date(), 1);
  note('tidying up');
  await removeVps(app, LOCAL_OPERATOR, own.id);
  await removeUser(app, LOCAL_OPERATOR, own.userId);
  note('admin');
  return { app, sent, close };
}

/** Sets one up, signs in with it, and switches it off again; gives the session of that sign-in. */
async function signInWithSecondFactor(app: App, email: string): Promise<SignedIn> {
  const { signedIn, asking } = await openSession(app, email);
  const begun = await beginSecondFactor(app, asking, signedIn, PASSWORD, new Date());
  const secret = begun.kind === 'begun' ? (provisioningOf(begun.uri)?.secret ?? '') : '';
  await confirmSecondFactor(app, asking, signedIn, totp(secret, Date.now()), new Date());
  const first = await signIn(app, askFrom('192.0.2.1'), { email, password: PASSWORD }, new Date());
  if (first.kind !== 'second_factor') throw new Error(`a second factor was not asked for, but: ${first.kind}`);
  const between = askFrom('192.0.2.1', cookieFrom(first.setCookies));
  // A code is good for one use, and the next one is taken half a minute early.
  const code = totp(secret, Date.now() + 30_000);
  const second = await verifySecondFactor(app, between, code, new Date());
  if (second.kind !== 'signed_in') throw new Error(`not signed in, but: ${second.kind}`);
  const session = await sessionOf(app, askFrom('192.0.2.1', cookieFrom(second.setCookies)));
  await disableSecondFactor(app, session.asking, session.signedIn, PASSWORD, new Date());
  return session.signedIn;
}

type Visit = {
  readonly search: string;
  readonly params: Readonly<Record<string, string>>;
  readonly signedIn: SignedIn | null;
};

/** What SvelteKit does to read a page or to answer a request, without what it makes of it. */
async function open(route: string, { search, params, signedIn }: Visit): Promise<void> {
  const file = join(resolve('src/routes'), route, isPage(route) ? '+page.server.ts' : '+server.ts');
  const { load, GET } = (await import(file)) as Partial<Record<'load' | 'GET', (event: object) => unknown>>;
  const event = {
    params,
    url: new URL(`http://127.0.0.1${route}${search}`),
    request: new Request('http://127.0.0.1'),
    locals: { signedIn, actor: signedIn?.actor ?? null, asking: { address: null, userAgent: '', cookie: '' } },
    depends: () => undefined,
    setHeaders: () => undefined,
  };
  try {
    const answer = await (load ?? GET)?.(event);
    // A stream has no end; a download has.
    if (answer instanceof Response)
      await (answer.headers.get('content-type') === 'text/event-stream' ? answer.body?.cancel() : answer.text());
  } catch (thrown) {
    const isRedirect = typeof thrown === 'object' && thrown !== null && 'location' in thrown;
    if (!isRedirect) throw thrown;
  }
}
