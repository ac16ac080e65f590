import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { acceptInvitation, createAdmin, post, signIn } from './support/accounts.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { startHttpReceiver, type HttpReceiver } from './support/http-receiver.ts';
import { mountDisk, NO_MOUNT } from './support/mounts.ts';
import { endWith, runCli, scratchEnvironment, startServer, type RunningProcess } from './support/project.ts';

/** Several starts of a process, and on a slow machine; a job waits ten seconds for a locked database. */
const PATIENCE = { timeout: 300_000 };
const SOON = { timeout: 90_000, interval: 200 };
const HOUR_MS = 3_600_000;

type Server = RunningProcess & { readonly url: string };

let scratch: ReturnType<typeof scratchEnvironment>;
let other: Sqlite.Database;
let host: SimulatedVps;
let heartbeat: HttpReceiver;
let id: string;
const servers: Server[] = [];

beforeEach(async () => {
  scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *' });
  const login = makeLogin(scratch.folder);
  host = await startVps(login.publicKey);
  heartbeat = await startHttpReceiver();
  [id = ''] = await addAll(scratch.environment, login.keyFile, [host]);
  await createAdmin(scratch.environment);
  other = new Sqlite(scratch.environment.DATABASE_URL ?? '');
});
afterEach(async () => {
  for (const server of servers.splice(0)) await endWith(server, 'SIGKILL');
  other.close();
  await host.host.close();
  await heartbeat.close();
  scratch.remove();
});

async function serve(more: Record<string, string> = {}): Promise<Server> {
  const server = await startServer({ ...scratch.environment, HEARTBEAT_URL: heartbeat.url, ...more });
  servers.push(server);
  return server;
}
const STANDBY = {};
const WATCHING_NOTHING = { ENABLE_HEALTH_MONITOR: 'false' };

const textOf = async (url: string, cookie = ''): Promise<string> =>
  (await (await fetch(url, { headers: { cookie } })).text())
    .replaceAll(/<(script|style|title)[\s\S]*?<\/\1>|<[^>]+>/g, ' ')
    .replaceAll(/\s+/g, ' ');
const fleetPage = async (server: Server): Promise<string> => textOf(server.url, await signIn(server.url));

/** Makes all that is known of the fleet this much older. */
const age = (ms: number): unknown =>
  other.exec(`UPDATE monitor_state SET swept_at = swept_at - ${ms};
    UPDATE health_checks SET last_check_at = last_check_at - ${ms}, last_healthy_at = last_healthy_at - ${ms};
    UPDATE leases SET acquired_at = acquired_at - ${ms}`);
const sweptMsAgo = (): number =>
  Date.now() - (other.prepare('SELECT swept_at FROM monitor_state').pluck().get() as number);

/** Takes the only right to write, and leaves behind a fleet that nobody has looked at for three hours. */
function lockOldDatabase(): void {
  for (;;) {
    age(3 * HOUR_MS);
    other.exec('BEGIN IMMEDIATE');
    // The server may have swept in between.
    if (sweptMsAgo() > 3 * HOUR_MS) return;
    other.exec('ROLLBACK');
  }
}

const OLD = /No sweep since \d\d:\d\d UTC( on \d+ \w+)?: what you see is 3 h old\./;

