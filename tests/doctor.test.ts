import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { runCli, scratchEnvironment } from './support/project.ts';

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

  it('says it in words, with what to do', async () => {
    const { stdout, exitCode } = await runCli(scratch.environment, 'doctor');
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/● ok +integrity +all \d+ tables are whole/);
    expect(stdout).toMatch(/▲ warning +mail .*\n +→ Set SMTP_URL/);
  });

  it('ends with 1 at a failure, in time though nobody answers', async () => {
    // TEST-NET-1 (RFC 5737): nothing is there.
    const { exitCode, verdicts, tookMs } = await examined({
      ...scratch.environment,
      SMTP_URL: 'smtp://192.0.2.1:587',
      ADDRESS_HEADER: 'X-Forwarded-For',
      HOST: '0.0.0.0',
    });
    expect({ exitCode, mail: verdicts.mail, proxy: verdicts.proxy }).toEqual({
      exitCode: 1,
      mail: 'failure',
      proxy: 'warning',
    });
    expect(tookMs).toBeLessThan(20_000);
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
