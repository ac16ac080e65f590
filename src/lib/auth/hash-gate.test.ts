import { describe, expect, it } from 'vitest';
import {
  addUser,
  askFrom,
  openAccountApp,
  openSession,
  PASSWORD,
  tokenIn,
} from '../../../tests/support/account-app.ts';
import { rateLimits } from '../db/schema.ts';
import { LOCAL_OPERATOR } from './actor.ts';
import { becomeFirstAdmin, offerFirstAdmin } from './first-admin.ts';
import { createGate, hashGate, HASHES, TooManyHashesError } from './hash-gate.ts';
import { changePassword, checkPassword, inviteUser, resetPassword } from './password.ts';
import { beginSecondFactor, disableSecondFactor, renewBackupCodes } from './second-factor.ts';
import { signIn } from './sign-in.ts';

const ANNA = 'anna@example.test';
const NOW = new Date();

/** Work that ends when it is told to. */
function makeWork() {
  const { promise, resolve } = Promise.withResolvers<void>();
  let began = false;
  const work = async (): Promise<void> => {
    began = true;
    await promise;
  };
  return { work, end: resolve, hasBegun: () => began };
}

describe('the gate in front of password hashes', () => {
  it('lets two in, lets some wait, and refuses the rest at once and without running it', async () => {
    const gate = createGate({ atOnce: 2, waiting: 3 });
    const works = Array.from({ length: 6 }, makeWork);
    const results = works.map(({ work }) => gate(work));
    const begun = () => works.map(({ hasBegun }) => hasBegun());
    await expect(results[5]).rejects.toThrow(TooManyHashesError);
    expect(begun()).toEqual([true, true, false, false, false, false]);

    works[1]?.end();
    await results[1];
    await expect.poll(begun).toEqual([true, true, true, false, false, false]);
    for (const { end } of works) end();
    await Promise.all(results.slice(0, 5));
    expect(begun()).toEqual([true, true, true, true, true, false]);
  });

  it('goes on after work that fails', async () => {
    const gate = createGate({ atOnce: 1, waiting: 1 });
    const failing = gate(() => Promise.reject(new Error('no')));
    const next = gate(() => Promise.resolve('done'));
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe('done');
    expect(await gate(() => Promise.resolve('again'))).toBe('again');
  });

  it('stands in front of everything that hashes a password; who is refused there has not guessed', async () => {
    const { app } = await openAccountApp();
    const firstAdmin = tokenIn((await offerFirstAdmin(app, NOW)) ?? '');
    await addUser(app, ANNA);
    const invitation = await inviteUser(app, LOCAL_OPERATOR, ANNA, NOW);
    if (invitation.kind !== 'invited') throw new Error(invitation.kind);
    const token = tokenIn(invitation.link);
    const { signedIn, asking } = await openSession(app, ANNA);
    const asAdmin = { ...signedIn, actor: { ...signedIn.actor, role: 'admin' as const } };
    const next = 'another password for tests';
    const given = { email: 'bert@example.test', name: '', password: next };

    const { work, end } = makeWork();
    const others = Array.from({ length: HASHES.atOnce + HASHES.waiting }, () => hashGate(work));
    const results = {
      signIn: await signIn(app, askFrom(null), { email: ANNA, password: 'not her password' }, NOW),
      unknown: await signIn(app, askFrom(null), { email: 'nobody@example.test', password: 'a guess' }, NOW),
      firstAdmin: await becomeFirstAdmin(app, askFrom(null), firstAdmin, given, NOW),
      reset: await resetPassword(app, askFrom(null), { token, password: next }, NOW),
      check: await checkPassword(app, signedIn, PASSWORD, NOW),
      change: await changePassword(app, signedIn, { current: PASSWORD, next }, NOW),
      begin: await beginSecondFactor(app, asking, asAdmin, PASSWORD, NOW),
      disable: await disableSecondFactor(app, asking, asAdmin, PASSWORD, NOW),
      codes: await renewBackupCodes(app, asking, asAdmin, PASSWORD, NOW),
    };
    const retryAt = new Date(NOW.getTime() + 5_000);
    for (const [what, result] of Object.entries(results))
      expect({ what, result }).toEqual({ what, result: { kind: 'busy', retryAt } });
    const counts = app.db.select({ count: rateLimits.count }).from(rateLimits).all();
    expect(counts.length).toBeGreaterThan(3);
    // The links have been followed, which is what they count.
    expect(counts.filter(({ count }) => count > 0)).toHaveLength(1);
    end();
    await Promise.all(others);
    // Nothing is used up: the same link, the same password.
    expect(await resetPassword(app, askFrom(null), { token, password: next }, NOW)).toEqual({ kind: 'done' });
  });
});
