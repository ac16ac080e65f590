import { eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import {
  addUser,
  askFrom,
  cookieFrom,
  openAccountApp,
  openSession,
  PASSWORD,
} from '../../../tests/support/account-app.ts';
import type { App } from '../app.ts';
import { rateLimits, users } from '../db/schema.ts';
import { readSession } from './session.ts';
import { signIn, signOut } from './sign-in.ts';

const ANNA = 'anna@example.test';
const right = { email: ANNA, password: PASSWORD };
const wrong = { email: ANNA, password: 'not her password' };
/** Wrong without the quarter of a second that a hash takes. */
const tooLong = { email: ANNA, password: 'x'.repeat(200) };
const start = Date.now();
const at = (minutes: number): Date => new Date(start + minutes * 60_000);

describe('signing in', () => {
  it('takes the right password, however the address is written, and gives a session', async () => {
    const { app } = await openAccountApp();
    const userId = await addUser(app, ANNA, { role: 'admin' });
    const result = await signIn(app, askFrom('192.0.2.1'), { email: ' Anna@Example.test ', password: PASSWORD }, at(0));
    if (result.kind !== 'signed_in') throw new Error(result.kind);
    const { signedIn } = await readSession(app, askFrom('192.0.2.1', cookieFrom(result.setCookies)));
    expect(signedIn).toMatchObject({ actor: { role: 'admin', userId }, user: { email: ANNA, name: null } });
  });

  it('does not tell a wrong password from an unknown address, a user without a password, and a banned one', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    await addUser(app, 'invited@example.test', { password: false });
    const banned = await addUser(app, 'banned@example.test');
    app.db.update(users).set({ banned: true }).where(eq(users.id, banned)).run();
    for (const given of [
      wrong,
      { ...right, email: 'nobody@example.test' },
      { ...right, email: 'invited@example.test' },
      { ...right, email: 'banned@example.test' },
      { ...right, email: 'no address' },
      { ...right, password: 'x'.repeat(100_000) },
    ])
      expect(await signIn(app, askFrom('192.0.2.1'), given, at(0))).toEqual({ kind: 'wrong' });
  });

  it.each([
    ['http://localhost:3000', '', 'HttpOnly; SameSite=Lax'],
    ['https://wardround.example', '__Secure-', 'HttpOnly; Secure; SameSite=Lax'],
  ])('gives cookies that scripts and other sites do not get: %s', async (ORIGIN, prefix, attributes) => {
    const { app } = await openAccountApp({ ORIGIN });
    await addUser(app, ANNA);
    const result = await signIn(app, askFrom('192.0.2.1'), right, at(0));
    if (result.kind !== 'signed_in') throw new Error(result.kind);
    const shape = (name: string, maxAge: number) =>
      expect.stringMatching(`^${prefix}wardround\\.${name}=[^;]+; Max-Age=${maxAge}; Path=/; ${attributes}$`) as string;
    expect(result.setCookies).toEqual([shape('session_token', 604_800), shape('device', 31_536_000)]);
    expect((await readSession(app, askFrom(null, cookieFrom(result.setCookies)))).signedIn).not.toBeNull();
  });

  it('does not believe a session that was not signed', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const { asking } = await openSession(app, ANNA);
    const forged = asking.cookie.replace(/(session_token=[^.;]+)\.[^;]*/, `$1.${'A'.repeat(43)}%3D`);
    expect((await readSession(app, { ...asking, cookie: forged })).signedIn).toBeNull();
    expect((await readSession(app, asking)).signedIn).not.toBeNull();
  });

  it('ends the session at sign-out, and only that one', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const [here, there] = [await openSession(app, ANNA), await openSession(app, ANNA)];
    await signOut(app, here.asking, here.signedIn);
    expect((await readSession(app, here.asking)).signedIn).toBeNull();
    expect((await readSession(app, there.asking)).signedIn).not.toBeNull();
  });
});

