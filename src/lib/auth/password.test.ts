import { describe, expect, it } from 'vitest';
import {
  addUser,
  askFrom,
  openAccountApp,
  openSession,
  PASSWORD,
  sessionsOf,
  tokenIn,
} from '../../../tests/support/account-app.ts';
import type { App } from '../app.ts';
import { oneTimeLinks } from '../db/schema.ts';
import { LOCAL_OPERATOR } from './actor.ts';
import {
  changePassword,
  checkPassword,
  inviteUser,
  requestPasswordReset,
  resetPassword,
  whoseLink,
} from './password.ts';
import { onSessionsEnded } from './session-end.ts';
import { signIn } from './sign-in.ts';

const ANNA = 'anna@example.test';
const NEW = 'quite another one';
const hence = (minutes: number): Date => new Date(Date.now() + minutes * 60_000);
const kindOf = async (app: App, email: string, password: string) =>
  (await signIn(app, askFrom('192.0.2.9'), { email, password }, new Date())).kind;

/** Whose sessions were announced as ended, but for which. */
function listen(app: App): [string, string | null][] {
  const heard: [string, string | null][] = [];
  onSessionsEnded(app, (userId, except) => heard.push([userId, except]));
  return heard;
}
async function mailTo(app: App, email: string, now = new Date()): Promise<string> {
  const result = await requestPasswordReset(app, askFrom('192.0.2.1'), email, now);
  if (result.kind === 'accepted') await result.deliver();
  return result.kind;
}

describe('a new password', () => {
  it('lifts what was counted against the account: sign-ins at any browser, resets, checks', async () => {
    const { app } = await openAccountApp();
    const userId = await addUser(app, ANNA);
    const { signedIn, asking: known } = await openSession(app, ANNA);
    const guess = { email: ANNA, password: 'x'.repeat(200) };
    for (let attempt = 0; attempt < 10; attempt++) {
      await signIn(app, askFrom(`198.51.100.${attempt}`), guess, hence(0));
      await signIn(app, known, guess, hence(0));
      await checkPassword(app, signedIn, 'wrong', hence(0));
      await mailTo(app, ANNA);
    }
    const right = { email: ANNA, password: PASSWORD };
    const isLimited = async (given: typeof right) => [
      (await signIn(app, askFrom('192.0.2.9'), given, hence(1))).kind,
      (await signIn(app, known, given, hence(1))).kind,
      (await checkPassword(app, signedIn, given.password, hence(1))).kind,
      await mailTo(app, ANNA, hence(1)),
    ];
    expect(await isLimited(right)).toEqual(['limited', 'limited', 'limited', 'limited']);

    const invitation = await inviteUser(app, LOCAL_OPERATOR, ANNA, hence(1));
    if (invitation.kind !== 'invited') throw new Error(invitation.kind);
    const given = { token: tokenIn(invitation.link), password: NEW };
    expect(await resetPassword(app, askFrom('192.0.2.9'), given, hence(2))).toEqual({ kind: 'done' });
    expect(await isLimited({ email: ANNA, password: NEW })).toEqual(['signed_in', 'signed_in', 'right', 'accepted']);
    expect(userId).toBe(signedIn.user.id);
  });
});

