import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import {
  PROJECT_DIR,
  runCli,
  runCliWith,
  runNode,
  scratchEnvironment,
  startProcess,
  type CliResult,
} from './support/project.ts';

let scratch: ReturnType<typeof scratchEnvironment>;
let login: ReturnType<typeof makeLogin>;
const running: SimulatedVps[] = [];

beforeEach(() => {
  scratch = scratchEnvironment({ RESTART_SETTLE_MS: '50', SSH_CONNECT_TIMEOUT_MS: '1000' });
  login = makeLogin(scratch.folder);
});
afterEach(async () => {
  for (const { host } of running.splice(0)) await host.close();
  scratch.remove();
});

const wardround = (...args: string[]): Promise<CliResult> => runCli(scratch.environment, ...args);
async function json<T>(...args: string[]): Promise<T> {
  const { stdout } = await wardround(...args, '--json');
  return JSON.parse(stdout) as T;
}
async function startFleet(...behaviours: Parameters<typeof startVps>[1][]): Promise<string[]> {
  for (const behaviour of behaviours) running.push(await startVps(login.publicKey, behaviour));
  return addAll(scratch.environment, login.keyFile, running);
}
type Row = { host: string; status: string | null; circuitState: string; totalChecks: number; [name: string]: unknown };

describe('wardround vps', () => {
  it('adds a VPS whose key is nowhere to be read afterwards', async () => {
    const [id] = await startFleet({});
    const rows = await json<Row[]>('vps', 'list');
    expect(rows).toHaveLength(1);
    expect(rows[0]).toMatchObject({
      id,
      host: '127.0.0.1',
      status: null,
      circuitState: 'closed',
      consecutiveFailures: 0,
      circuitOpenedAt: null,
      lastCheckAt: null,
      lastError: null,
      totalChecks: 0,
      totalFailures: 0,
      totalRecoveries: 0,
      service: 'rachel8',
      active: true,
    });
    const secret = login.privateKey.split('\n')[2] ?? '';
    expect(secret.length).toBeGreaterThan(40);
    for (const suffix of ['', '-wal'])
      expect(readFileSync(`${scratch.environment.DATABASE_URL}${suffix}`, { flag: 'a+' }).includes(secret)).toBe(false);
    expect(JSON.stringify(rows)).not.toContain(secret);
  });

  it('refuses a second VPS for a customer, and the same host twice, and says what to do', async () => {
    await startFleet({});
    const more = ['vps', 'add', '--user', 'test', '--key-file', login.keyFile];
    const second = await wardround(...more, '--customer', 'C0@Example.test', '--host', 'other.example');
    expect(second).toMatchObject({ exitCode: 1, stdout: '' });
    expect(second.stderr).toMatch(/c0@example\.test has a VPS already .*remove that first/);
    const again = await wardround(
      ...more,
      '--customer',
      'x@example.test',
      '--host',
      '127.0.0.1',
      '--port',
      String(running[0]?.host.port),
    );
    expect(again.exitCode).toBe(1);
    expect(again.stderr).toMatch(/is in the fleet already/);
  });

  it.each([
    [
      'no customer',
      ['vps', 'add', '--host', 'h', '--key-file', 'k'],
      "required option '--customer <email>' not specified",
    ],
    [
      'a key file that is not there',
      ['vps', 'add', '--customer', 'a@b.c', '--host', 'h', '--key-file', '/nowhere'],
      '--key-file /nowhere cannot be read (ENOENT)',
    ],
    ['an unknown command', ['vps', 'ad'], "unknown command 'ad'"],
    ['an unknown option', ['sweep', '--fast'], "unknown option '--fast'"],
    ['a missing argument', ['vps', 'show'], "missing required argument 'host|id'"],
    [
      'a limit that is none',
      ['incidents', 'list', '--limit', '1e3'],
      '--limit is "1e3"; allowed: a whole number from 1',
    ],
    ['no limit at all', ['events', '--limit', '0'], '--limit is "0"; allowed: a whole number from 1 to 99999'],
    ['a host key that is none', ['vps', 'repin', 'h', '--host-key', 'x'], '--host-key is "x"; allowed: a line such as'],
    ['a word that is no state', ['vps', 'maintenance', 'h', 'maybe'], 'Allowed choices are on, off'],
  ])('takes %s for wrong usage: exit code 2, told on stderr', async (_, args, message) => {
    const { exitCode, stdout, stderr } = await wardround(...args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 2, stdout: '' });
    expect(stderr).toContain(message);
  });

  it('warns of the same machine under another name, when it is tested and when it is added with its key', async () => {
    const [first = ''] = await startFleet({});
    await wardround('sweep');
    const port = String(running[0]?.host.port);
    const again = ['vps', 'add', '--host', 'localhost', '--port', port, '--key-file', login.keyFile];
    const { id } = await json<Row>(...again, '--customer', 'again@example.test');
    const warning = `warning: The host key is also that of 127.0.0.1:${port} (`;
    expect((await wardround('vps', 'test', String(id))).stderr).toContain(warning);
    expect(await json<Row>('vps', 'test', String(id))).toMatchObject({ sameMachines: [{ id: first }] });
    // Its key was pinned when it was tried, before it was added.
    expect((await wardround('vps', 'test', first)).stderr).toContain(`also that of localhost:${port}`);
    await wardround('vps', 'remove', String(id), '--yes');
    const database = new Sqlite(scratch.environment.DATABASE_URL, { readonly: true });
    const hostKey = database.prepare('SELECT ssh_host_key FROM subscriptions').pluck().get() as string;
    database.close();
    const added = await wardround(...again, '--customer', 'third@example.test', '--host-key', hostKey);
    expect(added).toMatchObject({ exitCode: 0, stderr: expect.stringContaining(warning) });
    expect((await wardround('vps', 'test', first)).stderr).toContain(`also that of localhost:${port}`);
  });

  it('names every wrong value at once, and not the key', async () => {
    writeFileSync(join(scratch.folder, 'bad.key'), 'HUNTER2');
    const values = [
      '--customer',
      'nobody',
      '--host',
      'a b',
      '--port',
      '99999',
      '--key-file',
      join(scratch.folder, 'bad.key'),
    ];
    const { exitCode, stderr } = await wardround('vps', 'add', ...values);
    expect(exitCode).toBe(2);
    for (const what of ['customer is "nobody"', 'host is "a b"', 'port is "99999"', 'private key cannot be used'])
      expect(stderr).toContain(what);
    expect(stderr).not.toContain('HUNTER2');
  });

  it('finds a VPS by id, by host and port, and asks which one where a host stands for several', async () => {
    const [id] = await startFleet({}, {});
    expect((await json<Row>('vps', 'show', id ?? '')).id).toBe(id);
    expect((await json<Row>('vps', 'show', `127.0.0.1:${running[0]?.host.port}`)).id).toBe(id);
    expect((await wardround('vps', 'show', '127.0.0.1')).stderr).toContain('stands for 2 VPSs; name one: 127.0.0.1:');
    expect(await wardround('vps', 'show', 'nowhere')).toMatchObject({ exitCode: 1, stdout: '' });
  });

  it('tests a login without changing anything, and exits with 1 where the service is not active', async () => {
    const [up, stopped] = await startFleet({}, { unit: 'inactive' });
    expect(await json('vps', 'test', up ?? '')).toMatchObject({
      healthy: true,
      status: null,
      circuitState: 'closed',
      totalChecks: 0,
      hostKeyFingerprint: expect.stringMatching(/^SHA256:/),
    });
    const { exitCode, stdout } = await wardround('vps', 'test', stopped ?? '');
    expect(exitCode).toBe(1);
    expect(stdout).toContain('service not active: inactive');
    expect(running[1]?.commands.some((command) => command.includes('restart'))).toBe(false);
    expect((await json<Row>('vps', 'show', stopped ?? '')).totalChecks).toBe(0);
  });

  it('removes a VPS with its state, and lets the customer have another', async () => {
    const [id] = await startFleet({});
    await wardround('sweep');
    expect(await json('vps', 'remove', id ?? '')).toMatchObject({ removed: id, host: '127.0.0.1', totalChecks: 1 });
    expect(await json('vps', 'list')).toEqual([]);
    await addAll(scratch.environment, login.keyFile, running);
    expect((await json<Row[]>('vps', 'list'))[0]).toMatchObject({ totalChecks: 0, status: null });
  });

  it('begins and ends maintenance, in which nothing is restarted', async () => {
    const [id = ''] = await startFleet({ unit: 'inactive' });
    await wardround('vps', 'maintenance', id, 'on');
    await wardround('sweep');
    expect(running[0]?.commands.some((command) => command.includes('restart'))).toBe(false);
    expect(await json('vps', 'show', id)).toMatchObject({ consecutiveFailures: 0, totalFailures: 0, totalChecks: 1 });
    await wardround('vps', 'maintenance', id, 'off');
    await wardround('sweep');
    expect(await json('vps', 'show', id)).toMatchObject({ status: 'healthy', totalRecoveries: 1 });
  });

  it('labels VPSs, lists them by label, and does to all with a label what it does to one', async () => {
    const [first = '', second = '', third = ''] = await startFleet({}, {}, {});
    await wardround('vps', 'edit', first, '--labels', 'region=fsn1, canary');
    await wardround('vps', 'edit', second, '--labels', 'Region=FSN1');
    const byLabel = async (...args: string[]): Promise<string[]> =>
      (await json<Row[]>('vps', ...args)).map(({ id }) => String(id));
    expect(await json('vps', 'show', first)).toMatchObject({ labels: ['canary', 'region=fsn1'] });
    expect(await byLabel('list', '--label', 'region=fsn1')).toEqual([first, second]);
    expect(await byLabel('list', '--label', 'region', '--label', 'canary')).toEqual([first]);
    expect(await byLabel('check', '--label', 'region=fsn1')).toEqual([first, second]);
    expect((await json<Row>('vps', 'show', third)).totalChecks).toBe(0);
    expect(await byLabel('healing', 'off', '--label', 'region=fsn1')).toEqual([first, second]);
    expect(await json('vps', 'show', second)).toMatchObject({ healingPausedSince: expect.any(String) as string });
    expect(await byLabel('maintenance', 'on', '--label', 'canary', '--for', '1h')).toEqual([first]);
    expect(await json('vps', 'show', first)).toMatchObject({ maintenanceSince: expect.any(String) as string });
    expect(await json('vps', 'show', second)).toMatchObject({ maintenanceSince: null });
    expect((await wardround('vps', 'maintenance', 'off', '--label', 'region')).stdout.trim().split('\n')).toHaveLength(
      2,
    );
    expect(await json('vps', 'show', first)).toMatchObject({ maintenanceSince: null });
    await wardround('vps', 'edit', first, '--labels', '');
    expect(await byLabel('list', '--label', 'region')).toEqual([second]);
  });

  it.each<[string[], number, string]>([
    [['reset', '--label', 'region=hel1'], 1, 'no VPS of the fleet has the label region=hel1'],
    [['reset'], 2, 'name one VPS by its host or id, or several by --label'],
    [['reset', 'h', '--label', 'a'], 2, 'name one VPS by its host or id, or several by --label'],
    [['healing', 'h', 'on', '--label', 'a'], 2, 'with --label no host is named, and one word is left: on, off, status'],
    [['list', '--label', 'a=b=c'], 2, '--label is "a=b=c"; allowed: a label such as provider=hetzner'],
  ] as [string[], number, string][])('vps %j exits with %i', async (args, exitCode, says) => {
    await startFleet({});
    const result = await wardround('vps', ...args);
    expect(result).toMatchObject({ exitCode, stdout: '' });
    expect(result.stderr).toContain(says);
  });

  it('says after the end of maintenance what is true then, weekly windows and all', async () => {
    const [id = ''] = await startFleet({});
    const maintenance = async (...args: string[]): Promise<string> =>
      (await runCli({ ...scratch.environment, TZ: 'UTC' }, 'vps', 'maintenance', id, ...args)).stdout.trim();
    expect(await maintenance('off')).toBe('127.0.0.1 was not under maintenance.');
    const began = new Date(Date.now() - 30 * 60_000);
    const weekday = began.toLocaleDateString('en', { weekday: 'short', timeZone: 'UTC' });
    const weekly = await maintenance(
      'on',
      '--weekly',
      `${weekday} ${began.toISOString().slice(11, 16)}`,
      '--for',
      '6h',
    );
    expect(weekly).toContain('open now');
    const [window = ''] = weekly.split(' ');
    const [first, second] = (await maintenance('off')).split('\n');
    expect(first).toBe('Maintenance of 127.0.0.1 has ended.');
    expect(second).toMatch(
      /^window-\S+ {2}127\.0\.0\.1 is under maintenance every \w+day .* for 360 min, ended for this time$/,
    );
    expect(await json('vps', 'show', id)).toMatchObject({ maintenanceSince: null });
    await maintenance('on', '--until', '2096-12-24');
    expect(await maintenance('off', '--cancel', window)).toBe(
      `The window ${window} of 127.0.0.1 is deleted. 127.0.0.1 is still under maintenance until 2096-12-24 00:00 UTC.`,
    );
    expect(await maintenance('off')).toBe('Maintenance of 127.0.0.1 has ended.');
  });

  it('reads the end of maintenance by the clock of the machine or of a zone, and takes nothing for a day that is none', async () => {
    const [id = ''] = await startFleet({});
    const until = (...args: string[]): Promise<CliResult> =>
      runCli({ ...scratch.environment, TZ: 'Europe/Oslo' }, 'vps', 'maintenance', id, 'on', '--until', ...args);
    expect((await until('2096-12-24')).stdout).toContain(
      'until 2096-12-23 23:00 UTC (2096-12-24 00:00 in Europe/Oslo)',
    );
    expect((await until('2096-12-25', '--time-zone', 'America/New_York')).stdout).toContain(
      'until 2096-12-25 05:00 UTC (2096-12-25 06:00 in Europe/Oslo)',
    );
    for (const wrong of ['12/24/2096', '2097-02-31T00:00Z'])
      expect(await until(wrong)).toMatchObject({
        exitCode: 2,
        stdout: '',
        stderr: expect.stringContaining(`until is "${wrong}"; allowed: a day or time in the future`),
      });
  });

  it('trusts a new host key after repin, and not before', async () => {
    const [id = ''] = await startFleet({});
    await wardround('sweep');
    running[0]?.host.changeHostKey();
    await wardround('sweep');
    expect(await json('vps', 'show', id)).toMatchObject({ status: 'down', lastErrorCode: 'host_key_changed' });
    await wardround('vps', 'repin', id, '--yes');
    await wardround('sweep');
    expect(await json('vps', 'show', id)).toMatchObject({ status: 'healthy' });
  });
});

