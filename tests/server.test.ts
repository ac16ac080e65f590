import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { buildIfStale } from '../scripts/build.ts';
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

beforeAll(() => buildIfStale());
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

const serve = async (more: Record<string, string> = {}) => {
  const server = await startServer({ ...scratch.environment, ...more });
  processes.push(server);
  return server;
};
const fleetOf = async (...behaviours: Parameters<typeof startVps>[1][]): Promise<string[]> => {
  for (const behaviour of behaviours) running.push(await startVps(login.publicKey, behaviour));
  return addAll(scratch.environment, login.keyFile, running);
};
/** fetch() does not let a caller choose the Host header. */
const get = (url: string, headers: Record<string, string> = {}): Promise<{ status: number; body: string }> =>
  new Promise((resolve, reject) => {
    request(url, { headers, agent: false }, (response) => {
      let body = '';
      response.on('data', (chunk: Buffer) => (body += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }));
    })
      .on('error', reject)
      .end();
  });

describe('the built server', () => {
  it('migrates, sweeps, shows what it saw, and works beside the command line', async () => {
    const [id = ''] = await fleetOf({}, { unit: 'failed', restart: 'fails' });
    const server = await serve();
    await server.line(/circuit breaker TRIPPED/);
    const page = await get(server.url);
    expect(page.status).toBe(200);
    expect(page.body).toContain('1 of 2 VPSs are healthy. ');
    expect(page.body).toContain('1 circuit is open');
    const vps = await get(`${server.url}/vps/${id}`);
    expect(vps.body).toContain('rachel8 is running.');
    expect((await get(`${server.url}/vps/nobody`)).status).toBe(404);
    const listed = await runCli(scratch.environment, 'vps', 'list', '--json');
    expect((JSON.parse(listed.stdout) as { status: string }[]).map((row) => row.status)).toEqual([
      'healthy',
      'circuit_open',
    ]);
  });

  it('answers this machine only, and says how to get in', async () => {
    const server = await serve();
    const port = new URL(server.url).port;
    expect((await get(server.url)).status).toBe(200);
    const foreign: Record<string, string>[] = [
      { host: `wardround.example:${port}` },
      { 'x-forwarded-for': '203.0.113.9' },
      { via: '1.1 proxy' },
    ];
    for (const headers of foreign)
      for (const path of ['/', '/vps/x', '/__data.json', '/nowhere']) {
        const { status, body } = await get(server.url + path, headers);
        expect({ path, status }).toEqual({ path, status: 403 });
        expect(body).toContain('ssh -L');
      }
  });

  it('sends headers that keep other pages out', async () => {
    const server = await serve();
    const { headers } = await fetch(server.url);
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('content-security-policy')).toMatch(/script-src 'self' 'nonce-[^']+'/);
    expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
  });

  it('lets no page wait for a check', async () => {
    await fleetOf({ network: 'hangs' });
    const server = await serve({ SSH_CONNECT_TIMEOUT_MS: '120000' });
    await server.line(/sweep started/);
    // The look at that host cannot end while this test runs; the page comes all the same.
    expect((await get(server.url)).body).toContain('Sweeping now: 0 of 1');
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
      expect(db.prepare('SELECT * FROM leases').all()).toEqual([]);
      db.close();
    },
  );

  it('does not sweep beside another server on the same database, and takes over when that one is killed', async () => {
    await fleetOf({});
    const first = await serve();
    await first.line(/sweep completed/);
    const second = await serve();
    await second.line(/standing by: the server process \d+ sweeps/);
    expect((await get(second.url)).body).toContain('This server stands by');
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
  ])('does not start with %s, and says why in a line, without a stack', async (_, more, message) => {
    await fleetOf({});
    const server = startProcess(process.execPath, ['scripts/start.ts'], { ...scratch.environment, ...more });
    processes.push(server);
    expect(await server.exited).toBe(1);
    expect(server.output()).toMatch(message);
    expect(server.output()).not.toMatch(/^\s+at /m);
  });

  it('says so when its port is taken', async () => {
    const first = await serve();
    const second = startProcess(process.execPath, ['scripts/start.ts'], {
      ...scratch.environment,
      PORT: new URL(first.url).port,
    });
    processes.push(second);
    expect(await second.exited).toBe(1);
    expect(second.output()).toMatch(/Cannot listen on 127\.0\.0\.1:\d+ \(EADDRINUSE\).*PORT=3001/);
  });

  it('keeps the monitor off when told so', async () => {
    const server = await serve({ ENABLE_HEALTH_MONITOR: 'false' });
    await server.line(/health monitor is off/);
    expect((await get(server.url)).body).toContain('The monitor is off');
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
    const shown = [
      server.output(),
      (await get(server.url)).body,
      (await get(`${server.url}/vps/${id}`)).body,
      (await get(`${server.url}/vps/${id}/__data.json`)).body,
      readFileSync(`/proc/${server.process.pid}/cmdline`, 'utf8'),
      readFileSync(`/proc/${server.process.pid}/environ`, 'utf8'),
    ].join('\n');
    for (const secret of secrets) expect(shown).not.toContain(secret);
    expect(shown).not.toMatch(/PRIVATE KEY|v1\.[0-9a-f]{8}\./);
  });
});
