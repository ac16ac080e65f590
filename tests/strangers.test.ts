import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ADMIN, createAdmin, PASSWORD, post, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startProcess, startServer } from './support/project.ts';

describe('a server that strangers flood', () => {
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  let server: Awaited<ReturnType<typeof startServer>>;
  let vps: SimulatedVps;
  let vpsId: string;
  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    vps = await startVps(login.publicKey, {});
    [vpsId = ''] = await addAll(scratch.environment, login.keyFile, [vps]);
    await createAdmin(scratch.environment);
    server = await startServer(scratch.environment);
  });
  afterAll(async () => {
    await endWith(server, 'SIGKILL');
    await vps.host.close();
    scratch.remove();
  });

  it('hashes a few passwords at a time, and tells the others when to come again', async () => {
    const guesses = Array.from({ length: 50 }, (_, index) =>
      post(`${server.url}/sign-in`, { email: `${index}@example.test`, password: 'not the password' }),
    );
    const answers = await Promise.all(guesses);
    const refused = answers.filter(({ status }) => status === 503);
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([400, 503]));
    for (const answer of refused) expect(answer.headers.get('retry-after')).toBe('5');
    // What was typed is still there.
    const page = (await refused[0]?.text()) ?? '';
    expect(page).toContain('Try again in 5 s');
    expect(page).toMatch(/value="\d+@example\.test"/);
  });

  it('renders a public status page once in a while, however often it is asked for; off is off at once', async () => {
    const get = async (path: string, cookie = ''): Promise<{ status: number; body: string }> => {
      const response = await fetch(server.url + path, { headers: { cookie, accept: 'text/html' } });
      return { status: response.status, body: await response.text() };
    };
    const nonceOf = (body: string): string => /nonce="([^"]+)"/.exec(body)?.[1] ?? '';
    const cookie = await signIn(server.url);
    await post(`${server.url}/vps/${vpsId}/status-page?/on`, { title: 'Shop' }, { cookie });
    const token = /\/status\/([\w-]{43})/.exec((await get(`/vps/${vpsId}/status-page`, cookie)).body)?.[1] ?? '';
    const pages = await Promise.all(Array.from({ length: 20 }, () => get(`/status/${token}`)));
    expect(new Set(pages.map(({ status }) => status))).toEqual(new Set([200]));
    // Each page that is rendered gets a nonce of its own.
    expect(new Set(pages.map(({ body }) => nonceOf(body))).size).toBe(1);
    expect(pages[0]?.body).toContain('Shop');
    // Whoever is signed in gets a page of the own, and nobody else gets that one.
    expect((await get(`/status/${token}`, cookie)).body).toContain('Sign out');
    expect((await get(`/status/${token}`)).body).not.toContain('Sign out');
    // Another look is another page.
    expect((await get(`/status/${token}`, 'wardround.theme=dark')).body).toContain('data-theme="dark"');
    expect((await get(`/status/${token}`)).body).toContain('data-theme="system"');
    await post(`${server.url}/vps/${vpsId}/status-page?/on`, { title: 'Bakery' }, { cookie });
    expect((await get(`/status/${token}`)).body).toContain('Bakery');
    await post(`${server.url}/vps/${vpsId}/status-page?/off`, {}, { cookie });
    expect((await get(`/status/${token}`)).status).toBe(404);
    expect((await get(`/status/${token}/badge.svg`)).status).toBe(404);
  });

  it.each(['/.//elsewhere.example', '/x/..//elsewhere.example', '/%2e/\\elsewhere.example'])(
    'leads nobody who signs in to %s',
    async (next) => {
      const target = `${server.url}/sign-in?next=${encodeURIComponent(next)}`;
      const response = await post(target, { email: ADMIN, password: PASSWORD });
      expect([response.status, response.headers.get('location')]).toEqual([303, '/']);
    },
  );

  it('has more threads for name look-ups than libuv makes by itself', () => {
    // The sign-ins above have started them. Node itself has about ten others.
    expect(readdirSync(`/proc/${server.process.pid}/task`).length).toBeGreaterThan(32);
  });
});

describe('a server that may open 256 files', () => {
  const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *' });
  afterAll(() => scratch.remove());

  it('goes on checking while strangers hold 300 half-sent requests, and serves pages again afterwards', async () => {
    const login = makeLogin(scratch.folder);
    const vps = await startVps(login.publicKey, {});
    await addAll(scratch.environment, login.keyFile, [vps]);
    const limited = ['-c', 'ulimit -n 256; exec "$0" scripts/start.js', process.execPath];
    const server = startProcess('sh', limited, scratch.environment);
    const sockets: Socket[] = [];
    try {
      const url = new URL((await server.line(/^Listening on/)).replace('Listening on ', ''));
      const half = async (): Promise<Socket> => {
        const socket = connect(Number(url.port), url.hostname);
        socket.on('error', () => undefined);
        sockets.push(socket);
        await once(socket, 'connect');
        socket.write('GET / HTTP/1.1\r\nHost: x\r\n');
        return socket;
      };
      const held = await Promise.all(Array.from({ length: 300 }, half));
      // Most are closed at once; the others hold what strangers may have.
      await expect.poll(() => held.filter(({ closed }) => !closed).length).toBeLessThanOrEqual(32);
      const sweeps = (): number => server.output().match(/sweep completed/g)?.length ?? 0;
      const before = sweeps();
      await expect.poll(sweeps).toBeGreaterThan(before + 2);
      expect(server.output()).not.toMatch(/EMFILE|\b[1-9]\d* (down|unhealthy|not checked)/);
      await expect
        .poll(
          () =>
            fetch(url).then(
              ({ status }) => status,
              () => 0,
            ),
          { timeout: 40_000 },
        )
        .toBe(200);
    } finally {
      for (const socket of sockets) socket.destroy();
      await endWith(server, 'SIGKILL');
      await vps.host.close();
    }
  });
});
