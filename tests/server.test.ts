import { readdirSync, readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ADMIN, cookieOf, createAdmin, PASSWORD, post, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import {
  endWith,
  runCli,
  scratchEnvironment,
  startProcess,
  startServer,
  type RunningProcess,
} from './support/project.ts';

let scratch: ReturnType<typeof scratchEnvironment>;
let login: ReturnType<typeof makeLogin>;
const processes: RunningProcess[] = [];
const running: SimulatedVps[] = [];

beforeEach(() => {
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', RESTART_SETTLE_MS: '50' });
  login = makeLogin(scratch.folder);
});
afterEach(async () => {
  for (const one of processes.splice(0)) {
    one.process.kill('SIGKILL');
    await one.exited;
  }
  for (const { host } of running.splice(0)) await host.close();
  scratch.remove();
});

/** Containers may have no IPv6 at all. */
const hasIPv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));
const serve = async (more: Record<string, string> = {}) => {
  const server = await startServer({ ...scratch.environment, ...more });
  processes.push(server);
  return server;
};
const fleetOf = async (...behaviours: Parameters<typeof startVps>[1][]): Promise<string[]> => {
  for (const behaviour of behaviours) running.push(await startVps(login.publicKey, behaviour));
  return addAll(scratch.environment, login.keyFile, running);
};
const asAdmin = async (url: string): Promise<(path: string) => Promise<{ status: number; body: string }>> => {
  await createAdmin(scratch.environment);
  const cookie = await signIn(url);
  return async (path) => {
    const response = await fetch(url + path, { headers: { cookie }, redirect: 'manual' });
    return { status: response.status, body: await response.text() };
  };
};