describe('a change of the password', () => {
  it('ends every other session of that user, this one goes on, and streams hear of it', async () => {
    const { app } = await openAccountApp();
    const userId = await addUser(app, ANNA);
    const other = await addUser(app, 'bert@example.test');
    const here = await openSession(app, ANNA);
    await openSession(app, ANNA);
    await openSession(app, 'bert@example.test');
    const heard = listen(app);
    const result = await changePassword(app, here.signedIn, { current: PASSWORD, next: NEW }, new Date());
    expect(result).toEqual({ kind: 'done', endedSessions: 1 });
    expect(sessionsOf(app, userId)).toEqual([here.signedIn.session.id]);
    expect(sessionsOf(app, other)).toHaveLength(1);
    expect(heard).toEqual([[userId, here.signedIn.session.id]]);
    expect([await kindOf(app, ANNA, PASSWORD), await kindOf(app, ANNA, NEW)]).toEqual(['wrong', 'signed_in']);
  });

  it('needs the current password, and ten wrong ones are enough', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const { signedIn } = await openSession(app, ANNA);
    for (let attempt = 0; attempt < 10; attempt++)
      expect(await changePassword(app, signedIn, { current: 'wrong', next: NEW }, hence(0))).toEqual({ kind: 'wrong' });
    expect((await changePassword(app, signedIn, { current: PASSWORD, next: NEW }, hence(1))).kind).toBe('limited');
    expect((await changePassword(app, signedIn, { current: PASSWORD, next: NEW }, hence(16))).kind).toBe('done');
  });

  it.each([['too short'], ['x'.repeat(129)], ['aaaaaaaaaaaaaa'], [`my ${ANNA}!`]])('refuses %s', async (next) => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const { signedIn } = await openSession(app, ANNA);
    expect(await changePassword(app, signedIn, { current: PASSWORD, next }, new Date())).toMatchObject({
      kind: 'refused',
      problem: expect.stringMatching(/^Choose a password/),
    });
  });
});

describe('a forgotten password', () => {
  it('is replaced with a mailed link, once; all sessions end', async () => {
    const { app, mails } = await openAccountApp({ ORIGIN: 'https://wardround.example' });
    const userId = await addUser(app, ANNA);
    await openSession(app, ANNA);
    expect(await mailTo(app, 'Anna@example.test')).toBe('accepted');
    expect(mails).toHaveLength(1);
    expect(mails[0]).toMatchObject({ to: ANNA, subject: 'Set a new password' });
    expect(mails[0]?.text).toContain('https://wardround.example/reset-password?token=');
    const given = { token: tokenIn(mails[0]?.text ?? ''), password: NEW };
    expect(whoseLink(app, given.token, new Date())).toEqual({ email: ANNA, isNew: false });
    const heard = listen(app);
    const results = await Promise.all([1, 2, 3].map(() => resetPassword(app, askFrom(null), given, new Date())));
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['done', 'invalid_link', 'invalid_link']);
    expect(sessionsOf(app, userId)).toEqual([]);
    expect(heard).toEqual([[userId, null]]);
    expect([await kindOf(app, ANNA, PASSWORD), await kindOf(app, ANNA, NEW)]).toEqual(['wrong', 'signed_in']);
  });

  it('gives strangers the same answer as users, and no mail', async () => {
    const { app, mails } = await openAccountApp();
    await addUser(app, ANNA);
    expect(await mailTo(app, 'nobody@example.test')).toBe('accepted');
    expect(mails).toEqual([]);
    expect(await mailTo(app, ANNA)).toBe('accepted');
    expect(mails).toHaveLength(1);
  });

  it('is answered before anything is done that takes longer for a user than for a stranger', async () => {
    const { app, mails } = await openAccountApp();
    await addUser(app, ANNA);
    const changes = (): unknown => app.db.$client.prepare('SELECT total_changes()').pluck().get();
    const costOf = async (email: string): Promise<number> => {
      const before = Number(changes());
      const result = await requestPasswordReset(app, askFrom(null), email, new Date());
      expect(result.kind).toBe('accepted');
      return Number(changes()) - before;
    };
    // Nobody can have looked for the user meanwhile.
    app.db.$client.exec('ALTER TABLE users RENAME TO hidden');
    expect(await costOf(ANNA)).toBe(await costOf('nobody@example.test'));
    app.db.$client.exec('ALTER TABLE hidden RENAME TO users');
    expect(app.db.select().from(oneTimeLinks).all()).toEqual([]);
    expect(mails).toEqual([]);
  });

  it('does not let the answer wait for the mail, nor fail with it', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const broken: App = { ...app, sendMail: () => Promise.reject(new Error('the mail server is on fire')) };
    const result = await requestPasswordReset(broken, askFrom(null), ANNA, new Date());
    if (result.kind !== 'accepted') throw new Error(result.kind);
    await expect(result.deliver()).resolves.toBeUndefined();
  });

  it('mails three times an hour at most to one address', async () => {
    const { app, mails } = await openAccountApp();
    await addUser(app, ANNA);
    const kinds = [];
    for (let mail = 0; mail < 4; mail++) kinds.push(await mailTo(app, ANNA));
    expect(kinds).toEqual(['accepted', 'accepted', 'accepted', 'limited']);
    expect(mails).toHaveLength(3);
    expect(await mailTo(app, ANNA, hence(61))).toBe('accepted');
  });

  it('is a matter for the administrator where no mail is set up', async () => {
    const { app } = await openAccountApp();
    expect(await mailTo({ ...app, sendMail: null }, ANNA)).toBe('no_mail');
  });

  it('has a link for an hour, and the database does not know it', async () => {
    const { app, mails } = await openAccountApp();
    await addUser(app, ANNA);
    await mailTo(app, ANNA);
    const given = { token: tokenIn(mails[0]?.text ?? ''), password: NEW };
    expect(given.token).toHaveLength(43);
    expect(JSON.stringify(app.db.select().from(oneTimeLinks).all())).not.toContain(given.token);
    expect(whoseLink(app, given.token, hence(59))).toEqual({ email: ANNA, isNew: false });
    expect(whoseLink(app, given.token, hence(61))).toBeUndefined();
    expect((await resetPassword(app, askFrom(null), given, hence(61))).kind).toBe('invalid_link');
    // A refused password leaves the link as it is.
    expect((await resetPassword(app, askFrom(null), { ...given, password: 'short' }, hence(1))).kind).toBe('refused');
    expect((await resetPassword(app, askFrom(null), given, hence(2))).kind).toBe('done');
  });

  it('makes every other link of that user void', async () => {
    const { app, mails } = await openAccountApp();
    await addUser(app, ANNA);
    await mailTo(app, ANNA);
    await mailTo(app, ANNA);
    const [first = '', second = ''] = mails.map(({ text }) => tokenIn(text));
    expect((await resetPassword(app, askFrom(null), { token: second, password: NEW }, new Date())).kind).toBe('done');
    expect(whoseLink(app, first, new Date())).toBeUndefined();
  });
});

