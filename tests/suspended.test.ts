import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, scratchEnvironment, startServer, type RunningProcess } from './support/project.ts';

/** What hangs keeps a sweep open for longer than this test lasts. */
const PATIENT = {
  HEALTH_CHECK_CRON: '* * * * * *',
  SSH_CONNECT_TIMEOUT_MS: '120000',
  SSH_COMMAND_TIMEOUT_MS: '120000',
  RESTART_SETTLE_MS: '100',
};

type Row = {
  host_port: number;
  status: string;
  last_check_at: number;
  total_failures: number;
  consecutive_failures: number;
};

let scratch: ReturnType<typeof scratchEnvironment>;
let fleet: SimulatedVps[];
let servers: RunningProcess[];

beforeEach(async () => {
  scratch = scratchEnvironment(PATIENT);
  servers = [];
  fleet = [];
  const login = makeLogin(scratch.folder);
  for (const behaviour of [{ unit: 'failed' }, { unit: 'failed' }, { network: 'hangs' }] as const)
    fleet.push(await startVps(login.publicKey, behaviour));
  await addAll(scratch.environment, login.keyFile, fleet);
});
afterEach(async () => {
  for (const server of servers) await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

const start = async (): Promise<Awaited<ReturnType<typeof startServer>>> => {
  const server = await startServer(scratch.environment);
  servers.push(server);
  return server;
};

function inDatabase<T>(work: (db: Sqlite.Database) => T): T {
  const db = new Sqlite(scratch.environment.DATABASE_URL, { timeout: 5_000 });
  try {
    return work(db);
  } finally {
    db.close();
  }
}
const statesOf = (): Row[] =>
  inDatabase(
    (db) =>
      db
        .prepare(
          'SELECT s.ssh_port AS host_port, h.* FROM subscriptions s JOIN health_checks h USING (user_id) ORDER BY s.created_at, s.id',
        )
        .all() as Row[],
  );
const vps = (index: number): SimulatedVps => {
  const found = fleet[index];
  if (!found) throw new Error(`there is no VPS ${index}`);
  return found;
};
const asked = (index: number, what: string): number =>
  // That sudo is asked what it would allow (`-l`) is no order.
  vps(index).commands.filter((command) => command.includes(` ${what} `) && !command.includes('sudo -n -l')).length;
const times = (server: RunningProcess, what: RegExp): number =>
  server.output().match(new RegExp(what, 'g'))?.length ?? 0;
const oneMore = (server: RunningProcess, what: RegExp): Promise<void> => {
  const before = times(server, what);
  return expect.poll(() => times(server, what), { timeout: 30_000 }).toBeGreaterThan(before);
};
/** As if they had run out; nobody waits half a minute for it. */
const endLeases = (): void => inDatabase((db) => void db.prepare('UPDATE leases SET expires_at = 0').run());

/** Not in the middle of a write: SQLite's lock would then be held until it goes on, and nobody could take over. */
async function suspend(server: RunningProcess & { readonly url: string }): Promise<void> {
  for (;;) {
    server.process.kill('SIGSTOP');
    try {
      inDatabase((db) => db.transaction(() => undefined).immediate());
      return;
    } catch (error) {
      if (!(error instanceof Sqlite.SqliteError) || error.code !== 'SQLITE_BUSY') throw error;
      server.process.kill('SIGCONT');
      await fetch(server.url);
    }
  }
}

it(
  'a leader that was suspended in the middle of a sweep does and writes nothing that another has overtaken',
  { timeout: 240_000 },
  async () => {
    // Of the second one only the look is to be written, once the third has answered.
    const PAUSED = 1;
    const HANGING = 2;
    inDatabase((db) =>
      db
        .prepare('UPDATE subscriptions SET healing_paused_since = ? WHERE ssh_port = ?')
        .run(Date.now(), vps(PAUSED).host.port),
    );
    const leader = await start();
    await leader.line(/sweep started/);
    const other = await start();
    await other.line(/standing by/);
    for (const index of [0, PAUSED]) await expect.poll(() => asked(index, 'show')).toBe(1);
    // Whatever has been answered before this, the leader has read.
    await fetch(leader.url);
    await suspend(leader);

    vps(PAUSED).machine.unit = 'active';
    vps(HANGING).machine.network = 'up';
    // The connection that hangs ends, which the leader reads when it wakes up.
    await vps(HANGING).host.refuse();
    await vps(HANGING).host.accept();
    endLeases();
    await other.line(/taking over/);
    await oneMore(other, /restart successful/);
    await oneMore(other, /sweep completed/);
    await oneMore(other, /sweep completed/);
    const before = statesOf();
    expect(before.map(({ status }) => status)).toEqual(['healthy', 'healthy', 'healthy']);

    leader.process.kill('SIGCONT');
    await leader.line(/sweep interrupted/);
    await leader.line(/standing by/);
    await oneMore(other, /sweep completed/);

    expect(asked(0, 'restart')).toBe(1);
    expect(asked(PAUSED, 'restart')).toBe(0);
    const after = statesOf();
    for (const [index, row] of after.entries()) {
      expect(row.last_check_at).toBeGreaterThan(before[index]?.last_check_at ?? Infinity);
      expect(row).toMatchObject({ status: 'healthy', consecutive_failures: 0 });
    }
    expect(after.map(({ total_failures }) => total_failures)).toEqual([1, 0, 0]);
    inDatabase((db) => {
      expect(db.prepare('SELECT outcome FROM restart_attempts').pluck().all()).toEqual(['succeeded']);
      expect(db.prepare('SELECT ended_by FROM incidents').pluck().all()).toEqual(['restart']);
      // All are recent still: a letter for each look.
      const texts = db.prepare<[], string>('SELECT samples FROM recent_samples').pluck().all();
      expect(db.prepare('SELECT count(*) FROM health_samples').pluck().get()).toBe(0);
      expect(texts.join('')).toMatch(/h\d/);
      expect([...texts.join('')].filter((letter) => letter === 'u' || letter === 'd').length).toBeLessThanOrEqual(1);
    });
  },
);
