import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eq } from 'drizzle-orm';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { subscriptions } from '../src/lib/db/schema.ts';
import { STEP_NAMES, type PreflightStep, type StepOutcome } from '../src/lib/facts/preflight.ts';
import { addNotReady, boardVps, loginLineOf, tryVps } from '../src/lib/fleet-admin/board.ts';
import { parseVps, type NewVps, type VpsDescription } from '../src/lib/fleet-admin/new-vps.ts';
import { makeSharedKey } from '../src/lib/fleet-admin/shared-key.ts';
import { inTerminal } from '../src/lib/parsing/problems.ts';
import { makePrivateKey } from '../src/lib/provisioning/private-key.ts';
import { listVps } from '../src/lib/views/fleet-read.ts';
import { conditionOf } from '../src/lib/views/fleet-words.ts';
import { createAdmin, post, signIn } from './support/accounts.ts';
import { makeLogin, startVps } from './support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startServer } from './support/project.ts';
import { openScratchApp, startTestHost, sweepOnce } from './support/scratch-app.ts';
import type { SshHost } from './support/sshd.ts';

async function openTestApp(environment = {}): Promise<App> {
  const scratch = await openScratchApp({
    SSH_CONNECT_TIMEOUT_MS: '3000',
    SSH_COMMAND_TIMEOUT_MS: '3000',
    ...environment,
  });
  onTestFinished(() => scratch.close());
  return scratch.app;
}

let customers = 0;
function describeVps(given: Partial<VpsDescription>): NewVps {
  const customer = `board-${++customers}@example.com`;
  const parsed = parseVps({ customer, host: '127.0.0.1', ...given });
  if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join('; '));
  return parsed.vps;
}
const loginTo = ({ port, user, privateKey }: SshHost) => ({ port: String(port), user, privateKey });

const verdicts = (outcomes: readonly StepOutcome[]): string =>
  outcomes.map(({ step, verdict }) => `${step} ${verdict}`).join(', ');
const stepOf = (outcomes: readonly StepOutcome[], step: PreflightStep): StepOutcome => {
  const found = outcomes.find((outcome) => outcome.step === step);
  if (!found) throw new Error(`no step ${step}`);
  return found;
};
const countRows = (app: App): number => app.db.select().from(subscriptions).all().length;