describe('wardround admin and user', () => {
  const PASSWORD = 'a password for tests';
  const create = (email: string, input = `${PASSWORD}\n`, ...more: string[]): Promise<CliResult> =>
    runCliWith(input, scratch.environment, 'admin', 'create', '--email', email, '--password-stdin', ...more);

  it('makes, lists and removes admins, but never the last one', async () => {
    await startFleet({});
    expect((await wardround('admin', 'list')).stdout).toContain('There is no admin');
    const made = await create('Anna@Example.test', `${PASSWORD}\n`, '--name', 'Anna', '--json');
    expect(JSON.parse(made.stdout)).toMatchObject({ email: 'anna@example.test' });
    expect(made.stdout + made.stderr).not.toContain(PASSWORD);
    expect(await create('anna@example.test')).toMatchObject({ exitCode: 1 });
    expect(await wardround('admin', 'remove', 'anna@example.test')).toMatchObject({
      exitCode: 1,
      stderr: expect.stringContaining('the last admin'),
    });
    await create('bert@example.test');
    expect((await wardround('admin', 'list')).stdout).toMatch(/anna@example\.test {2}Anna.*\nbert@example\.test/);
    expect((await wardround('admin', 'remove', 'bert@example.test')).exitCode).toBe(0);
    expect(await json<unknown[]>('admin', 'list')).toMatchObject([{ email: 'anna@example.test', name: 'Anna' }]);
  });

  it('takes no password from its arguments, and none that is weak', async () => {
    const argument = await wardround('admin', 'create', '--email', 'a@example.test', '--password', PASSWORD);
    expect(argument).toMatchObject({ exitCode: 2, stderr: expect.stringContaining("unknown option '--password'") });
    const nobody = await wardround('admin', 'create', '--email', 'a@example.test');
    expect(nobody).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--password-stdin') });
    expect(await create('a', 'short\n')).toMatchObject({
      exitCode: 2,
      stderr: expect.stringMatching(/e-mail address such as[\s\S]*at least 12 characters/),
    });
  });

  it('asks for a password at a terminal, and does not show it', async () => {
    const command = `${process.execPath} cli/wardround.js admin create --email anna@example.test`;
    const terminal = spawn('script', ['-qec', command, '/dev/null'], { cwd: PROJECT_DIR, env: scratch.environment });
    let shown = '';
    terminal.stdout.on('data', (chunk) => (shown += String(chunk)));
    while (!shown.includes('Password: ')) await once(terminal.stdout, 'data');
    // The second answer comes before its question, as it does from a password manager.
    terminal.stdin.write(`${PASSWORD}\r${PASSWORD}\r`);
    expect(await once(terminal, 'close')).toEqual([0, null]);
    expect(shown).toContain('anna@example.test is an admin now');
    expect(shown).not.toContain(PASSWORD);
  });

  it('invites a customer, once per link, and nobody who is not there', async () => {
    await startFleet({});
    const { link, mailed } = await json<{ link: string; mailed: boolean }>('user', 'invite', 'C0@example.test');
    expect(link).toMatch(/^http:\/\/localhost:0\/reset-password\?token=[\w-]{43}$/);
    expect(mailed).toBe(false);
    const nobody = await wardround('user', 'invite', 'nobody@example.test');
    expect(nobody).toMatchObject({ exitCode: 1, stdout: '' });
  });
});

