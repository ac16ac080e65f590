import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptInvitation, cookieOf, createAdmin, PASSWORD, post, signIn, ADMIN } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';

const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
let server: Awaited<ReturnType<typeof startServer>>;
let vps: SimulatedVps;
let customer: string;
let admin: string;

beforeAll(async () => {
  const login = makeLogin(scratch.folder);
  vps = await startVps(login.publicKey, {});
  await addAll(scratch.environment, login.keyFile, [vps]);
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  await acceptInvitation(scratch.environment, server.url, 'c0@example.test');
  customer = await signIn(server.url, 'c0@example.test');
  admin = await signIn(server.url);
});
afterAll(async () => {
  await endWith(server, 'SIGKILL');
  await vps.host.close();
  scratch.remove();
});

const get = async (path: string, cookie = '', headers: Record<string, string> = {}) => {
  const response = await fetch(server.url + path, { headers: { accept: 'text/html', cookie, ...headers } });
  return { status: response.status, headers: response.headers, body: await response.text() };
};
/** Does something to the database that no code of ours does, and undoes it. */
async function whileIn(change: string, undo: string, work: () => Promise<void>): Promise<void> {
  const db = new Sqlite(scratch.environment.DATABASE_URL);
  db.exec(change);
  try {
    await work();
  } finally {
    db.exec(undo);
    db.close();
  }
}
const THEME = 'wardround.theme=dark';

describe('somebody who is refused', () => {
  const expectPage = ({ headers, body }: Awaited<ReturnType<typeof get>>): void => {
    expect(body).toContain('data-theme="dark"');
    expect(body).toMatch(/<a[^>]* href="\/"/);
    expect(body).toContain('Wardround');
    expect(body).not.toMatch(/%sveltekit|%wardround|node_modules|\bat \w+ \(/);
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('cache-control')).toBe('private, no-store');
  };

  it.each([
    ['/nowhere', 404, 'There is no such page'],
    ['/vps/vps-0', 404, 'There is no such VPS'],
    ['/status/none', 404, 'There is no such status page'],
  ])('at %s gets a page of the product, in the chosen theme, with a way on', async (path, status, title) => {
    const page = await get(path, `${admin}; ${THEME}`);
    expect([page.status, page.body.includes(`${title}</h1>`)]).toEqual([status, true]);
    expectPage(page);
    expect(page.body).toContain('Sign out');
  });

  it('gets one for a page of administrators too, and for a form that came from elsewhere', async () => {
    const page = await get('/settings', `${customer}; ${THEME}`);
    expect([page.status, page.body.includes('<h1>This page is for administrators</h1>')]).toEqual([403, true]);
    expectPage(page);
    const foreign = await post(`${server.url}/sign-in`, {}, { origin: 'https://elsewhere.example', cookie: THEME });
    const { status, headers } = foreign;
    const body = await foreign.text();
    expect(status).toBe(403);
    expectPage({ status, headers, body });
    // What asks for no page gets none.
    expect((await get('/settings', customer, { accept: 'application/json' })).body).toMatch(/^\{"message"/);
  });

  it.each([
    ['the session', 'sessions'],
    ['the page', 'monitor_state'],
  ])('by a fault of ours in %s gets one that says no more than that, and the log says it all', async (_, table) => {
    await whileIn(`ALTER TABLE ${table} RENAME TO hidden`, `ALTER TABLE hidden RENAME TO ${table}`, async () => {
      const page = await get('/', `${admin}; ${THEME}`);
      expect([page.status, page.body.includes('Something went wrong here</h1>')]).toEqual([500, true]);
      expectPage(page);
      expect(page.body).not.toContain(table);
      await server.line(new RegExp(`^\\[web\\] 500 for GET /: .*no such table: ${table}`));
    });
    expect((await get('/', admin)).status).toBe(200);
  });
});

describe('a form whose session has ended', () => {
  const typed = {
    customer: 'new@example.test',
    host: '203.0.113.77',
    port: '2222',
    user: 'deploy',
    privateKey: 'SECRET-KEY',
  };
  const endSessions = (): void => {
    const db = new Sqlite(scratch.environment.DATABASE_URL);
    db.exec('DELETE FROM sessions');
    db.close();
  };

  it('says so, keeps what was typed but for secrets, and offers it after the sign-in', async () => {
    const before = await signIn(server.url);
    endSessions();
    const refused = await post(`${server.url}/vps/new`, typed, { cookie: before });
    expect([refused.status, refused.headers.get('location')]).toEqual([
      303,
      '/sign-in?next=%2Fvps%2Fnew&done=ended-kept',
    ]);
    const kept = cookieOf(refused);
    expect(kept).toContain('wardround.kept=');
    expect(decodeURIComponent(kept)).not.toMatch(/203\.0\.113\.77|SECRET/);
    expect((await get('/sign-in?next=%2Fvps%2Fnew&done=ended-kept', kept)).body).toContain('what you typed is kept');

    const signed = await post(
      `${server.url}/sign-in?next=%2Fvps%2Fnew&done=ended-kept`,
      { email: ADMIN, password: PASSWORD },
      { cookie: kept },
    );
    expect(signed.headers.get('location')).toBe('/vps/new');
    const cookie = `${cookieOf(signed)}; ${kept}`;
    const page = await get('/vps/new', cookie);
    expect(page.body).toContain('Your session had ended when you sent this form');
    expect(page.body).toMatch(/name="host" value="203\.0\.113\.77"/);
    expect(page.body).toContain('Passwords, keys and codes were not kept');
    expect(page.body).not.toContain('SECRET');
    // On no other page, and for nobody without a session.
    expect((await get('/settings', cookie)).body).not.toContain('203.0.113.77');
    expect((await get('/sign-in', kept)).body).not.toContain('203.0.113.77');

    const { privateKey: _, ...again } = typed;
    const sent = await post(`${server.url}/vps/new`, again, { cookie });
    expect(sent.status).toBe(400);
    expect(sent.headers.getSetCookie().find((one) => one.startsWith('wardround.kept='))).toMatch(/Max-Age=0/);
    const body = await sent.text();
    expect(body).toMatch(/id="host"[^>]*value="203\.0\.113\.77"|value="203\.0\.113\.77"[^>]*id="host"/);
    expect(body).not.toContain('Your session had ended');
  });

  it('says so where there was nothing to keep, and keeps nothing for who never had a session', async () => {
    const before = await signIn(server.url);
    endSessions();
    const refused = await post(`${server.url}/account?/others`, {}, { cookie: before });
    expect(refused.headers.get('location')).toBe('/sign-in?next=%2Faccount%3F%2Fothers&done=ended');
    const stranger = await post(`${server.url}/vps/new`, typed);
    expect(stranger.headers.get('location')).toBe('/sign-in?next=%2Fvps%2Fnew');
    expect(cookieOf(stranger)).toBe('');
  });

  it('keeps nothing that is too long for a cookie, and believes no cookie that it has not made', async () => {
    const before = await signIn(server.url);
    endSessions();
    const long = await post(`${server.url}/vps/new`, { host: 'x'.repeat(5_000) }, { cookie: before });
    expect(long.headers.get('location')).toContain('done=ended');
    expect(cookieOf(long)).not.toContain('wardround.kept');
    admin = await signIn(server.url);
    for (const forged of ['x', 'v1.a.b.c.d', '%E0%A4%A'])
      expect((await get('/vps/new', `${admin}; wardround.kept=${forged}`)).status).toBe(200);
  });
});