describe('a VPS that is added', () => {
  it('is tried from its name to its link, told of as each step ends, and watched with the key it has shown', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    const told: string[] = [];
    const { added, passed, outcomes } = await boardVps(
      app,
      LOCAL_OPERATOR,
      describeVps({ ...loginTo(host), note: 'rack 7' }),
      {
        notReady: false,
        onStep: ({ step }) => told.push(step),
      },
    );
    expect(told).toEqual(STEP_NAMES);
    expect(verdicts(outcomes)).toBe(
      'resolve skipped, address passed, dial passed, host_key noted, login passed, rights noted, unit passed, state passed, link noted',
    );
    expect(passed).toBe(true);
    const row = app.db
      .select()
      .from(subscriptions)
      .where(eq(subscriptions.id, added?.id ?? ''))
      .get();
    expect(row).toMatchObject({
      provisioningStatus: 'ready',
      sshHostKey: host.shownHostKey(),
      notReadyWhy: null,
      note: 'rack 7',
    });
    expect(row?.sshHostKeyAt).toBeInstanceOf(Date);
    // Looking changes nothing there.
    expect(
      host
        .commands()
        .filter((line) => /\b(?:restart|start|stop|reset-failed) /.test(line.replaceAll(/sudo -n -l [^)]*/g, ''))),
    ).toEqual([]);
    expect((await sweepOnce(app)).checked).toBe(1);
  });

  /** What is wrong, the step that finds it, and what is said and offered. */
  const FAULTS: readonly (readonly [
    what: string,
    spoil: (host: SshHost) => Promise<Partial<VpsDescription>> | Partial<VpsDescription>,
    step: PreflightStep,
    saw: RegExp,
    command: RegExp | null,
  ])[] = [
    [
      'a name that is not there',
      () => ({ host: 'no-such-host.invalid' }),
      'resolve',
      /not known|could not be looked up/,
      /^getent hosts no-such-host\.invalid$/,
    ],
    [
      'nobody at its port',
      async (host) => {
        await host.stop();
        return {};
      },
      'dial',
      /refused the connection/,
      /systemctl enable --now ssh/,
    ],
    [
      'another host key',
      () => ({ hostKey: 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHIMYyQWtmNHp6mXmUjm7Gm2hMTkQxyOUPWTAdCqcbvI' }),
      'host_key',
      /^It shows .*SHA256:.* and not the pinned .*SHA256:/,
      /^ssh-keygen -lf /,
    ],
    [
      'a key that is not let in',
      () => ({ privateKey: makePrivateKey() }),
      'login',
      /refused the login as .* with this key/,
      /authorized_keys.* 'restrict ssh-ed25519 AAAA\S+ wardround'$/,
    ],
    [
      'sudo that refuses',
      (host) => {
        host.refuseSudo('*', 'sudo: a password is required');
        return {};
      },
      'rights',
      /logs in, but may not restart/,
      /^wardround vps recipe 127\.0\.0\.1$/,
    ],
    [
      'a unit that is not there',
      (host) => {
        host.set({ state: 'inactive', load: 'not-found' }, 'other');
        return { service: 'other' };
      },
      'unit',
      /not installed/,
      /list-unit-files/,
    ],
    [
      'a unit that is masked',
      (host) => {
        host.set({ state: 'inactive', load: 'masked' });
        return {};
      },
      'unit',
      /masked/,
      /^sudo systemctl unmask rachel8$/,
    ],
  ];
  it.each(FAULTS)(
    '%s: it is not saved, and the step says what was seen, why, and what mends it',
    async (_, spoil, step, saw, command) => {
      const host = await startTestHost();
      const app = await openTestApp();
      const more = await spoil(host);
      const vps = describeVps({ ...loginTo(host), ...more });
      const { added, passed, outcomes } = await boardVps(app, LOCAL_OPERATOR, vps, { notReady: false });
      expect({ added, passed }).toEqual({ added: null, passed: false });
      const failed = outcomes.filter(({ verdict }) => verdict === 'failed');
      expect(failed.map((outcome) => outcome.step)).toEqual([step]);
      expect(failed[0]?.saw).toMatch(saw);
      expect(failed[0]?.why.length).toBeGreaterThan(20);
      if (command !== null) expect(failed[0]?.command?.text).toMatch(command);
      expect(outcomes).toHaveLength(STEP_NAMES.length);
      expect(countRows(app)).toBe(0);
      expect(JSON.stringify(outcomes)).not.toContain('PRIVATE KEY');
    },
  );

  it('is refused before anything is dialled where the fleet has it already', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    await boardVps(app, LOCAL_OPERATOR, describeVps(loginTo(host)), { notReady: false });
    const dials = host.dials();
    await expect(boardVps(app, LOCAL_OPERATOR, describeVps(loginTo(host)), { notReady: true })).rejects.toThrow(
      'is in the fleet already',
    );
    expect(host.dials()).toBe(dials);
  });

  it('at an address that may not be dialled is not, and not ready either', async () => {
    const host = await startTestHost();
    const app = await openTestApp({ ALLOWED_ADDRESSES: 'private' });
    const { outcomes } = await boardVps(app, LOCAL_OPERATOR, describeVps(loginTo(host)), { notReady: false });
    expect(stepOf(outcomes, 'address')).toMatchObject({
      verdict: 'failed',
      saw: expect.stringContaining('(loopback)') as string,
    });
    await expect(boardVps(app, LOCAL_OPERATOR, describeVps(loginTo(host)), { notReady: true })).rejects.toThrow(
      '(loopback)',
    );
    expect(host.dials()).toBe(0);
  });
});

