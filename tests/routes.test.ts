import Sqlite from 'better-sqlite3';
import { eq } from 'drizzle-orm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openApp } from '../src/lib/app.ts';
import { ROUTE_ACCESS } from '../src/lib/auth/routes.ts';
import { incidents, subscriptions } from '../src/lib/db/schema.ts';
import { acceptInvitation, createAdmin, post, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';
import { discover, isPage } from './support/routes.ts';

const ACTORS = ['anonymous', 'customer', 'other customer', 'admin'] as const;
type Who = (typeof ACTORS)[number];

/**
 * What each of them gets: a status, or a status and where it leads. `:vps` is the VPS of `customer`, `:incident`
 * an incident of it. A form is posted empty: 400 says that it was read, 303 to the sign-in or 403 that it was not.
 */
type Answers = Readonly<Record<Who, string>>;
const everybody = (answer: string): Answers => ({
  anonymous: answer,
  customer: answer,
  'other customer': answer,
  admin: answer,
});
const users = (anonymous: string, answer: string): Answers => ({ ...everybody(answer), anonymous });
const admins = (anonymous: string, answer: string): Answers => ({ ...everybody('403'), anonymous, admin: answer });
/** Of the VPS's owner and of admins. */
const owners = (anonymous: string, answer: string): Answers => ({
  ...users(anonymous, answer),
  'other customer': '404',
});
const next = (path: string): string => `303 /sign-in?next=${encodeURIComponent(path).replaceAll('%3A', ':')}`;

/** Every page, action and method of the server. One that is not named here fails the test below. */
const MATRIX: Readonly<Record<string, Answers>> = {
  'GET /': { anonymous: '303 /sign-in', customer: '303 /vps/:vps', 'other customer': '303 /vps/:other', admin: '200' },
  'GET /vps/[id]': {
    anonymous: '303 /sign-in?next=%2Fvps%2F:vps',
    customer: '200',
    'other customer': '404',
    admin: '200',
  },
  'POST /?/bulk': admins('303 /sign-in?next=%2F%3F%2Fbulk', '400'),
  'GET /live': users('303 /sign-in?next=%2Flive', '200'),
  'GET /fleet/rows': admins('303 /sign-in?next=%2Ffleet%2Frows', '200'),
  'POST /theme': everybody('400'),
  'GET /incidents': admins(next('/incidents'), '200'),
  'POST /incidents?/acknowledge': admins(next('/incidents?/acknowledge'), '400'),
  'GET /incidents/export': admins(next('/incidents/export'), '200'),
  'GET /incidents/[id]': owners(next('/incidents/:incident'), '200'),
  'GET /vps/[id]/actions': admins(next('/vps/:vps/actions'), '200'),
  ...Object.fromEntries(
    ['check', 'restart', 'reset', 'endMaintenance', 'pause', 'resume', 'repin'].map((action) => [
      `POST /vps/[id]/actions?/${action}`,
      admins(next(`/vps/:vps/actions?/${action}`), `303 /vps/:vps?done=${action}`),
    ]),
  ),
  'POST /vps/[id]/actions?/maintenance': admins(next('/vps/:vps/actions?/maintenance'), '400'),
  'POST /vps/[id]/actions?/remove': admins(next('/vps/:vps/actions?/remove'), '409'),
  'GET /vps/[id]/edit': admins(next('/vps/:vps/edit'), '200'),
  'POST /vps/[id]/edit': admins(next('/vps/:vps/edit'), '400'),
  'GET /vps/[id]/status-page': owners(next('/vps/:vps/status-page'), '200'),
  'POST /vps/[id]/status-page?/on': owners(next('/vps/:vps/status-page?/on'), '303 /vps/:vps/status-page?done=on'),
  'POST /vps/[id]/status-page?/renew': owners(
    next('/vps/:vps/status-page?/renew'),
    '303 /vps/:vps/status-page?done=renew',
  ),
  'POST /vps/[id]/status-page?/off': owners(next('/vps/:vps/status-page?/off'), '303 /vps/:vps/status-page?done=off'),
  'GET /vps/import': admins(next('/vps/import'), '200'),
  'POST /vps/import': admins(next('/vps/import'), '400'),
  'GET /vps/import/[run]': admins(next('/vps/import/[run]'), '303 /vps/import?done=gone'),
  'POST /vps/import/[run]?/good': admins(next('/vps/import/[run]?/good'), '303 /vps/import?done=gone'),
  'POST /vps/import/[run]?/stop': admins(next('/vps/import/[run]?/stop'), '303 /vps/import?done=gone'),
  'GET /vps/[id]/try': admins(next('/vps/:vps/try'), '200'),
  'POST /vps/[id]/try': admins(next('/vps/:vps/try'), '200'),
  'POST /vps/[id]/try/live': admins(next('/vps/:vps/try/live'), '200'),
  'POST /vps/new/live': admins(next('/vps/new/live'), '400'),
  'GET /vps/new': admins(next('/vps/new'), '200'),
  'POST /vps/new': admins(next('/vps/new'), '400'),
  'GET /status/[token]': everybody('200'),
  'GET /status/[token]/badge.svg': everybody('200'),
  'GET /settings': admins(next('/settings'), '200'),
  'POST /settings?/test': admins(next('/settings?/test'), '400'),
  'POST /settings?/healingOff': admins(next('/settings?/healingOff'), '303 /settings?done=healingOff'),
  'POST /settings?/healingOn': admins(next('/settings?/healingOn'), '303 /settings?done=healingOn'),
  'POST /settings?/outage': admins(next('/settings?/outage'), '409'),
  'POST /settings?/retry': admins(next('/settings?/retry'), '303 /settings?done=retry'),
  'GET /settings/users': admins(next('/settings/users'), '200'),
  ...Object.fromEntries(
    ['link', 'disable', 'enable', 'sessions', 'remove'].map((action) => [
      `POST /settings/users?/${action}`,
      admins(next(`/settings/users?/${action}`), '409'),
    ]),
  ),
  'POST /settings/users?/invite': admins(next('/settings/users?/invite'), '400'),
  'POST /settings/users?/role': admins(next('/settings/users?/role'), '400'),
  'GET /sign-in': users('200', '303 /'),
  // Whoever is signed in is led on from the page that would show the error.
  'POST /sign-in': users('400', '303 /'),
  'GET /sign-in/second-factor': users('303 /sign-in', '303 /'),
  'POST /sign-in/second-factor': everybody('303 /sign-in?done=expired'),
  'GET /sign-out': users('303 /sign-in', '200'),
  'POST /sign-out': everybody('303 /sign-in?done=signed-out'),
  'GET /forgot-password': everybody('200'),
  'POST /forgot-password': everybody('503'),
  'GET /reset-password': everybody('200'),
  'POST /reset-password': everybody('400'),
  'GET /healthz': everybody('200'),
  'GET /readyz': everybody('200'),
  // From this machine, as here: who else may come is in metrics.test.ts.
  'GET /metrics': everybody('200'),
  'GET /welcome': everybody('200'),
  'POST /welcome': everybody('400'),
  'GET /account': users('303 /sign-in?next=%2Faccount', '200'),
  'POST /account?/name': users('303 /sign-in?next=%2Faccount%3F%2Fname', '303 /account?done=name'),
  'POST /account?/password': users('303 /sign-in?next=%2Faccount%3F%2Fpassword', '400'),
  'POST /account?/others': users('303 /sign-in?next=%2Faccount%3F%2Fothers', '303 /account?done=others'),
  'GET /account/notifications': users('303 /sign-in?next=%2Faccount%2Fnotifications', '200'),
  ...Object.fromEntries(
    ['email', 'telegram', 'webhook'].map((channel) => [
      `POST /account/notifications?/${channel}`,
      users(
        `303 /sign-in?next=%2Faccount%2Fnotifications%3F%2F${channel}`,
        `303 /account/notifications?done=${channel}`,
      ),
    ]),
  ),
  'GET /confirm-address': everybody('200'),
  'POST /confirm-address': everybody('400'),
  'GET /account/second-factor': admins('303 /sign-in?next=%2Faccount%2Fsecond-factor', '200'),
  'POST /account/second-factor?/begin': admins('303 /sign-in?next=%2Faccount%2Fsecond-factor%3F%2Fbegin', '400'),
  'POST /account/second-factor?/confirm': admins('303 /sign-in?next=%2Faccount%2Fsecond-factor%3F%2Fconfirm', '400'),
  'POST /account/second-factor?/disable': admins('303 /sign-in?next=%2Faccount%2Fsecond-factor%3F%2Fdisable', '400'),
  'POST /account/second-factor?/codes': admins(
    '303 /sign-in?next=%2Faccount%2Fsecond-factor%3F%2Fcodes',
    '303 /account/second-factor',
  ),
};

/** All of it; of a live stream, which has no end, the beginning. */
async function bodyOf(response: Response): Promise<string> {
  if (response.headers.get('content-type') !== 'text/event-stream') return response.text();
  const reader = response.body?.getReader();
  const { value } = (await reader?.read()) ?? {};
  await reader?.cancel();
  return new TextDecoder().decode(value);
}

/** An incident of this VPS, written down as a sweep does. */
async function addIncident(environment: Record<string, string>, vpsId: string): Promise<string> {
  const app = await openApp(environment, 'existing');
  const vps = app.db.select().from(subscriptions).where(eq(subscriptions.id, vpsId)).get();
  const what = { cause: 'timeout', firstError: 'no answer' } as const;
  const incident = { id: 'incident-1', vpsId, userId: vps?.userId ?? '', ...what };
  app.db
    .insert(incidents)
    .values({ ...incident, openedAt: new Date() })
    .run();
  app.close();
  return incident.id;
}

describe('every route, action and method', () => {
  it('is named in this matrix, and its route in ROUTE_ACCESS; nothing else is', () => {
    expect(discover()).toEqual(Object.keys(MATRIX).toSorted());
    const routes = new Set(discover().map((one) => one.replace(/^\S+ /, '').replace(/\?.*/, '')));
    expect([...routes].toSorted()).toEqual(Object.keys(ROUTE_ACCESS).toSorted());
  });

  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  const fleet: SimulatedVps[] = [];
  let server: Awaited<ReturnType<typeof startServer>>;
  let ids: Readonly<Record<'vps' | 'other' | 'incident', string>>;
  let token: string;
  const cookies = new Map<Who, string>();

  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    for (const behaviour of [{}, {}]) fleet.push(await startVps(login.publicKey, behaviour));
    const [vps = '', other = ''] = await addAll(scratch.environment, login.keyFile, fleet);
    ids = { vps, other, incident: await addIncident(scratch.environment, vps) };
    await createAdmin(scratch.environment);
    server = await startServer(scratch.environment);
    for (const email of ['c0@example.test', 'c1@example.test'])
      await acceptInvitation(scratch.environment, server.url, email);
    cookies.set('customer', await signIn(server.url, 'c0@example.test'));
    cookies.set('other customer', await signIn(server.url, 'c1@example.test'));
    cookies.set('admin', await signIn(server.url));
    const cookie = cookies.get('customer') ?? '';
    await post(`${server.url}/vps/${vps}/status-page?/on`, {}, { cookie });
    const page = await fetch(`${server.url}/vps/${vps}/status-page`, { headers: { cookie } });
    token = /\/status\/([\w-]{43})/.exec(await page.text())?.[1] ?? '';
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    for (const { host } of fleet) await host.close();
    scratch.remove();
  });

  const withIds = (text: string): string =>
    text.replaceAll(':vps', ids.vps).replaceAll(':other', ids.other).replaceAll(':incident', ids.incident);
  const urlOf = (route: string): string =>
    server.url +
    route.replace('[id]', route.startsWith('/incidents') ? ids.incident : ids.vps).replace('[token]', token);
  /** Signing out is one of the things that are tried: each gets a session of its own for it. */
  const headersOf = async (who: Who, route: string): Promise<Record<string, string>> => {
    if (who === 'anonymous') return {};
    const email = { customer: 'c0@example.test', 'other customer': 'c1@example.test', admin: undefined }[who];
    const ends = route.startsWith('/sign-out');
    return { cookie: ends ? await signIn(server.url, email) : (cookies.get(who) ?? '') };
  };
  const summary = (response: Response): string =>
    [response.status, response.headers.get('location')].filter((part) => part !== null).join(' ');

  const cases = Object.entries(MATRIX).flatMap(([what, answers]) =>
    ACTORS.map((who) => [what, who, answers[who]] as const),
  );

  it.each(cases.filter(([what]) => what.startsWith('GET')))('%s as %s: %s', async (what, who, answer) => {
    const route = what.slice('GET '.length);
    const headers = { accept: 'text/html', ...(await headersOf(who, route)) };
    const response = await fetch(urlOf(route), { headers, redirect: 'manual' });
    expect(summary(response)).toBe(withIds(answer));
    const body = await bodyOf(response);
    // Whoever gets something else than the page gets nothing of its content.
    if (who !== 'customer' && who !== 'admin') expect(body).not.toContain('c0@example.test');
  });

  const pages = cases.filter(([what]) => what.startsWith('GET') && isPage(what.slice('GET '.length)));
  it.each(pages)('the data of %s as %s: %s', async (what, who, answer) => {
    const route = what.slice('GET '.length);
    const response = await fetch(`${urlOf(route)}${route === '/' ? '' : '/'}__data.json`, {
      headers: await headersOf(who, route),
      redirect: 'manual',
    });
    const body = await response.text();
    const [status, location] = withIds(answer).split(' ');
    if (status === '303') expect(JSON.parse(body)).toEqual({ type: 'redirect', location });
    else if (status === '404') expect(body).toContain('"status":404');
    else expect(response.status).toBe(Number(status));
    if (who !== 'customer' && who !== 'admin') expect(body).not.toContain('c0@example.test');
  });

  it.each(cases.filter(([what]) => !what.startsWith('GET')))('%s as %s: %s', async (what, who, answer) => {
    const [method = '', route = ''] = what.split(' ');
    expect(method).toBe('POST');
    const response = await post(urlOf(route), {}, await headersOf(who, route));
    expect(summary(response)).toBe(withIds(answer));
  });

  it.each(cases.filter(([what, who]) => !what.startsWith('GET') && who === 'admin'))(
    '%s does nothing for a page elsewhere, whatever it calls its content',
    async (what) => {
      const [method = '', route = ''] = what.split(' ');
      const cookie = cookies.get('admin') ?? '';
      for (const origin of ['https://elsewhere.example', 'null', undefined])
        for (const type of ['application/x-www-form-urlencoded', 'text/plain', 'application/json', undefined]) {
          const headers = { cookie, ...(origin && { origin }), ...(type && { 'content-type': type }) };
          const response = await fetch(urlOf(route), { method, headers, body: new Uint8Array(), redirect: 'manual' });
          expect({ origin, type, status: response.status }).toEqual({ origin, type, status: 403 });
        }
      // The session that was sent along is still there.
      expect((await fetch(`${server.url}/account`, { headers: { cookie }, redirect: 'manual' })).status).toBe(200);
    },
  );

  it('says so where it cannot write, as the database is locked, and fails in no other way', async () => {
    const wanted = cases.filter(([what, who]) => what.startsWith('POST') && (who === 'admin' || who === 'anonymous'));
    const headers: Record<string, string>[] = [];
    for (const [what, who] of wanted) headers.push(await headersOf(who, what.slice('POST '.length)));
    const other = new Sqlite(scratch.environment.DATABASE_URL);
    other.exec('BEGIN IMMEDIATE');
    const answers: string[] = [];
    const ask = async ([what, who, answer]: (typeof wanted)[number], index: number): Promise<void> => {
      const response = await post(urlOf(what.slice('POST '.length)), {}, headers[index]);
      const isTold = (await response.text()).includes('The database is locked by another program.');
      const got = isTold ? `${response.status} locked` : summary(response);
      // Of what is answered step by step, the status is out by then.
      const wanted = what.endsWith('/live') ? '200 locked' : '503 locked';
      answers.push(got === withIds(answer) ? 'as ever' : got === wanted ? '503 locked' : `${what} as ${who}: ${got}`);
    };
    // A few at a time, as each of them holds the process up for a moment.
    for (let at = 0; at < wanted.length; at += 8)
      await Promise.all(wanted.slice(at, at + 8).map((one, index) => ask(one, at + index)));
    other.exec('ROLLBACK');
    other.close();
    expect([...new Set(answers)].toSorted()).toEqual(['503 locked', 'as ever']);
  }, 300_000);

  it.each(['/api/auth/sign-in/email', '/api/auth/get-session', '/api/auth/admin/list-users', '/api/auth/ok'])(
    '%s is not there: nothing of better-auth answers by itself',
    async (path) => {
      for (const method of ['GET', 'POST']) {
        const headers = { cookie: cookies.get('admin') ?? '', origin: server.url };
        const response = await fetch(server.url + path, { method, headers, redirect: 'manual' });
        expect(response.status).toBe(404);
      }
    },
  );
});
