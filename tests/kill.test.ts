import Sqlite from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startServer } from './support/project.ts';

const KILLS = 50;

type Row = {
  user_id: string;
  status: string;
  consecutive_failures: number;
  circuit_state: string;
  circuit_opened_at: number | null;
  total_checks: number;
};

/** One of each: steady, never coming back, crash-looping, refusing, hanging. */
const BEHAVIOURS: Parameters<typeof startVps>[1][] = [
  {},
  { unit: 'failed', restart: 'fails' },
  { unit: 'failed', restart: { diesAfterMs: 30 } },
  { network: 'refuses' },
  { network: 'hangs' },
];
const [STEADY, DEAD, CRASHING, REFUSING, HANGING] = [0, 1, 2, 3, 4] as const;

describe('a server killed at any moment', () => {
  const scratch = scratchEnvironment({
    HEALTH_CHECK_CRON: '* * * * * *',
    RESTART_SETTLE_MS: '100',
    SSH_CONNECT_TIMEOUT_MS: '1200',
    SSH_COMMAND_TIMEOUT_MS: '1200',
  });
  const fleet: SimulatedVps[] = [];
  beforeAll(async () => {
    const login = makeLogin(scratch.folder);
    for (const behaviour of BEHAVIOURS) fleet.push(await startVps(login.publicKey, behaviour));
    await addAll(scratch.environment, login.keyFile, fleet);
    await fleet[REFUSING]?.host.refuse();
  });
  afterAll(async () => {
    for (const { host } of fleet) await host.close();
    scratch.remove();
  });

  const restartsSent = (index: number): number =>
    fleet[index]?.commands.filter((command) => command === 'sudo systemctl restart rachel8').length ?? 0;

  function readState(): { rows: Row[]; ledger: Map<string, number>; integrity: unknown } {
    const db = new Sqlite(scratch.environment.DATABASE_URL);
    const rows = db
      .prepare('SELECT h.* FROM subscriptions s LEFT JOIN health_checks h USING (user_id) ORDER BY s.created_at, s.id')
      .all() as Row[];
    const intents = db.prepare('SELECT user_id, count(*) AS count FROM restart_attempts GROUP BY user_id').all() as {
      user_id: string;
      count: number;
    }[];
    const integrity = db.pragma('integrity_check', { simple: true });
    db.close();
    return { rows, integrity, ledger: new Map(intents.map(({ user_id, count }) => [user_id, count])) };
  }

  it(
    `loses and invents no circuit, ${KILLS} times in a row, and never forgets a restart it has sent`,
    { timeout: 600_000 },
    async () => {
      let before: Row[] = [];
      let killedInSweep = 0;
      for (let kill = 0; kill < KILLS; kill++) {
        const server = await startServer(scratch.environment);
        await server.line(/sweep started/);
        // Anywhere in the life of a sweep, spread evenly rather than by chance; every fifth time after its end, however
        // long it takes, because hosts that do not answer are recorded then.
        if (kill % 5 === 4) await server.line(/sweep completed/);
        else await new Promise((resolve) => setTimeout(resolve, (kill * 37) % 1_200));
        expect(await endWith(server, 'SIGKILL')).toBe('SIGKILL');
        const started = server.output().match(/sweep started/g)?.length ?? 0;
        const ended = server.output().match(/sweep completed/g)?.length ?? 0;
        if (started > ended) killedInSweep++;

        const { rows, integrity, ledger } = readState();
        expect(integrity).toBe('ok');
        expect(rows[STEADY]).not.toMatchObject({ circuit_state: 'open' });
        if (rows[STEADY]?.status) expect(rows[STEADY]).toMatchObject({ status: 'healthy', consecutive_failures: 0 });
        for (const index of [DEAD, REFUSING, HANGING, CRASHING]) {
          const [was, is] = [before[index], rows[index]];
          if (!was?.user_id || !is) continue;
          expect(is.total_checks).toBeGreaterThanOrEqual(was.total_checks);
          if (index !== CRASHING) expect(is.consecutive_failures).toBeGreaterThanOrEqual(was.consecutive_failures);
          if (was.circuit_state !== 'closed')
            expect(is).toMatchObject({ circuit_state: 'open', circuit_opened_at: was.circuit_opened_at });
          // An open circuit has a reason that is written down: three failures, or five restarts that were for nothing.
          if (is.circuit_state === 'open')
            expect(is.consecutive_failures >= 3 || (ledger.get(is.user_id) ?? 0) >= 5).toBe(true);
        }
        for (const index of [DEAD, CRASHING])
          expect(ledger.get(rows[index]?.user_id ?? '') ?? 0).toBeGreaterThanOrEqual(restartsSent(index));
        before = rows;
      }
      // The test is worth its name only if the sweep was hit, and if there were circuits to lose.
      expect(killedInSweep).toBeGreaterThan(KILLS / 4);
      for (const index of [DEAD, CRASHING, REFUSING, HANGING])
        expect(before[index]).toMatchObject({ circuit_state: 'open' });
      expect(restartsSent(CRASHING)).toBeLessThanOrEqual(5);
      expect(restartsSent(DEAD)).toBeLessThanOrEqual(5);
      expect(restartsSent(REFUSING) + restartsSent(HANGING) + restartsSent(STEADY)).toBe(0);
    },
  );
});
