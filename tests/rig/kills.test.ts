import { setTimeout as sleep } from 'node:timers/promises';
import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { endWith, runCli, scratchEnvironment, startServer, type RunningProcess } from '../support/project.ts';
import { RIG_KEY_FILE, RigMachine } from './machine.ts';

const KILLS = Number(process.env.RIG_KILLS ?? 100);
const SERVER_KILLS = 10;
/** Of ten machines more than half that stop within a minute would be a mass stop, which is not healed. */
const LOGINS = ['ward', 'ward', 'ward', 'ward', 'ward', 'ward', 'rachel', 'rachel', 'rachel'] as const;
const FIRST_NUMBER = 111;

const machines = LOGINS.map((user, index) => ({ user, vps: new RigMachine(FIRST_NUMBER + index) }));
const mortal = machines.map(({ vps }) => vps);

describe('a fleet of nine real machines', () => {
  const scratch = scratchEnvironment({
    ENABLE_HEALTH_MONITOR: 'true',
    // Five seconds, so that a hundred deaths do not take hours: a VPS is restarted once an interval.
    HEALTH_CHECK_CRON: '*/5 * * * * *',
    RESTART_BUDGET: '1000',
    MAX_RESTARTS_PER_SWEEP: '1000',
  });
  let server: RunningProcess;

  beforeAll(async () => {
    await Promise.all(machines.map(({ vps }) => vps.boot()));
    for (const { user, vps } of machines) {
      const login = ['--host', vps.host, '--user', user, '--key-file', RIG_KEY_FILE];
      const added = await runCli(
        scratch.environment,
        'vps',
        'add',
        '--customer',
        `${vps.number}@example.com`,
        ...login,
      );
      expect(added).toMatchObject({ exitCode: 0 });
    }
    server = await startServer(scratch.environment);
    await vi.waitFor(() => expect(healthy()).toBe(LOGINS.length), 60_000);
  });
  afterAll(async () => {
    await endWith(server, 'SIGTERM');
    scratch.remove();
  });

  function read(query: string): number {
    const db = new Sqlite(scratch.environment.DATABASE_URL, { readonly: true });
    try {
      return db.prepare(query).pluck().get() as number;
    } finally {
      db.close();
    }
  }
  const restarts = (): number => read('SELECT count(*) FROM restart_attempts');
  const healthy = (): number => read("SELECT count(*) FROM health_checks WHERE status = 'healthy'");
  const recoveries = ({ host }: RigMachine): number =>
    read(
      `SELECT total_recoveries FROM health_checks JOIN subscriptions USING (user_id) WHERE vps_ip_address = '${host}'`,
    );
  const startsOf = async (): Promise<number[]> => Promise.all(mortal.map((vps) => vps.starts()));
  const sum = (of: readonly number[]): number => of.reduce((total, one) => total + one, 0);

  /** Kills the service at a moment that nobody chose, and waits until it is another one that has proved to run. */
  async function killAtRandom(
    vps: RigMachine,
    whenDead: () => Promise<unknown> = () => Promise.resolve(),
  ): Promise<void> {
    await sleep(Math.random() * 5_000);
    const [starts, recovered] = [await vps.starts(), recoveries(vps)];
    await vps.run('kill -9 $(systemctl show -p MainPID --value rachel8)');
    await whenDead();
    await expect.poll(vps.starts).toBe(starts + 1);
    await expect.poll(() => recoveries(vps)).toBe(recovered + 1);
    expect([await vps.isActive(), await vps.starts()]).toEqual([true, starts + 1]);
  }

  it(`has each of ${KILLS} killed services started once, and once only`, async () => {
    const before = await startsOf();
    let left = KILLS;
    await Promise.all(
      mortal.map(async (vps) => {
        while (left-- > 0) await killAtRandom(vps);
      }),
    );
    await expect.poll(healthy).toBe(LOGINS.length);
    expect(sum(await startsOf()) - sum(before)).toBe(KILLS);
    expect(restarts()).toBe(KILLS);
  });

  it('has each started once also where the server is killed between the order and its answer', async () => {
    for (let round = 0; round < SERVER_KILLS; round++) {
      const vps = mortal[round % mortal.length] as RigMachine;
      const ordered = restarts();
      await killAtRandom(vps, async () => {
        await expect.poll(restarts, { interval: 1 }).toBe(ordered + 1);
        await sleep(Math.random() * 60);
        server.process.kill('SIGKILL');
        await server.exited;
        server = await startServer(scratch.environment);
      });
      await expect.poll(healthy).toBe(LOGINS.length);
    }
  });
});