describe('wardround sweep', () => {
  it('heals, tells in plain lines, and exits with 0 only when all are healthy', async () => {
    await startFleet({}, { unit: 'failed' });
    const { exitCode, stdout } = await wardround('sweep');
    expect(exitCode).toBe(0);
    const lines = stdout.trim().split('\n');
    expect(lines.every((line) => line.startsWith('[health-checker] '))).toBe(true);
    expect(lines[0]).toBe('[health-checker] sweep started: 2 active VPSs');
    expect(stdout).toMatch(/user-\w+: unhealthy \(consecutive: 1, attempting restart\)/);
    expect(stdout).toMatch(/user-\w+: restart successful, marking healthy/);
    expect(stdout).toMatch(/user-\w+: healthy \(check #1\)/);
    expect(lines.at(-1)).toMatch(/sweep completed in \d+\.\ds \(2 checked, 2 healthy, 0 unhealthy\)$/);
  });

  it('exits with 1 while something is wrong, with one JSON document on stdout', async () => {
    await startFleet({ restart: 'fails', unit: 'failed' });
    const { exitCode, stdout } = await wardround('sweep', '--json');
    expect(exitCode).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ kind: 'completed', checked: 1, healthy: 0, unhealthy: 1 });
  });

  it('has the shape of the contract after three failures: one opening, one time', async () => {
    const [id = ''] = await startFleet({ restart: 'fails', unit: 'failed' });
    for (let sweep = 0; sweep < 3; sweep++) await wardround('sweep');
    const third = await json<Row>('vps', 'show', id);
    expect(third).toMatchObject({
      status: 'circuit_open',
      circuitState: 'open',
      consecutiveFailures: 3,
      lastError: expect.stringContaining('restart failed'),
    });
    await wardround('sweep');
    expect(await json<Row>('vps', 'show', id)).toMatchObject({
      consecutiveFailures: 4,
      circuitOpenedAt: third.circuitOpenedAt,
    });
    expect(running[0]?.commands.filter((command) => command === 'sudo systemctl restart rachel8')).toHaveLength(3);
  });
});

