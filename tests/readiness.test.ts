import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';

type Server = Awaited<ReturnType<typeof startServer>>;

const ask = async ({ url }: Server, path: string) => {
  const response = await fetch(url + path);
  return { status: response.status, said: await response.text() };
};
const READY = (said: string) => ({ status: 200, said: `${said}\n` });
const NOT_READY = (said: string) => ({ status: 503, said: `${said}\n` });

describe('servers of which programs ask whether they live and are ready', () => {
  const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *' });
  let other: Sqlite.Database;
  let leader: Server;
  let standby: Server;
  let idle: Server;
  beforeAll(async () => {
    leader = await startServer(scratch.environment);
    await leader.line(/sweep completed/);
    other = new Sqlite(scratch.environment.DATABASE_URL ?? '');
    standby = await startServer(scratch.environment);
    await standby.line(/standing by/);
    idle = await startServer({ ...scratch.environment, ENABLE_HEALTH_MONITOR: 'false' });
  });
  afterAll(async () => {
    for (const server of [leader, standby, idle]) await endWith(server, 'SIGKILL');
    other.close();
    scratch.remove();
  });

  it('live, and say in one word what they are ready for', async () => {
    for (const server of [leader, standby, idle]) expect(await ask(server, '/healthz')).toEqual(READY('ok'));
    expect(await ask(leader, '/readyz')).toEqual(READY('leading'));
    expect(await ask(standby, '/readyz')).toEqual(READY('standby'));
    expect(await ask(idle, '/readyz')).toEqual(READY('off'));
  });

  it('live on, and are not ready, while the database takes no writes', async () => {
    other.exec('BEGIN IMMEDIATE');
    // An answer is kept for two seconds.
    const isLocked = async (server: Server): Promise<void> => {
      await expect.poll(() => ask(server, '/readyz')).toEqual(NOT_READY('database'));
      expect(await ask(server, '/healthz')).toEqual(READY('ok'));
    };
    await Promise.all([leader, standby, idle].map(isLocked));
    other.exec('ROLLBACK');
    await expect.poll(() => ask(leader, '/readyz')).toEqual(READY('leading'));
  });

  it('are not ready when no sweep has come for too long, whoever is to make it', async () => {
    leader.process.kill('SIGSTOP');
    const stillHeldAt = Date.now() + 25_000;
    other.exec(`UPDATE monitor_state SET swept_at = 1; UPDATE leases SET acquired_at = 1, expires_at = ${stillHeldAt}`);
    await expect.poll(() => ask(standby, '/readyz')).toEqual(NOT_READY('stale'));
    expect(await ask(standby, '/healthz')).toEqual(READY('ok'));
    expect(await ask(idle, '/readyz')).toEqual(READY('off'));
    leader.process.kill('SIGCONT');
    await expect.poll(() => ask(standby, '/readyz')).toEqual(READY('standby'));
  });
});