describe('a VPS that is not ready', () => {
  it('is listed as such, not swept, and watched once it has passed', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    const login = { ...loginTo(host), privateKey: makePrivateKey() };
    const { added, passed } = await boardVps(app, LOCAL_OPERATOR, describeVps(login), { notReady: true });
    expect(passed).toBe(false);
    const id = added?.id ?? '';
    const now = new Date();
    const listed = () =>
      listVps(app, LOCAL_OPERATOR, now).map((row) => [conditionOf(row, now), row.active, row.notReadyWhy]);
    expect(listed()).toEqual([['not_ready', false, expect.stringContaining('refused the login')]]);
    const dials = host.dials();
    expect((await sweepOnce(app)).checked).toBe(0);
    expect(host.dials()).toBe(dials);

    expect((await tryVps(app, LOCAL_OPERATOR, id, {})).passed).toBe(false);
    // The line that its page shows is all that it takes.
    host.allowLogin(loginLineOf(app, LOCAL_OPERATOR, id).line);
    expect((await tryVps(app, LOCAL_OPERATOR, id, {})).passed).toBe(true);
    expect(listed()).toEqual([['unchecked', true, null]]);
    expect((await sweepOnce(app)).checked).toBe(1);
  });

  it('that has a key made here is let in by the line that it shows', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    const vps = describeVps({ ...loginTo(host), privateKey: makePrivateKey() });
    const { id } = await addNotReady(app, LOCAL_OPERATOR, vps, 'new');
    const { line, command } = loginLineOf(app, LOCAL_OPERATOR, id);
    expect(line).toMatch(/^restrict ssh-ed25519 AAAA\S+ wardround$/);
    expect(command).toContain(`'${line}'`);
    host.allowLogin(line);
    expect((await tryVps(app, LOCAL_OPERATOR, id, {})).passed).toBe(true);
  });

  it('does not lose its readiness by a later try that fails', async () => {
    const host = await startTestHost();
    const app = await openTestApp();
    const { added } = await boardVps(app, LOCAL_OPERATOR, describeVps(loginTo(host)), { notReady: false });
    await host.stop();
    expect((await tryVps(app, LOCAL_OPERATOR, added?.id ?? '', {})).passed).toBe(false);
    expect(listVps(app, LOCAL_OPERATOR, new Date())).toMatchObject([{ active: true, notReadyWhy: null }]);
  });
});

it('the fleet has one shared key, which is used in place of one of its own', async () => {
  const host = await startTestHost();
  const app = await openTestApp();
  const { key: _, ...shared } = { ...loginTo(host), key: undefined, privateKey: undefined };
  const vps = describeVps({ ...shared, key: 'shared' });
  await expect(boardVps(app, LOCAL_OPERATOR, vps, { notReady: true })).rejects.toThrow('no shared key yet');
  const { publicKey, id } = await makeSharedKey(app, LOCAL_OPERATOR);
  await expect(makeSharedKey(app, LOCAL_OPERATOR)).rejects.toThrow('has a shared key already');
  host.allowLogin(`restrict ${publicKey} wardround`);
  const { passed } = await boardVps(app, LOCAL_OPERATOR, vps, { notReady: false });
  expect(passed).toBe(true);
  expect(app.db.select().from(subscriptions).all()).toMatchObject([{ sshPrivateKey: null, sshKeyId: id }]);
  expect((await sweepOnce(app)).healthy).toBe(1);
});

it('ends when nobody waits for it any more, and nothing is left open', async () => {
  const login = makeLogin(scratchFolder());
  const vps = await startVps(login.publicKey, { network: 'hangs' });
  onTestFinished(() => vps.host.close());
  const app = await openTestApp();
  const over = new AbortController();
  const described = describeVps({ port: String(vps.host.port), user: 'x', privateKey: login.privateKey });
  const trying = boardVps(app, LOCAL_OPERATOR, described, {
    notReady: false,
    signal: over.signal,
    onStep: ({ step }) => step === 'dial' && over.abort(),
  });
  expect((await trying).added).toBeNull();
  await expect.poll(() => vps.host.connections()).toBe(0);
});

function scratchFolder(): string {
  const scratch = scratchEnvironment();
  onTestFinished(() => scratch.remove());
  return scratch.folder;
}

