import { chmodSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest';
import { createAdmin, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startProcess, startServer } from './support/project.ts';

type Report = {
  readonly ok: boolean;
  readonly checks: readonly { readonly name: string; readonly verdict: string; readonly seen: string }[];
};

const examined = async (environment: Record<string, string>) => {
  const startedMs = performance.now();
  const { exitCode, stdout, stderr } = await runCli(environment, 'doctor', '--json');
  const { ok, checks } = JSON.parse(stdout) as Report;
  const verdicts = Object.fromEntries(checks.map(({ name, verdict }) => [name, verdict]));
  return { ok, checks, verdicts, exitCode, stderr, stdout, tookMs: performance.now() - startedMs };
};

/** A port of a program that stands still: who connects hears nothing, once its few places are taken. */
async function startSilentPort(): Promise<number> {
  const program = `const server = require('node:net').createServer().listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () =>
    console.log('port ' + server.address().port));`;
  const silent = startProcess(process.execPath, ['--eval', program], {});
  const taken: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of taken) socket.destroy();
    await endWith(silent, 'SIGKILL');
  });
  const port = Number((await silent.line(/^port/)).slice('port '.length));
  silent.process.kill('SIGSTOP');
  for (let place = 0; place < 4; place++) taken.push(connect(port, '127.0.0.1').on('error', () => undefined));
  await expect.poll(() => taken.filter(({ connecting }) => !connecting).length).toBeGreaterThan(1);
  return port;
}

describe('wardround doctor', () => {
  const scratch = scratchEnvironment({ ENABLE_HEALTH_MONITOR: 'false' });
  let vps: SimulatedVps;
  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    vps = await startVps(login.publicKey);
    await addAll(scratch.environment, login.keyFile, [vps]);
  });
  afterAll(async () => {
    await vps.host.close();
    scratch.remove();
  });

  it('finds a fleet that answers well, and touches nothing', async () => {
    const { exitCode, verdicts, stderr } = await examined(scratch.environment);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
    expect(verdicts).toMatchObject({
      configuration: 'ok',
      database: 'ok',
      integrity: 'ok',
      migrations: 'ok',
      key: 'ok',
      zone: 'ok',
      names: 'not known',
      ssh: 'ok',
      mail: 'warning',
      channels: 'ok',
      leases: 'ok',
      proxy: 'ok',
    });
    expect(vps.commands).toEqual([]);
  });

  it('connects to nothing that the monitor may not dial', async () => {
    const { checks, verdicts } = await examined({ ...scratch.environment, ALLOWED_ADDRESSES: 'private' });
    expect(verdicts.ssh).toBe('failure');
    expect(checks.find(({ name }) => name === 'ssh')?.seen).toContain('is an address of this machine itself');
  });

  it('says it in words, with what to do', async () => {
    const { stdout, exitCode } = await runCli(scratch.environment, 'doctor');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/● ok +integrity +all \d+ tables are whole/);
    expect(stdout).toMatch(/▲ warning +mail .*\n +→ Set SMTP_URL/);
  });

  it('ends with 1 at a failure, in time though nobody answers', async () => {
    const silent = await startSilentPort();
    const { exitCode, verdicts, checks, tookMs } = await examined({
      ...scratch.environment,
      SMTP_URL: `smtp://127.0.0.1:${silent}`,
      ADDRESS_HEADER: 'X-Forwarded-For',
      HOST: '0.0.0.0',
    });
    expect({ exitCode, mail: verdicts.mail, proxy: verdicts.proxy }).toEqual({
      exitCode: 1,
      mail: 'failure',
      proxy: 'warning',
    });
    expect(checks.find(({ name }) => name === 'mail')?.seen).toContain('no answer in time');
    expect(tookMs).toBeLessThan(20_000);
  });

  it('is what the settings page shows, which does not wait for it', async () => {
    await createAdmin(scratch.environment);
    const server = await startServer(scratch.environment);
    onTestFinished(() => endWith(server, 'SIGKILL').then(() => undefined));
    const cookie = await signIn(server.url);
    const page = async (): Promise<string> => (await fetch(`${server.url}/settings`, { headers: { cookie } })).text();
    const first = await page();
    expect(first).toContain('Looking …');
    expect(first).toContain('Thresholds in force');
    await expect.poll(page).toMatch(/all \d+ tables are whole/);
    const { checks } = await examined(scratch.environment);
    const shown = await page();
    for (const { name, seen } of checks) if (name !== 'descriptors' && name !== 'space') expect(shown).toContain(seen);
    // Who asks again within a minute is told the same, and nothing is begun anew.
    expect(shown).not.toContain('looking again');
  });

  it('names what is wrong with the settings, the key and the database, each by itself', async () => {
    const wrong = await examined({ ...scratch.environment, PORT: 'x' });
    expect(wrong).toMatchObject({ exitCode: 1, verdicts: { configuration: 'failure', database: 'not known' } });
    const missing = await examined({ ...scratch.environment, DATABASE_URL: join(scratch.folder, 'no.db') });
    expect(missing).toMatchObject({
      exitCode: 1,
      verdicts: { configuration: 'ok', database: 'failure', ssh: 'not known', proxy: 'ok', mail: 'warning' },
    });
    const other = await examined({ ...scratch.environment, ENCRYPTION_KEY: 'A'.repeat(43) });
    expect(other).toMatchObject({ exitCode: 1, verdicts: { database: 'ok', key: 'failure' } });
    expect(other.stdout).not.toContain('A'.repeat(43));
    chmodSync(scratch.environment.ENCRYPTION_KEY_FILE ?? '', 0o644);
    expect((await examined(scratch.environment)).verdicts).toMatchObject({ key: 'failure' });
    chmodSync(scratch.environment.ENCRYPTION_KEY_FILE ?? '', 0o600);
    const noise = join(scratch.folder, 'noise.db');
    writeFileSync(noise, 'x'.repeat(8_192));
    expect(await examined({ ...scratch.environment, DATABASE_URL: noise })).toMatchObject({
      exitCode: 1,
      verdicts: { database: 'failure' },
    });
  });

  it('notices a clock that was set back', async () => {
    const database = new Sqlite(scratch.environment.DATABASE_URL);
    database
      .prepare(
        "INSERT INTO health_checks (id, user_id, last_check_at, created_at, updated_at) SELECT 'health-1', user_id, ?, 0, 0 FROM subscriptions",
      )
      .run(Date.now() + 3_600_000);
    database.close();
    expect((await examined(scratch.environment)).verdicts).toMatchObject({ clock: 'failure' });
  });
});