describe('the built server', () => {
  it('migrates, sweeps, shows what it saw, and works beside the command line', async () => {
    const [id = ''] = await fleetOf({}, { unit: 'failed', restart: 'fails' });
    const server = await serve();
    await server.line(/circuit breaker TRIPPED/);
    const get = await asAdmin(server.url);
    const page = await get('/');
    expect(page.status).toBe(200);
    expect(page.body).toContain('1 of 2 VPSs are healthy. ');
    expect(page.body).toContain('1 circuit is open');
    const vps = await get(`/vps/${id}`);
    expect(vps.body).toContain('rachel8 is running.');
    expect((await get('/vps/nobody')).status).toBe(404);
    const listed = await runCli(scratch.environment, 'vps', 'list', '--json');
    expect((JSON.parse(listed.stdout) as { status: string }[]).map((row) => row.status)).toEqual([
      'healthy',
      'circuit_open',
    ]);
  });

  it('prints a link for the first admin while there is none, which works once', async () => {
    const first = await serve();
    const link = new URL(/http\S+/.exec(await first.line(/there is no administrator yet/))?.[0] ?? '');
    expect(link.origin).toBe(first.url);
    const fields = { email: ADMIN, name: '', password: PASSWORD };
    const welcomed = await post(link.href, fields);
    expect([welcomed.status, welcomed.headers.get('location')]).toEqual([303, '/']);
    const page = await fetch(first.url, { headers: { cookie: cookieOf(welcomed) } });
    expect(await page.text()).toContain(ADMIN);
    expect((await post(link.href, { ...fields, email: 'second@example.test' })).status).toBe(400);
    await endWith(first, 'SIGTERM');
    const second = await serve();
    expect(second.output()).not.toContain('there is no administrator yet');
  });

  it('shows nothing without an account, whatever a request says of itself', async () => {
    const [id = ''] = await fleetOf({});
    const server = await serve();
    const claims: Record<string, string>[] = [
      {},
      { 'x-forwarded-for': '127.0.0.1' },
      { cookie: 'wardround.session_token=abc.def' },
      { authorization: 'Basic YWRtaW46YWRtaW4=' },
    ];
    for (const headers of claims)
      for (const path of ['/', `/vps/${id}`, `/vps/${id}/__data.json`, '/account'])
        expect(await (await fetch(server.url + path, { headers })).text()).not.toContain('c0@example.test');
  });

  it('sends headers that keep other pages, caches and eavesdroppers out', async () => {
    const server = await serve();
    const { headers } = await fetch(server.url);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('referrer-policy')).toBe('same-origin');
    expect(headers.get('cache-control')).toBe('private, no-store');
    expect(headers.get('content-security-policy')).toMatch(/script-src 'self' 'nonce-[^']+'/);
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect(headers.get('strict-transport-security')).toBeNull();
    const secure = await serve({ ORIGIN: 'https://wardround.example' });
    const page = await fetch(`${secure.url}/sign-in`);
    expect(page.headers.get('strict-transport-security')).toBe('max-age=31536000');
  });

  it('lets nobody guess passwords behind forged addresses, and remembers that over a restart', async () => {
    await createAdmin(scratch.environment);
    const forged = (attempt: number) => ({ 'x-forwarded-for': `198.51.100.${attempt}`, 'x-real-ip': '198.51.100.1' });
    // Too long for any account, so that nothing has to be hashed: it counts all the same.
    const guess = (url: string, attempt: number, email = `${attempt}@example.test`) =>
      post(`${url}/sign-in`, { email, password: 'x'.repeat(200) }, forged(attempt));
    const first = await serve();
    for (let attempt = 0; attempt < 50; attempt++) expect((await guess(first.url, attempt)).status).toBe(400);
    expect((await guess(first.url, 51)).status).toBe(429);
    await endWith(first, 'SIGKILL');
    const second = await serve();
    const refused = await guess(second.url, 52, ADMIN);
    expect(refused.status).toBe(429);
    expect(await refused.text()).toMatch(/Too many attempts\. Try again in 1[0-5] min\./);
  });

  it('believes the proxy that it was told of, and none but the last', async () => {
    const server = await serve({ ADDRESS_HEADER: 'X-Forwarded-For', XFF_DEPTH: '1' });
    const guess = (claimed: string, seen: string) =>
      post(
        `${server.url}/sign-in`,
        { email: `${claimed}@example.test`, password: 'x'.repeat(200) },
        { 'x-forwarded-for': `${claimed}, ${seen}` },
      );
    for (let attempt = 0; attempt < 50; attempt++) await guess(`198.51.100.${attempt}`, '203.0.113.1');
    expect((await guess('198.51.100.99', '203.0.113.1')).status).toBe(429);
    expect((await guess('198.51.100.99', '203.0.113.2')).status).toBe(400);
    // Whoever comes around the proxy has no address, and is served all the same.
    expect((await fetch(`${server.url}/sign-in`)).status).toBe(200);
  });

  it('lets no page wait for a check', async () => {
    await fleetOf({ network: 'hangs' });
    const server = await serve({ SSH_CONNECT_TIMEOUT_MS: '120000' });
    await server.line(/sweep started/);
    // The look at that host cannot end while this test runs; the page comes all the same.
    const get = await asAdmin(server.url);
    expect((await get('/')).body).toContain('Sweeping now: 0 of 1');
    expect(server.output()).not.toContain('sweep completed');
  });

  it.each(['SIGTERM', 'SIGINT'] as const)(
    'ends by itself after %s, with a connection open, and leaves a whole database',
    async (signal) => {
      await fleetOf({ network: 'hangs' });
      const server = await serve({ SSH_CONNECT_TIMEOUT_MS: '120000' });
      await server.line(/sweep started/);
      await fetch(server.url);
      expect(await endWith(server, signal)).toBe(0);
      expect(server.output()).toContain('health monitor stopped');
      const db = new Sqlite(scratch.environment.DATABASE_URL);
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok');
      expect(db.prepare("SELECT * FROM leases WHERE holder <> ''").all()).toEqual([]);
      db.close();
    },
  );

  it('does not sweep beside another server on the same database, and takes over when that one is killed', async () => {
    await fleetOf({});
    const first = await serve();
    await first.line(/sweep completed/);
    const second = await serve();
    await second.line(/standing by: the server process \d+ sweeps/);
    const get = await asAdmin(second.url);
    expect((await get('/')).body).toContain('This server stands by');
    const commands = running[0]?.commands.length ?? 0;
    expect(commands).toBeGreaterThan(0);
    expect(second.output()).not.toContain('sweep started');
    await endWith(first, 'SIGKILL');
    await second.line(/taking over/);
    await second.line(/sweep completed/);
  });

  it('makes the command line wait for a sweep of the server, politely', async () => {
    await fleetOf({ network: 'hangs' });
    const server = await serve({ SSH_CONNECT_TIMEOUT_MS: '120000' });
    await server.line(/sweep started/);
    const { exitCode, stderr } = await runCli(scratch.environment, 'sweep');
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`a sweep is running already, in process ${server.process.pid}; nothing was done`);
  });

  it.each([
    ['a wrong key', { ENCRYPTION_KEY: Buffer.alloc(32, 7).toString('base64') }, /ENCRYPTION_KEY is not the key/],
    ['a wrong setting', { HEALTH_CHECK_CRON: 'often' }, /HEALTH_CHECK_CRON is "often"; allowed: a cron expression/],
    ['a port that is none', { PORT: 'abc' }, /PORT is "abc"; allowed: a whole number from 0 to 65535/],
    ['a host that is none', { HOST: 'a b' }, /HOST is "a b"; allowed: an IP address or a host name/],
    ['an origin that is none', { ORIGIN: 'example' }, /ORIGIN is "example"; allowed: scheme and host as/],
    ['a header that is none', { ADDRESS_HEADER: 'a b' }, /ADDRESS_HEADER is "a b"; allowed: the name of a header/],
    ['a limit that is none', { BODY_SIZE_LIMIT: 'big' }, /BODY_SIZE_LIMIT is "big"; allowed: a number of bytes/],
  ])('does not start with %s, and says why in a line, without a stack', async (_, more, message) => {
    await fleetOf({});
    const server = startProcess(process.execPath, ['scripts/start.js'], { ...scratch.environment, ...more });
    processes.push(server);
    expect(await server.exited).toBe(1);
    expect(server.output()).toMatch(message);
    expect(server.output()).not.toMatch(/^\s+at /m);
  });

  it('says so when its port is taken', async () => {
    const first = await serve();
    const second = startProcess(process.execPath, ['scripts/start.js'], {
      ...scratch.environment,
      PORT: new URL(first.url).port,
    });
    processes.push(second);
    expect(await second.exited).toBe(1);
    expect(second.output()).toMatch(/Cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\).*PORT=3001/);
  });

  it.skipIf(!hasIPv6)('listens on an IPv6 address, also one in brackets', async () => {
    const server = await serve({ HOST: '[::1]' });
    expect(new URL(server.url).hostname).toBe('[::1]');
    expect((await fetch(`${server.url}/sign-in`)).status).toBe(200);
  });

  it('sends browsers no schemas: only servers judge what is posted', () => {
    const scripts = readdirSync('build/client', { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.js'),
    );
    const withSchemas = scripts.filter((name) => /\b_zod\b/.test(readFileSync(join('build/client', name), 'utf8')));
    expect(scripts.length).toBeGreaterThan(10);
    expect(withSchemas).toEqual([]);
  });

  it('keeps the monitor off when told so', async () => {
    const server = await serve({ ENABLE_HEALTH_MONITOR: 'false' });
    await server.line(/health monitor is off/);
    const get = await asAdmin(server.url);
    expect((await get('/')).body).toContain('The monitor is off');
  });

  it('shows its secrets neither in the log, nor on a page, nor in the process list', async () => {
    const [id = ''] = await fleetOf({ unit: 'failed', restart: 'fails' });
    const server = await serve();
    await server.line(/circuit breaker TRIPPED/);
    const secrets = [
      ...login.privateKey.split('\n').slice(1, -2),
      readFileSync(scratch.environment.ENCRYPTION_KEY_FILE ?? '', 'utf8').trim(),
    ];
    expect(secrets.every((secret) => secret.length > 20)).toBe(true);
    const get = await asAdmin(server.url);
    const shown = [
      server.output(),
      (await get('/')).body,
      (await get(`/vps/${id}`)).body,
      (await get(`/vps/${id}/__data.json`)).body,
      readFileSync(`/proc/${server.process.pid}/cmdline`, 'utf8'),
      readFileSync(`/proc/${server.process.pid}/environ`, 'utf8'),
    ].join('\n');
    for (const secret of secrets) expect(shown).not.toContain(secret);
    expect(shown).not.toMatch(/PRIVATE KEY|v1\.[0-9a-f]{8}\./);
  });
});