describe('on the command line', () => {
  it('the steps are shown as a list, nothing is saved after a failure, and --not-ready saves it all the same', async () => {
    const scratch = scratchEnvironment({ SSH_CONNECT_TIMEOUT_MS: '3000' });
    onTestFinished(() => scratch.remove());
    const host = await startTestHost();
    const keyFile = join(scratch.folder, 'other.key');
    writeFileSync(keyFile, makePrivateKey(), { mode: 0o600 });
    const add = [
      'vps',
      'add',
      '--customer',
      'a@example.test',
      '--host',
      '127.0.0.1',
      '--port',
      String(host.port),
      '--user',
      host.user,
    ];
    const failed = await runCli(scratch.environment, ...add, '--key-file', keyFile);
    expect(failed.exitCode).toBe(1);
    expect(failed.stdout).toMatch(/^✓ Connection +127\.0\.0\.1:\d+ answers\.$/m);
    expect(failed.stdout).toMatch(
      /^✗ Login +The host refused the login as .*\n +Put our public key .*\n +on the VPS: .*authorized_keys/m,
    );
    expect(failed.stdout).toContain('Nothing was saved.');
    expect(JSON.parse((await runCli(scratch.environment, 'vps', 'list', '--json')).stdout)).toEqual([]);

    const saved = await runCli(scratch.environment, ...add, '--key-file', keyFile, '--not-ready', '--json');
    expect(JSON.parse(saved.stdout)).toMatchObject({ added: true, ready: false, active: false });
    expect((await runCli(scratch.environment, 'vps', 'list')).stdout).toContain('◇ Not ready');
    expect((await runCli(scratch.environment, 'vps', 'try', '127.0.0.1')).exitCode).toBe(1);
    writeFileSync(keyFile, host.privateKey);
    await runCli(scratch.environment, 'vps', 'edit', '127.0.0.1', '--key-file', keyFile);
    const passed = await runCli(scratch.environment, 'vps', 'try', '127.0.0.1');
    expect(passed).toMatchObject({
      exitCode: 0,
      stdout: expect.stringContaining('is ready, and watched from now on') as string,
    });
    for (const text of [failed, saved, passed].flatMap(({ stdout, stderr }) => [stdout, stderr]))
      expect(text).not.toContain(readFileSync(keyFile, 'utf8').split('\n')[2]);
  });

  it('one key is asked for, and a made or shared one is shown by its public half', async () => {
    const scratch = scratchEnvironment();
    onTestFinished(() => scratch.remove());
    const add = ['vps', 'add', '--customer', 'a@example.test', '--host', '127.0.0.1', '--user', 'ward'];
    const none = await runCli(scratch.environment, ...add);
    expect(none).toMatchObject({
      exitCode: 2,
      stderr: expect.stringContaining('one of --key-file FILE, --shared-key and --generate-key') as string,
    });
    expect((await runCli(scratch.environment, ...add, '--shared-key', '--generate-key')).exitCode).toBe(2);
    const made = await runCli(scratch.environment, ...add, '--generate-key');
    expect(made.stdout).toMatch(
      /Added as not ready .*\n\nsudo -u ward -H sh -c .*'restrict ssh-ed25519 AAAA\S+ wardround'\n\nThen: wardround vps try 127\.0\.0\.1/,
    );
    const { stdout } = await runCli(scratch.environment, 'ssh-key', 'create');
    expect(stdout).toMatch(/^restrict ssh-ed25519 AAAA\S+ wardround\n$/);
    expect((await runCli(scratch.environment, 'ssh-key', 'show')).stdout).toBe(stdout);
  });
});

describe('on the page', () => {
  it('the steps come one after the other while it is tried, and the VPS is there at their end', async () => {
    const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
    onTestFinished(() => scratch.remove());
    const host = await startTestHost();
    await createAdmin(scratch.environment);
    const server = await startServer(scratch.environment);
    onTestFinished(async () => void (await endWith(server, 'SIGTERM')));
    const cookie = await signIn(server.url);
    const form = { customer: 'live@example.test', host: '127.0.0.1', port: String(host.port), user: host.user };
    const release = host.hold('is-active');
    const response = await post(
      `${server.url}/vps/new/live`,
      { ...form, key: 'own', privateKey: host.privateKey },
      { cookie },
    );
    expect(response.headers.get('content-type')).toBe('application/x-ndjson');
    const lines = linesOf(response);
    const seen: string[] = [];
    while (seen.at(-1) !== 'login') seen.push(String((await lines.next()).value?.outcome?.step));
    // The host has not been asked how the service is yet, and all before that is on the page.
    expect(seen).toEqual(STEP_NAMES.slice(0, STEP_NAMES.indexOf('rights')));
    release();
    for await (const line of lines) seen.push(line.outcome?.step ?? `${line.kind} ${line.href}`);
    expect(seen).toEqual([...STEP_NAMES, expect.stringMatching(/^end \/vps\/vps-[0-9a-f]+\?done=added$/)]);
  });
});

type Line = { readonly kind: string; readonly outcome?: StepOutcome; readonly href?: string };
async function* linesOf({ body }: Response): AsyncGenerator<Line> {
  let rest = '';
  for await (const text of (body ?? new ReadableStream()).pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    yield* lines.map((line) => JSON.parse(line) as Line);
  }
}
