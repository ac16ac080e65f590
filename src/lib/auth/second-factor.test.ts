import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  addUser,
  askFrom,
  cookieFrom,
  openAccountApp,
  openSession,
  PASSWORD,
  sessionOf,
  sessionsOf,
} from '../../../tests/support/account-app.ts';
import { totp } from '../../../tests/support/totp.ts';
import type { App } from '../app.ts';
import { twoFactors, users } from '../db/schema.ts';
import type { Asking } from './asking.ts';
import { readSession } from './session.ts';
import {
  beginSecondFactor,
  confirmSecondFactor,
  disableSecondFactor,
  provisioningOf,
  renewBackupCodes,
} from './second-factor.ts';
import { signIn, verifySecondFactor } from './sign-in.ts';

const ADMIN = 'admin@example.test';
const START = Date.UTC(2030, 0, 1, 12, 0, 10);
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START });
});
afterEach(() => vi.useRealTimers());

/** Codes are good for one use: on to the next one. */
const nextCode = (secret: string): string => {
  vi.setSystemTime(Date.now() + 30_000);
  return totp(secret, Date.now());
};

/** An admin whose second factor is on. */
async function switchedOn() {
  const { app } = await openAccountApp();
  await addUser(app, ADMIN, { role: 'admin' });
  const { signedIn, asking } = await openSession(app, ADMIN);
  const begun = await beginSecondFactor(app, asking, signedIn, PASSWORD, new Date());
  if (begun.kind !== 'begun') throw new Error(begun.kind);
  const secret = provisioningOf(begun.uri)?.secret ?? '';
  const on = await confirmSecondFactor(app, asking, signedIn, totp(secret, Date.now()), new Date());
  if (on.kind !== 'done') throw new Error(on.kind);
  return { app, secret, begun, before: asking, after: askFrom('192.0.2.1', cookieFrom(on.setCookies)) };
}
/** The first step of a sign-in: what the browser then has. */
async function givePassword(app: App): Promise<Asking> {
  const result = await signIn(app, askFrom('192.0.2.1'), { email: ADMIN, password: PASSWORD }, new Date());
  if (result.kind !== 'second_factor') throw new Error(result.kind);
  return askFrom('192.0.2.1', cookieFrom(result.setCookies));
}