describe('wardround', () => {
  it('prints a fresh key that it takes itself', async () => {
    const [one, two] = [await wardround('keygen'), await wardround('keygen')];
    expect(one.stdout).toMatch(/^[A-Za-z0-9+/]{43}=\n$/);
    expect(one.stdout).not.toBe(two.stdout);
    const { encryptionKey } = await json<{ encryptionKey: string }>('keygen');
    const environment = { ...scratch.environment, ENCRYPTION_KEY: encryptionKey };
    const create = ['admin', 'create', '--email', 'anna@example.test', '--password-stdin'];
    expect((await runCliWith('a password for tests\n', environment, ...create)).exitCode).toBe(0);
    expect((await runCli(environment, 'vps', 'list')).exitCode).toBe(0);
  });

  it('reports a wrong configuration in one message, without a stack', async () => {
    const { exitCode, stderr } = await runCli(
      { ...scratch.environment, HEALTH_CHECK_BATCH_SIZE: 'many', SSH_CONNECT_TIMEOUT_MS: '1' },
      'vps',
      'list',
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain('The configuration has 2 problems:');
    expect(stderr).not.toContain('at ');
  });

  it('shows a fault that nobody foresaw with its place in the sources', async () => {
    await startFleet({});
    const migrations = join(scratch.folder, 'migrations');
    mkdirSync(join(migrations, 'meta'), { recursive: true });
    writeFileSync(join(migrations, 'meta/_journal.json'), '{');
    const { exitCode, stdout, stderr } = await runCli(
      { ...scratch.environment, MIGRATIONS_DIR: migrations },
      'vps',
      'list',
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: '' });
    expect(stderr).toMatch(/^SyntaxError: /);
    expect(stderr).toMatch(/src\/lib\/db\/migrations\.ts:\d+:\d+/);
    expect(stderr).toMatch(/\bcli\/context\.ts:\d+:\d+/);
  });

  it('finds files as seen from where the person is, and its own in the project folder', async () => {
    const script = join(PROJECT_DIR, 'cli/wardround.js');
    const add = [
      'vps',
      'add',
      '--customer',
      'c0@example.test',
      '--host',
      '192.0.2.1',
      '--key-file',
      'login.key',
    ].concat('--not-ready');
    const environment = { ...scratch.environment, SSH_CONNECT_TIMEOUT_MS: '200' };
    const added = await runNode([script, ...add], { environment, folder: scratch.folder });
    expect(added).toMatchObject({ exitCode: 0, stdout: expect.stringContaining('Added 192.0.2.1') });
    expect((await runCli(scratch.environment, ...add)).stderr).toContain(
      '--key-file login.key cannot be read (ENOENT)',
    );
  });

  it('ends in peace when nobody reads what it prints', async () => {
    // As `wardround keygen | true` does: the reader is gone before the first line.
    const {
      process: child,
      output,
      exited,
    } = startProcess(process.execPath, ['cli/wardround.js', 'keygen'], scratch.environment);
    child.stdout?.destroy();
    expect(await exited).toBe(0);
    expect(output()).toBe('');
  });

  it.each([
    [],
    ['vps'],
    ['vps', 'add'],
    ['vps', 'list'],
    ['vps', 'show'],
    ['vps', 'test'],
    ['vps', 'remove'],
    ['incidents'],
    ['events'],
    ['notify'],
    ['healing'],
    ['outage'],
    ['admin'],
    ['admin', 'create'],
    ['admin', 'list'],
    ['admin', 'remove'],
    ['user'],
    ['user', 'invite'],
    ['sweep'],
    ['keygen'],
    ['backup'],
    ['restore'],
  ])('explains itself: %s --help', async (...args) => {
    const { exitCode, stdout } = await wardround(...args, '--help');
    expect(exitCode).toBe(0);
    expect(stdout).toContain(`Usage: wardround${args.map((arg) => ` ${arg}`).join('')}`);
    if (args.length === 2 || ['sweep', 'keygen', 'backup', 'restore'].includes(args[0] ?? ''))
      expect(stdout).toContain('--json');
  });

  it('knows its groups after "help" too, and nothing but them', async () => {
    expect(await wardround('help', 'vps')).toMatchObject({
      exitCode: 0,
      stdout: (await wardround('vps', '--help')).stdout,
    });
    expect(await wardround('constructor')).toMatchObject({ exitCode: 2, stdout: '' });
  });
});