describe('guessing', () => {
  it('ends after ten attempts on one account, from however many addresses; the right password comes too late', async () => {
    const { app, reopen } = await openAccountApp();
    await addUser(app, ANNA);
    for (let attempt = 0; attempt < 10; attempt++)
      expect((await signIn(app, askFrom(`192.0.2.${attempt}`), tooLong, at(attempt))).kind).toBe('wrong');
    expect(await signIn(app, askFrom('198.51.100.1'), right, at(11))).toEqual({ kind: 'limited', retryAt: at(15) });
    // In capitals it is the same account, and a restart forgives nothing.
    const later = await reopen();
    expect((await signIn(later, askFrom('198.51.100.1'), { ...right, email: 'ANNA@example.test' }, at(12))).kind).toBe(
      'limited',
    );
    expect((await signIn(later, askFrom('198.51.100.1'), right, at(15))).kind).toBe('signed_in');
  });

  /** A browser in which she has signed in, without the session of that time. */
  const knownBrowser = async (app: App, address: string) => {
    const result = await signIn(app, askFrom(address), right, at(0));
    if (result.kind !== 'signed_in') throw new Error(result.kind);
    return askFrom(address, cookieFrom(result.setCookies.filter((cookie) => cookie.startsWith('wardround.device'))));
  };

  it('from elsewhere does not keep out the browser in which she has signed in before, nor its network', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const hers = await knownBrowser(app, '192.0.2.1');
    for (let attempt = 0; attempt < 50; attempt++)
      // In her own office, which is the worst that can be.
      await signIn(app, askFrom('192.0.2.1'), { ...tooLong, email: attempt < 10 ? ANNA : `${attempt}@x.test` }, at(1));
    expect((await signIn(app, askFrom('198.51.100.1'), right, at(2))).kind).toBe('limited');
    expect((await signIn(app, askFrom('192.0.2.1'), { ...right, email: 'z@x.test' }, at(2))).kind).toBe('limited');
    expect((await signIn(app, hers, right, at(2))).kind).toBe('signed_in');
  });

  it('at a known browser ends after ten attempts too; that keeps out nobody else', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const [hers, other] = [await knownBrowser(app, '192.0.2.1'), await knownBrowser(app, '192.0.2.2')];
    for (let attempt = 0; attempt < 10; attempt++) expect((await signIn(app, hers, tooLong, at(1))).kind).toBe('wrong');
    expect(await signIn(app, hers, right, at(2))).toEqual({ kind: 'limited', retryAt: at(16) });
    expect((await signIn(app, other, right, at(2))).kind).toBe('signed_in');
    expect((await signIn(app, askFrom('198.51.100.1'), right, at(2))).kind).toBe('signed_in');
  });

  it('gets nothing out of the cookie of another account, or of one that was made up', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    await addUser(app, 'bert@example.test');
    const hers = await knownBrowser(app, '192.0.2.1');
    for (let attempt = 0; attempt < 10; attempt++) await signIn(app, askFrom(null), tooLong, at(1));
    for (const cookie of [
      hers.cookie.replace(/(device=)(.)/, (_, name, first) => name + (first === 'x' ? 'y' : 'x')),
      hers.cookie.replace(/.$/, (last) => (last === 'A' ? 'Q' : 'A')),
      'wardround.device=.',
      'wardround.device=%E0%A4%A.x',
      `x${hers.cookie}`,
    ])
      expect({ cookie, kind: (await signIn(app, askFrom(null, cookie), right, at(2))).kind }).toEqual({
        cookie,
        kind: 'limited',
      });
    const bert = { email: 'bert@example.test', password: 'x'.repeat(200) };
    for (let attempt = 0; attempt < 10; attempt++) await signIn(app, askFrom('192.0.2.7'), bert, at(1));
    expect((await signIn(app, hers, { ...bert, password: PASSWORD }, at(2))).kind).toBe('limited');
  });

  it('ends after fifty attempts from one address, on however many accounts; others go on', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const tries = Array.from({ length: 60 }, (_, index) =>
      // Within one /64 an attacker has addresses without end.
      signIn(app, askFrom(`2001:db8:0:1::${index}`), { ...tooLong, email: `${index}@x.test` }, at(0)),
    );
    const kinds = (await Promise.all(tries)).map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'wrong')).toHaveLength(50);
    expect(kinds.filter((kind) => kind === 'limited')).toHaveLength(10);
    expect((await signIn(app, askFrom('2001:db8:0:1::ffff'), right, at(1))).kind).toBe('limited');
    expect((await signIn(app, askFrom('2001:db8:0:2::1'), right, at(1))).kind).toBe('signed_in');
  });

  it('is not what those do who are right', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    for (let attempt = 0; attempt < 2; attempt++) await signIn(app, askFrom('192.0.2.1'), right, at(0));
    const counts = () => app.db.select({ count: rateLimits.count }).from(rateLimits).all();
    expect(counts()).toEqual([{ count: 0 }, { count: 0 }]);
    await signIn(app, askFrom('192.0.2.1'), tooLong, at(0));
    expect(counts()).toEqual([{ count: 1 }, { count: 1 }]);
  });

  it('does not lock anybody out for longer than it may when the clock was set back meanwhile', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    for (let attempt = 0; attempt < 10; attempt++) await signIn(app, askFrom('192.0.2.1'), tooLong, at(120));
    expect((await signIn(app, askFrom('192.0.2.1'), right, at(120))).kind).toBe('limited');
    expect((await signIn(app, askFrom('192.0.2.1'), right, at(0))).kind).toBe('signed_in');
  });

  it('is forgotten when its time has passed, and nobody can read from it who tried', async () => {
    const { app } = await openAccountApp();
    await signIn(app, askFrom('192.0.2.1'), tooLong, at(0));
    await signIn(app, askFrom('192.0.2.2'), { ...tooLong, email: 'x@example.test' }, at(20));
    const rows = app.db.select().from(rateLimits).all();
    expect(rows).toHaveLength(2);
    expect(JSON.stringify(rows)).not.toMatch(/example\.test|192\.0\.2/);
  });
});