describe('an invitation', () => {
  it('gives a customer without a password the first one', async () => {
    const { app, mails } = await openAccountApp();
    await addUser(app, ANNA, { password: false });
    const invitation = await inviteUser(app, LOCAL_OPERATOR, ANNA, new Date());
    if (invitation.kind !== 'invited') throw new Error(invitation.kind);
    expect(invitation.mail).toBe('sent');
    expect(mails[0]?.text).toContain(invitation.link);
    const given = { token: tokenIn(invitation.link), password: NEW };
    expect((await resetPassword(app, askFrom(null), given, hence(6 * 24 * 60))).kind).toBe('done');
    expect(await kindOf(app, ANNA, NEW)).toBe('signed_in');
  });

  it('is for admins to give, and stands also when the mail fails', async () => {
    const { app } = await openAccountApp();
    const userId = await addUser(app, ANNA, { password: false });
    expect(await inviteUser(app, { role: 'customer', userId }, ANNA, new Date())).toEqual({ kind: 'unknown_user' });
    expect((await inviteUser(app, LOCAL_OPERATOR, 'nobody@example.test', new Date())).kind).toBe('unknown_user');
    const failing: App = { ...app, sendMail: () => Promise.reject(new Error('no route')) };
    expect(await inviteUser(failing, LOCAL_OPERATOR, ANNA, new Date())).toMatchObject({
      kind: 'invited',
      mail: new Error('no route'),
    });
    expect(await inviteUser({ ...app, sendMail: null }, LOCAL_OPERATOR, ANNA, new Date())).toMatchObject({
      mail: 'off',
    });
  });
});