describe('the second factor', () => {
  it('counts from the first right code on, not from the mere wish', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ADMIN, { role: 'admin' });
    const { signedIn, asking } = await openSession(app, ADMIN);
    expect(await beginSecondFactor(app, asking, signedIn, 'wrong', new Date())).toEqual({ kind: 'wrong' });
    const begun = await beginSecondFactor(app, asking, signedIn, PASSWORD, new Date());
    if (begun.kind !== 'begun') throw new Error(begun.kind);
    expect(begun.backupCodes).toHaveLength(10);
    expect((await confirmSecondFactor(app, asking, signedIn, '000000', new Date())).kind).toBe('wrong');
    expect((await openSession(app, ADMIN)).signedIn.user.hasSecondFactor).toBe(false);
    const secret = provisioningOf(begun.uri)?.secret ?? '';
    // Its secret is nowhere to be read.
    expect(JSON.stringify(app.db.select().from(twoFactors).all())).not.toContain(secret.replaceAll(' ', ''));
    const code = totp(secret, Date.now());
    expect(
      (await confirmSecondFactor(app, asking, signedIn, ` ${code.slice(0, 3)} ${code.slice(3)}`, new Date())).kind,
    ).toBe('done');
    await givePassword(app);
  });

  it('stands between the password and a session', async () => {
    const { app, secret, before, after } = await switchedOn();
    expect((await readSession(app, before)).signedIn).toBeNull();
    expect((await readSession(app, after)).signedIn?.user.hasSecondFactor).toBe(true);
    const asking = await givePassword(app);
    expect((await readSession(app, asking)).signedIn).toBeNull();
    expect(await verifySecondFactor(app, asking, '123456', new Date())).toEqual({ kind: 'wrong' });
    const result = await verifySecondFactor(app, asking, nextCode(secret), new Date());
    if (result.kind !== 'signed_in') throw new Error(result.kind);
    await sessionOf(app, askFrom('192.0.2.1', cookieFrom(result.setCookies)));
    // That sign-in is over: its cookie gives no second session.
    expect((await verifySecondFactor(app, asking, totp(secret, Date.now()), new Date())).kind).toBe('expired');
  });

  it('takes each code of the app once: after the setup, after a sign-in, and of many at the same moment', async () => {
    const { app, secret } = await switchedOn();
    const ofSetup = totp(secret, Date.now());
    expect((await verifySecondFactor(app, await givePassword(app), ofSetup, new Date())).kind).toBe('used');
    const code = nextCode(secret);
    const userId = app.db.select().from(users).get()?.id ?? '';
    const before = sessionsOf(app, userId).length;
    const pending = [await givePassword(app), await givePassword(app), await givePassword(app)];
    const results = await Promise.all(pending.map((asking) => verifySecondFactor(app, asking, code, new Date())));
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['signed_in', 'used', 'used']);
    expect(sessionsOf(app, userId)).toHaveLength(before + 1);
    // A clock that is half a minute behind takes it for its own code.
    vi.setSystemTime(Date.now() + 30_000);
    expect((await verifySecondFactor(app, await givePassword(app), code, new Date())).kind).toBe('used');
    const next = totp(secret, Date.now());
    expect((await verifySecondFactor(app, await givePassword(app), next, new Date())).kind).toBe('signed_in');
  });

  it('takes a backup code once, of four at the same moment', async () => {
    const { app, begun } = await switchedOn();
    const [code = ''] = begun.backupCodes;
    const pending = [];
    for (let one = 0; one < 4; one++) pending.push(await givePassword(app));
    const results = await Promise.all(pending.map((asking) => verifySecondFactor(app, asking, code, new Date())));
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['signed_in', 'wrong', 'wrong', 'wrong']);
  });

  it('takes each backup code once', async () => {
    const { app, begun } = await switchedOn();
    const [code = ''] = begun.backupCodes;
    expect((await verifySecondFactor(app, await givePassword(app), code, new Date())).kind).toBe('signed_in');
    expect((await verifySecondFactor(app, await givePassword(app), code, new Date())).kind).toBe('wrong');
  });

  it('asks for the password again after five wrong codes, and after ten minutes', async () => {
    const { app, secret } = await switchedOn();
    const asking = await givePassword(app);
    for (let attempt = 0; attempt < 5; attempt++)
      expect((await verifySecondFactor(app, asking, '000000', new Date())).kind).toBe('wrong');
    expect((await verifySecondFactor(app, asking, totp(secret, Date.now()), new Date())).kind).toBe('expired');
    const slow = await givePassword(app);
    vi.setSystemTime(START + 11 * 60_000);
    expect((await verifySecondFactor(app, slow, totp(secret, Date.now()), new Date())).kind).toBe('expired');
  });

  it('is locked for a while after ten wrong codes in a row, in however many sign-ins', async () => {
    const { app, secret } = await switchedOn();
    for (let round = 0; round < 2; round++) {
      const asking = await givePassword(app);
      for (let attempt = 0; attempt < 5; attempt++) await verifySecondFactor(app, asking, '000000', new Date());
    }
    const asking = await givePassword(app);
    expect((await verifySecondFactor(app, asking, totp(secret, Date.now()), new Date())).kind).toBe('locked');
    // Two hours ahead it was: a lock that would last for so long is none.
    vi.setSystemTime(START - 120 * 60_000);
    const later = await givePassword(app);
    expect((await verifySecondFactor(app, later, totp(secret, Date.now()), new Date())).kind).toBe('signed_in');
  });

  it('is not circumvented with the session of someone else', async () => {
    const { app, secret } = await switchedOn();
    await addUser(app, 'other@example.test', { role: 'admin' });
    const other = await openSession(app, 'other@example.test');
    const pending = await givePassword(app);
    const both = { ...pending, cookie: `${other.asking.cookie}; ${pending.cookie}` };
    for (let attempt = 0; attempt < 5; attempt++) await verifySecondFactor(app, both, '000000', new Date());
    expect((await verifySecondFactor(app, both, totp(secret, Date.now()), new Date())).kind).toBe('expired');
  });

  it('gets new backup codes, and is switched off, with the password only', async () => {
    const { app, begun, after } = await switchedOn();
    const { signedIn } = await sessionOf(app, after);
    expect(await renewBackupCodes(app, after, signedIn, 'wrong', new Date())).toEqual({ kind: 'wrong' });
    const renewed = await renewBackupCodes(app, after, signedIn, PASSWORD, new Date());
    if (renewed.kind !== 'renewed') throw new Error(renewed.kind);
    const [old = ''] = begun.backupCodes;
    expect((await verifySecondFactor(app, await givePassword(app), old, new Date())).kind).toBe('wrong');
    expect(await disableSecondFactor(app, after, signedIn, 'wrong', new Date())).toEqual({ kind: 'wrong' });
    expect((await disableSecondFactor(app, after, signedIn, PASSWORD, new Date())).kind).toBe('done');
    expect(app.db.select().from(twoFactors).all()).toEqual([]);
    await openSession(app, ADMIN);
  });

  it('is for admins', async () => {
    const { app } = await openAccountApp();
    await addUser(app, 'customer@example.test');
    const { signedIn, asking } = await openSession(app, 'customer@example.test');
    await expect(beginSecondFactor(app, asking, signedIn, PASSWORD, new Date())).rejects.toThrow('for admins');
  });
});

describe('the QR code', () => {
  it('holds what the app needs, and is drawn of one path', () => {
    const drawn = provisioningOf('otpauth://totp/Wardround:a%40b.test?secret=GZRFQT2EJRCFO2RZ&issuer=Wardround');
    expect(drawn?.secret).toBe('GZRF QT2E JRCF O2RZ');
    expect(drawn?.path).toMatch(/^(M\d+ \d+h1v1h-1z)+$/);
    expect(drawn?.size).toBeGreaterThan(25);
  });

  it.each(['', 'https://elsewhere.example/?secret=AAAA', 'otpauth://totp/x', 'otpauth://totp/x?secret=<script>'])(
    'is not drawn of %o',
    (uri) => {
      expect(provisioningOf(uri)).toBeUndefined();
    },
  );
});
