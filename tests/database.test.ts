import { chmodSync, copyFileSync, cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createAdmin, post, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { mountDisk, NO_MOUNT } from './support/mounts.ts';
import {
  endWith,
  PROJECT_DIR,
  runCli,
  runCliWith,
  scratchEnvironment,
  startProcess,
  startServer,
  type RunningProcess,
} from './support/project.ts';

/** Several starts of a process, and on a slow machine. */
const PATIENCE_MS = 300_000;

let scratch: ReturnType<typeof scratchEnvironment>;
let path: string;
const processes: RunningProcess[] = [];
const hosts: SimulatedVps[] = [];
const receivers: HttpReceiver[] = [];

beforeEach(() => {
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *' });
  path = scratch.environment.DATABASE_URL ?? '';
});
afterEach(async () => {
  for (const one of processes.splice(0)) await endWith(one, 'SIGKILL');
  for (const { host } of hosts.splice(0)) await host.close();
  for (const receiver of receivers.splice(0)) await receiver.close();
  scratch.remove();
});

async function serve(more: Record<string, string> = {}) {
  const server = await startServer({ ...scratch.environment, ...more });
  processes.push(server);
  return server;
}
async function addFleet(): Promise<void> {
  const login = makeLogin(scratch.folder);
  hosts.push(await startVps(login.publicKey));
  await addAll(scratch.environment, login.keyFile, hosts);
}
const textOf = async (response: Response): Promise<string> =>
  (await response.text()).replaceAll(/<(script|style)[\s\S]*?<\/\1>|<[^>]+>/g, ' ').replaceAll(/\s+/g, ' ');

/** What keeps a server from starting. */
async function startRefused(more: Record<string, string> = {}): Promise<string> {
  const server = startProcess(process.execPath, ['scripts/start.js'], { ...scratch.environment, ...more });
  processes.push(server);
  expect(await server.exited).toBe(1);
  expect(server.output()).not.toMatch(/^\s+at |Listening/m);
  return server.output();
}

describe('a server does not start', { timeout: PATIENCE_MS }, () => {
  it.each(['missing', 'of 0 bytes'])(
    'on a database that is %s beside its key, and offers nobody to be its admin',
    async (how) => {
      await createAdmin(scratch.environment);
      rmSync(path);
      if (how === 'of 0 bytes') writeFileSync(path, '');
      const output = await startRefused();
      expect(output).toMatch(
        /but there is an encryption key at .* Either bring the database back .* or, to begin anew/,
      );
      expect(output).not.toContain('welcome');
      expect(readdirSync(scratch.folder).filter((name) => name.endsWith('-wal'))).toEqual([]);
    },
  );

  it('on a database of a newer version', async () => {
    await createAdmin(scratch.environment);
    new Sqlite(path).exec("INSERT INTO __drizzle_migrations VALUES (9, 'x', 1e15)").close();
    expect(await startRefused()).toContain('is of a newer version of Wardround');
  });

  it('with a migration that fails, and has changed nothing then', async () => {
    await createAdmin(scratch.environment);
    const migrations = join(scratch.folder, 'drizzle');
    cpSync(join(PROJECT_DIR, 'drizzle'), migrations, { recursive: true });
    const file = join(migrations, 'meta/_journal.json');
    const journal = JSON.parse(readFileSync(file, 'utf8')) as { entries: object[] };
    const entry = { idx: 9, version: '6', when: 9e12, tag: '0009_bad', breakpoints: true };
    writeFileSync(file, JSON.stringify({ ...journal, entries: [...journal.entries, entry] }));
    writeFileSync(join(migrations, '0009_bad.sql'), 'DELETE FROM users;--> statement-breakpoint\nnonsense');
    expect(await startRefused({ MIGRATIONS_DIR: migrations })).toMatch(
      /and nothing was changed: the migration 0009_bad/,
    );
    expect((await runCli(scratch.environment, 'admin', 'list')).stdout).toContain('admin@example.test');
  });

  it('on a read-only mount', async (context) => {
    const disk = mountDisk(4_000);
    if (disk === null) return context.skip(NO_MOUNT);
    await createAdmin(scratch.environment);
    copyFileSync(path, join(disk.folder, 'w.db'));
    disk.makeReadOnly();
    expect(await startRefused({ DATABASE_URL: join(disk.folder, 'w.db') })).toMatch(
      /cannot be written to .* its disk is mounted read-only/,
    );
  });

  it('with a key file that others may read', async () => {
    await createAdmin(scratch.environment);
    chmodSync(scratch.environment.ENCRYPTION_KEY_FILE ?? '', 0o644);
    expect(await startRefused()).toContain('is open to other users (mode 644)');
  });
});

describe('a running server whose database', { timeout: PATIENCE_MS }, () => {
  it('is locked says so soon, of a sign-in too, and goes on when it is free', async () => {
    await createAdmin(scratch.environment);
    const server = await serve({ ENABLE_HEALTH_MONITOR: 'false' });
    const cookie = await signIn(server.url);
    const other = new Sqlite(path);
    other.exec('BEGIN IMMEDIATE');
    const began = performance.now();
    const response = await post(`${server.url}/sign-in`, { email: 'admin@example.test', password: 'x'.repeat(200) });
    // Ten seconds is what a job waits for.
    expect(performance.now() - began).toBeLessThan(9_000);
    expect(response.status).toBe(503);
    expect(response.headers.get('cache-control')).toBe('private, no-store');
    const text = await textOf(response);
    expect(text).toContain('The database is locked by another program. What you asked for may not have been done.');
    // The product's own page, with a way on.
    expect(text).toMatch(/Wardround .* (Sign in|To the start page) Error 503/);
    const scripted = await post(
      `${server.url}/sign-out`,
      {},
      { cookie, accept: 'application/json', 'x-sveltekit-action': 'true' },
    );
    expect([scripted.status, await scripted.json()]).toMatchObject([503, { type: 'error', error: { status: 503 } }]);
    // A sign-out that could not be is none: nobody is told that it was.
    expect((await fetch(`${server.url}/account`, { headers: { cookie }, redirect: 'manual' })).status).toBe(200);
    other.exec('COMMIT');
    other.close();
    await signIn(server.url);
    expect((await post(`${server.url}/sign-out`, {}, { cookie })).headers.get('location')).toContain('signed-out');
    expect((await fetch(`${server.url}/account`, { headers: { cookie }, redirect: 'manual' })).status).toBe(303);
  });

  it('is on a full disk says so, and goes on when there is room', async (context) => {
    const disk = mountDisk(2_000);
    if (disk === null) return context.skip(NO_MOUNT);
    const environment = { ...scratch.environment, DATABASE_URL: join(disk.folder, 'w.db') };
    await createAdmin(environment);
    const server = await startServer({ ...environment, ENABLE_HEALTH_MONITOR: 'false' });
    processes.push(server);
    const cookie = await signIn(server.url);
    const fill = join(disk.folder, 'fill');
    const block = Buffer.alloc(4_096);
    expect(() => {
      for (;;) writeFileSync(fill, block, { flag: 'a' });
    }).toThrow('ENOSPC');
    // What is in the -wal already may be written over without room: until that is used up.
    let response = await post(`${server.url}/account?/name`, { name: 'Anna' }, { cookie });
    for (let time = 0; time < 200 && response.status === 303; time++)
      response = await post(`${server.url}/account?/name`, { name: `Anna ${time}` }, { cookie });
    expect(response.status).toBe(503);
    expect(await textOf(response)).toContain('The disk of the database is full.');
    expect((await fetch(`${server.url}/account`, { headers: { cookie } })).status).toBe(200);
    rmSync(fill);
    expect((await post(`${server.url}/account?/name`, { name: 'Anna' }, { cookie })).status).toBe(303);
  });

  it('cannot be read at all answers with a page too, of data as well', async () => {
    await createAdmin(scratch.environment);
    const server = await serve({ ENABLE_HEALTH_MONITOR: 'false' });
    const cookie = await signIn(server.url);
    await expect.poll(() => readFileSync(path).length).toBeGreaterThan(0);
    // The sessions, as a disk that loses its mind would give them; the -wal has nothing newer of them after this.
    const other = new Sqlite(path);
    other.pragma('wal_checkpoint(TRUNCATE)');
    other.close();
    writeFileSync(path, Buffer.alloc(readFileSync(path).length, 0xa5), { flag: 'r+' });
    // Another process has written, as far as the server can tell, so it reads again what it has had in memory.
    for (const [accept, way] of [
      ['text/html', '/account'],
      ['*/*', '/account/__data.json'],
    ] as const) {
      const response = await fetch(server.url + way, { headers: { cookie, accept }, redirect: 'manual' });
      expect(response.status).toBe(503);
      expect(await response.text()).toContain('The database is damaged.');
    }
  });

  it('is taken away looks at nothing and sends nothing until it is back, and the page says so', async () => {
    await addFleet();
    await createAdmin(scratch.environment);
    const heartbeat = await startHttpReceiver();
    receivers.push(heartbeat);
    const server = await serve({ HEARTBEAT_URL: heartbeat.url });
    const headers = { cookie: await signIn(server.url) };
    await server.line(/sweep completed/);
    await expect.poll(() => heartbeat.requests.length).toBeGreaterThan(0);

    for (const file of ['', '-wal', '-shm']) renameSync(path + file, path + file + '.away');
    await server.line(/sweep failed: The file .* was deleted or moved while Wardround runs on it/);
    const [looks, beats] = [hosts[0]?.commands.length, heartbeat.requests.length];
    const failures = (): number => server.output().split('sweep failed').length;
    const before = failures();
    await expect.poll(failures).toBeGreaterThan(before + 2);
    expect([hosts[0]?.commands.length, heartbeat.requests.length]).toEqual([looks, beats]);
    const page = await textOf(await fetch(server.url, { headers }));
    expect(page).toContain('Nothing is watched: the database was taken away.');
    expect(page).not.toMatch(/healthy\. |Nothing needs you/);
    const action = await post(`${server.url}/settings?/healingOff`, {}, headers);
    expect([action.status, await textOf(action)]).toEqual([503, expect.stringContaining('was deleted or replaced')]);
    expect(readdirSync(scratch.folder)).not.toContain('wardround.db');

    for (const file of ['', '-wal', '-shm']) renameSync(path + file + '.away', path + file);
    await expect.poll(() => heartbeat.requests.length).toBeGreaterThan(beats);
    expect(await textOf(await fetch(server.url, { headers }))).toContain('The one VPS is healthy.');
  });

  it('loses its -wal has it all when it is started again', async () => {
    await addFleet();
    const first = await serve();
    await first.line(/sweep completed/);
    rmSync(`${path}-wal`);
    await first.line(/sweep failed: The file .*-wal was deleted/);
    await endWith(first, 'SIGTERM');
    const { stdout } = await runCli(scratch.environment, 'vps', 'list', '--json');
    expect(JSON.parse(stdout)).toMatchObject([{ status: 'healthy' }]);
  });
});

describe('the command line', { timeout: PATIENCE_MS }, () => {
  // A backup asks for the key first.
  it.each([
    ['vps list', 'There is no database at'],
    ['admin list', 'There is no database at'],
    ['events', 'There is no database at'],
    ['healing off', 'There is no database at'],
    ['sweep', 'There is no database at'],
    ['user invite a@example.test', 'There is no database at'],
    ['backup b.db', 'ENCRYPTION_KEY is not set and its file'],
  ])('makes no database and no key for "wardround %s"', async (command, message) => {
    const result = await runCli(scratch.environment, ...command.split(' '));
    expect(result).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining(message) });
    expect(readdirSync(scratch.folder)).toEqual([]);
  });

  it('says that it has begun one, once', async () => {
    const create = (email: string) =>
      runCliWith(
        'a password for tests\n',
        scratch.environment,
        'admin',
        'create',
        '--email',
        email,
        '--password-stdin',
      );
    const first = await create('a@example.test');
    expect(first.stderr).toContain(`Began a new database at ${path}.`);
    expect((await create('b@example.test')).stderr).toBe('');
  });

  it('backs up and restores, with one document each, and keeps away from a database in use', async () => {
    await createAdmin(scratch.environment);
    const file = join(scratch.folder, 'b.db');
    const made = await runCli(scratch.environment, 'backup', file, '--json');
    expect(JSON.parse(made.stdout)).toMatchObject({ file, database: path, vpsCount: 0, lastCheckAt: null });
    expect(await runCli(scratch.environment, 'backup', file)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('is there already and is not overwritten'),
    });
    const server = await serve();
    const refused = await runCli(scratch.environment, 'restore', file, '--json');
    expect(refused).toMatchObject({ exitCode: 1, stdout: '', stderr: expect.stringContaining('is in use by') });
    await endWith(server, 'SIGKILL');
    const restored = await runCli(scratch.environment, 'restore', file, '--json');
    const { movedTo } = JSON.parse(restored.stdout) as { movedTo: string[] };
    expect(movedTo.map((name) => name.replace(/.*before-restore-[^-]+-[^-]+-[^-]+-[^-]+-[^-]+Z/, ''))).toEqual([
      '',
      '-wal',
      '-shm',
    ]);
    expect((await runCli(scratch.environment, 'admin', 'list')).stdout).toContain('admin@example.test');
  });
});
