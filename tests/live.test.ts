import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { acceptInvitation, createAdmin, PASSWORD, post, signIn } from './support/accounts.ts';
import { openEventStream, type EventStream } from './support/event-stream.ts';
import { addAll, makeLogin, startVps, type SimulatedVps } from './support/fleet.ts';
import { endWith, runCli, scratchEnvironment, startServer } from './support/project.ts';

const scratch = scratchEnvironment({ HEALTH_CHECK_CRON: '* * * * * *', RESTART_SETTLE_MS: '50' });
const fleet: SimulatedVps[] = [];
const streams: EventStream[] = [];
let server: Awaited<ReturnType<typeof startServer>>;
let ids: string[];
let admin: string;

beforeAll(async () => {
  const login = makeLogin(scratch.folder);
  for (const behaviour of [{}, {}]) fleet.push(await startVps(login.publicKey, behaviour));
  ids = await addAll(scratch.environment, login.keyFile, fleet);
  await createAdmin(scratch.environment);
  server = await startServer(scratch.environment);
  for (const email of ['c0@example.test', 'c1@example.test'])
    await acceptInvitation(scratch.environment, server.url, email);
  admin = await signIn(server.url);
});
afterAll(async () => {
  for (const stream of streams) stream.close();
  await endWith(server, 'SIGKILL');
  for (const { host } of fleet) await host.close();
  scratch.remove();
});

const open = async (cookie: string): Promise<EventStream> => {
  const stream = await openEventStream(server.url, cookie);
  streams.push(stream);
  return stream;
};
const listed = async (cookie: string): Promise<string> =>
  (await fetch(`${server.url}/`, { headers: { cookie, accept: 'text/html' } })).text();

describe('the live stream', () => {
  it('tells admins of every VPS and of the monitor, after the commit, four times a second at most', async () => {
    const stream = await open(admin);
    expect(stream.response.headers.get('content-type')).toBe('text/event-stream');
    expect(stream.response.headers.get('x-accel-buffering')).toBe('no');
    expect(stream.response.headers.get('cache-control')).toContain('no-store');
    Object.assign(fleet[0]?.machine ?? {}, { unit: 'failed', restart: 'fails' });
    const before = performance.now();
    for (const id of ids) await stream.event('changed', ({ vps }) => (vps as string[]).includes(id));
    await stream.event('changed', ({ monitor }) => monitor === true);
    // What it tells can be read by then.
    // This line is printed right after the commit of the third failed check.
    await server.line(/TRIPPED/);
    expect(await listed(admin)).toMatch(/1 circuit is open/);
    const seconds = (performance.now() - before) / 1000;
    expect(stream.events().length).toBeLessThanOrEqual(4 * seconds + 2);
    expect(stream.text()).toMatch(/^retry: \d+\n/);
    Object.assign(fleet[0]?.machine ?? {}, { unit: 'active', restart: 'works' });
  });

  it('tells customers of their own VPS, and neither of others nor of the monitor', async () => {
    const [first, second] = await Promise.all(
      ['c0@example.test', 'c1@example.test'].map(async (email) => open(await signIn(server.url, email))),
    );
    for (const stream of [first, second]) await Promise.all([stream?.event('changed'), stream?.event('changed')]);
    const [one = '', other = ''] = ids;
    for (const [stream, own, foreign] of [
      [first, one, other],
      [second, other, one],
    ] as const) {
      await stream?.event('changed', ({ vps }) => (vps as string[] | undefined)?.includes(own) === true);
      expect(stream?.text()).not.toContain(foreign);
      expect(stream?.text()).not.toContain('monitor');
      stream?.close();
    }
  });

  it('tells of what another process has written', async () => {
    const stream = await open(await signIn(server.url, 'c0@example.test'));
    await runCli(scratch.environment, 'vps', 'maintenance', ids[1] ?? '', 'on');
    await stream.event('changed', ({ all }) => all === true);
    await runCli(scratch.environment, 'vps', 'maintenance', ids[1] ?? '', 'off');
  });

  it('is for nobody who is not signed in', async () => {
    const stream = await open('');
    expect(stream.response.status).toBe(401);
  });

  it('answers HEAD with no stream', async () => {
    const response = await fetch(`${server.url}/live`, { method: 'HEAD', headers: { cookie: admin } });
    expect([response.status, await response.text()]).toEqual([200, '']);
  });

  it('ends, and says so, with the session that opened it, and with no other', async () => {
    const [left, kept] = await Promise.all([1, 2].map(() => signIn(server.url, 'c1@example.test')));
    const ends = await open(left ?? '');
    const stays = await open(kept ?? '');
    await post(`${server.url}/sign-out`, {}, { cookie: left ?? '' });
    await ends.event('end');
    await ends.ended;
    // A change of password ends every other session and leaves this one.
    const third = await open(await signIn(server.url, 'c1@example.test'));
    const fields = { current: PASSWORD, next: PASSWORD };
    const changed = await post(`${server.url}/account?/password`, fields, { cookie: kept ?? '' });
    expect(changed.status).toBe(303);
    await third.ended;
    expect(third.events().at(-1)?.name).toBe('end');
    expect(stays.events().map(({ name }) => name)).not.toContain('end');
  });

  // Last: there is no server afterwards.
  it('does not keep a server from ending', async () => {
    const many = await Promise.all(Array.from({ length: 50 }, () => open(admin)));
    const before = performance.now();
    expect(await endWith(server, 'SIGTERM')).toBe(0);
    expect(performance.now() - before).toBeLessThan(5_000);
    await Promise.all(many.map(({ ended }) => ended));
  });
});