describe('what is not known does not look like good news', PATIENCE, () => {
  it('while the database is locked: on each server, to customers and strangers, in the terminal', async () => {
    const leader = await serve();
    await leader.line(/sweep completed/);
    const [standby, off] = [await serve(STANDBY), await serve(WATCHING_NOTHING)];
    await standby.line(/standing by/);
    await acceptInvitation(scratch.environment, off.url, 'c0@example.test');
    const customer = await signIn(off.url, 'c0@example.test');
    await post(`${off.url}/vps/${id}/status-page?/on`, {}, { cookie: customer });
    const token = /\/status\/([\w-]{43})/.exec(await textOf(`${off.url}/vps/${id}/status-page`, customer))?.[1] ?? '';
    const admins = new Map<Server, string>();
    for (const server of [leader, standby, off]) admins.set(server, await signIn(server.url));
    const page = (server: Server, path = '/'): Promise<string> => textOf(server.url + path, admins.get(server));
    for (const server of [leader, standby, off]) expect(await page(server)).toContain('The one VPS is healthy.');
    expect(await textOf(`${off.url}/status/${token}`)).toContain('is running');

    lockOldDatabase();
    for (const server of [leader, standby])
      await expect
        .poll(() => page(server), SOON)
        .toMatch(new RegExp(`${OLD.source}.*The database is locked by another`));
    await expect.poll(() => page(off), SOON).toMatch(new RegExp(`${OLD.source}.*does not report any more`));
    for (const server of [leader, standby, off]) {
      expect(await page(server)).toMatch(/Not known 1/);
      expect(await page(server)).not.toMatch(/Nothing needs you|VPSs? (is|are) healthy/);
      // A page without that headline has it above everything else.
      expect(await page(server, '/incidents')).toMatch(OLD);
      expect(await page(server, `/vps/${id}`)).toMatch(
        /How it is now is not known.*not checked since .*, healthy then/,
      );
    }
    const beats = heartbeat.requests.length;
    const failures = (): number => leader.output().split('sweep failed').length;
    const before = failures();
    await expect.poll(failures, SOON).toBeGreaterThan(before + 1);
    expect(heartbeat.requests.length).toBe(beats);

    expect(await textOf(`${off.url}/vps/${id}`, customer)).toMatch(
      /Not checked since .*It was last seen running 3 h ago/,
    );
    // Pages for everybody are kept for ten seconds.
    await expect
      .poll(() => textOf(`${off.url}/status/${token}`), SOON)
      .toMatch(/cannot be checked at the moment.*Not checked since/);
    await expect
      .poll(async () => (await fetch(`${off.url}/status/${token}/badge.svg`)).text(), SOON)
      .toContain('not known');
    const { stdout, stderr } = await runCli(scratch.environment, 'vps', 'list', '--json');
    expect(JSON.parse(stdout)).toMatchObject([{ status: 'healthy', condition: 'unknown', stale: true }]);
    expect(stderr).toMatch(OLD);
    for (const command of [['status'], ['vps', 'list'], ['vps', 'show', id]]) {
      const said = await runCli(scratch.environment, ...command);
      expect(said.stdout + said.stderr).toMatch(OLD);
      expect(said.stdout).toContain('Not known');
    }

    other.exec('ROLLBACK');
    for (const server of [leader, standby, off])
      await expect.poll(() => page(server), SOON).toContain('The one VPS is healthy.');
    await expect.poll(() => heartbeat.requests.length, SOON).toBeGreaterThan(beats);
  });

  it('while results cannot be saved, although sweeps go on: the reason is there for every process', async () => {
    const leader = await serve();
    const off = await serve(WATCHING_NOTHING);
    await leader.line(/sweep completed/);
    await expect.poll(() => heartbeat.requests.length, SOON).toBeGreaterThan(0);
    other.exec("CREATE TRIGGER stuck BEFORE UPDATE ON health_checks BEGIN SELECT RAISE(ABORT, 'no room'); END");
    await leader.line(/sweep not saved in .* 1 not checked/);
    const beats = heartbeat.requests.length;
    other.exec(`UPDATE monitor_state SET swept_at = swept_at - ${3 * HOUR_MS}`);
    const why = new RegExp(`${OLD.source}.*the results of 1 VPSs could not be saved.*no room`);
    for (const server of [leader, off]) expect(await fleetPage(server)).toMatch(why);
    const sweeps = (): number => leader.output().split('sweep not saved').length;
    const before = sweeps();
    await expect.poll(sweeps, SOON).toBeGreaterThan(before + 1);
    expect(heartbeat.requests.length).toBe(beats);
    expect((await runCli(scratch.environment, 'status')).stdout).toMatch(/could not be saved/);
    expect(await runCli(scratch.environment, 'sweep', '--json')).toMatchObject({ exitCode: 1 });

    other.exec('DROP TRIGGER stuck');
    await expect.poll(() => fleetPage(leader), SOON).toContain('The one VPS is healthy.');
    expect(await fleetPage(off)).toContain('The one VPS is healthy.');
  });

  it('on a full disk, after three intervals', async (context) => {
    const disk = mountDisk(2_000);
    if (disk === null) return context.skip(NO_MOUNT);
    const moved = { ...scratch.environment, DATABASE_URL: join(disk.folder, 'w.db') };
    expect(await runCli(scratch.environment, 'backup', moved.DATABASE_URL)).toMatchObject({ exitCode: 0 });
    const server = await serve(moved);
    await server.line(/sweep completed/);
    const cookie = await signIn(server.url);
    const block = Buffer.alloc(4_096);
    expect(() => {
      for (;;) writeFileSync(join(disk.folder, 'fill'), block, { flag: 'a' });
    }).toThrow('ENOSPC');
    // Thirty seconds, which is the least that three intervals are; and what the -wal still takes.
    await expect
      .poll(() => textOf(server.url, cookie), { timeout: 200_000, interval: 1_000 })
      .toMatch(/No sweep since .* old\. .*(disk|full)/);
    rmSync(join(disk.folder, 'fill'));
    await expect.poll(() => textOf(server.url, cookie), SOON).toContain('The one VPS is healthy.');
  });

  it('where no server has the monitor on, and tells of one that has just begun what was known', async () => {
    expect(await runCli(scratch.environment, 'sweep')).toMatchObject({ exitCode: 0 });
    const off = await serve(WATCHING_NOTHING);
    expect(await fleetPage(off)).toContain('The one VPS is healthy.');
    age(3 * HOUR_MS);
    expect(await fleetPage(off)).toMatch(new RegExp(`${OLD.source}.*No server has the monitor on\\.`));
    // What an admin has asked for is known, the rest is not.
    const cookie = await signIn(off.url);
    await post(`${off.url}/vps/${id}/actions?/check`, {}, { cookie });
    await expect.poll(() => textOf(`${off.url}/vps/${id}`, cookie), SOON).toMatch(/Healthy .*rachel8 is running/);
    expect(await fleetPage(off)).toMatch(OLD);

    age(100 * 24 * HOUR_MS);
    const on = await serve({ HEALTH_CHECK_CRON: '0 0 * * *' });
    expect(await fleetPage(on)).toMatch(/Last checked \d+ days ago; the first sweep is about to begin\./);
  });

  it('of one VPS whose checks fail through a fault of ours', async () => {
    const server = await serve();
    await server.line(/sweep completed/);
    other.exec("UPDATE subscriptions SET ssh_private_key = 'v1.00000000.broken'");
    await server.line(/1 not checked/);
    other.exec(`UPDATE health_checks SET last_check_at = last_check_at - ${3 * HOUR_MS}`);
    const page = await fleetPage(server);
    expect(page).toContain('0 of 1 VPSs is healthy. 1 has not been checked lately');
    expect(page).toMatch(/Not known 1 .*Not known .*not checked since \d\d:\d\d UTC.*, healthy then/);
    expect(await textOf(`${server.url}/?status=unknown`, await signIn(server.url))).toContain('Not known');
  });
});
