import { describe, expect, it } from 'vitest';
import { addUser as addAccount, openAccountApp, openSession, sessionsOf } from '../../../tests/support/account-app.ts';
import { healthEvents, subscriptions } from '../db/schema.ts';
import { LOCAL_OPERATOR, type Actor } from './actor.ts';
import { onSessionsEnded } from './session-end.ts';
import { inviteUser, whoseLink } from './password.ts';
import { readSession } from './session.ts';
import { addUser, endAllSessions, listUsers, removeUser, setDisabled } from './users.ts';

const ANNA = 'anna@example.test';
const BERT = 'bert@example.test';
const NOW = new Date();

/** Anna is the admin, Bert a customer; both are signed in. */
async function openApp() {
  const { app } = await openAccountApp();
  const anna = await addAccount(app, ANNA, { role: 'admin' });
  const bert = await addAccount(app, BERT);
  await openSession(app, ANNA);
  const { asking } = await openSession(app, BERT);
  const admin: Actor = { role: 'admin', userId: anna };
  return { app, anna, bert, admin, bertAsks: asking };
}

describe('the accounts', () => {
  it('are listed for admins, admins first, with what belongs to each', async () => {
    const { app, bert, admin } = await openApp();
    app.db.insert(subscriptions).values({ id: 'vps-1', userId: bert, vpsIpAddress: '10.0.0.1' }).run();
    await addUser(app, admin, { email: ' Carla@example.test', name: ' Carla ', role: 'customer' });
    expect(listUsers(app, admin, '', NOW).users).toMatchObject([
      { email: ANNA, role: 'admin', sessions: 1, canSignIn: true, vps: null },
      { email: BERT, role: 'customer', sessions: 1, disabled: false, vps: { id: 'vps-1', host: '10.0.0.1' } },
      { email: 'carla@example.test', name: 'Carla', sessions: 0, canSignIn: false },
    ]);
    const ofCarla = () => listUsers(app, admin, 'carla', NOW).users[0]?.linkUntil;
    expect(ofCarla()).toBeNull();
    const invitation = await inviteUser(app, admin, 'carla@example.test', NOW);
    if (invitation.kind !== 'invited') throw new Error(invitation.kind);
    expect(ofCarla()).toEqual(invitation.expiresAt);
    expect(whoseLink(app, new URL(invitation.link).searchParams.get('token') ?? '', NOW)).toEqual({
      email: 'carla@example.test',
      isNew: true,
    });
    expect(listUsers(app, { role: 'customer', userId: bert }, '', NOW)).toEqual({ users: [], found: 0 });
  });

  it.each([
    ['BERT@', [BERT]],
    ['carl', ['carla@example.test']],
    ['0.0.1', [BERT]],
    ['example.test', [ANNA, BERT, 'carla@example.test']],
    ['_', []],
    ['%', []],
  ])('are found by a part of address, name or host: %s', async (search, emails) => {
    const { app, bert, admin } = await openApp();
    app.db.insert(subscriptions).values({ id: 'vps-1', userId: bert, vpsIpAddress: '10.0.0.1' }).run();
    await addUser(app, admin, { email: 'carla@example.test', name: 'Carla', role: 'customer' });
    const { users, found } = listUsers(app, admin, search, NOW);
    expect(users.map(({ email }) => email)).toEqual(emails);
    expect(found).toBe(emails.length);
  });

  it('are listed up to a hundred, and counted beyond', async () => {
    const { app, admin } = await openApp();
    for (let index = 0; index < 100; index++)
      await addUser(app, admin, { email: `u${index}@example.test`, name: '', role: 'customer' });
    const { users, found } = listUsers(app, admin, '', NOW);
    expect([users.length, found]).toEqual([100, 102]);
  });

  it('are added once, with an address that can sign in', async () => {
    const { app, bert, admin } = await openApp();
    const add = (email: string) => addUser(app, admin, { email, name: '', role: 'admin' });
    expect(await add('nobody')).toMatchObject({ kind: 'refused', problems: [{ field: 'email' }] });
    expect(await add(BERT)).toMatchObject({
      kind: 'refused',
      problems: [{ field: 'email', reason: expect.stringContaining('already') }],
    });
    await expect(
      addUser(app, { role: 'customer', userId: bert }, { email: 'x@example.test', name: '', role: 'admin' }),
    ).rejects.toThrow();
  });
});

describe('an account', () => {
  it('that is disabled is signed out at once, and may come back', async () => {
    const { app, bert, admin, bertAsks } = await openApp();
    const ended: string[] = [];
    const stop = onSessionsEnded(app, (userId) => ended.push(userId));
    expect(await setDisabled(app, admin, bert, true)).toEqual({ kind: 'changed' });
    stop();
    expect(ended).toEqual([bert]);
    expect((await readSession(app, bertAsks)).signedIn).toBeNull();
    await expect(openSession(app, BERT)).rejects.toThrow('wrong');
    await setDisabled(app, admin, bert, false);
    await openSession(app, BERT);
  });

  it('is signed out everywhere, or removed unless a VPS belongs to it, and the journal says so', async () => {
    const { app, bert, admin } = await openApp();
    await endAllSessions(app, admin, bert);
    expect(sessionsOf(app, bert)).toEqual([]);
    app.db.insert(subscriptions).values({ id: 'vps-1', userId: bert }).run();
    expect(await removeUser(app, admin, bert)).toEqual({ kind: 'has_vps' });
    app.db.delete(subscriptions).run();
    expect(await removeUser(app, admin, bert)).toEqual({ kind: 'changed' });
    expect(listUsers(app, admin, '', NOW).found).toBe(1);
    const told = app.db.select().from(healthEvents).all();
    expect(told.map(({ detail }) => detail)).toEqual([
      { action: 'sessions_ended', email: BERT },
      { action: 'user_removed', email: BERT },
    ]);
  });

  it('of the last admin who can sign in stays, and nobody locks out themselves', async () => {
    const { app, anna, admin } = await openApp();
    const carla = await addAccount(app, 'carla@example.test', { role: 'admin' });
    expect(await setDisabled(app, admin, anna, true)).toEqual({ kind: 'yourself' });
    expect(await removeUser(app, admin, anna)).toEqual({ kind: 'yourself' });
    expect(await setDisabled(app, LOCAL_OPERATOR, carla, true)).toEqual({ kind: 'changed' });
    expect(await setDisabled(app, LOCAL_OPERATOR, anna, true)).toEqual({ kind: 'last_admin' });
    expect(await removeUser(app, LOCAL_OPERATOR, anna)).toEqual({ kind: 'last_admin' });
  });

  it('is changed by admins only', async () => {
    const { app, anna, bert } = await openApp();
    const customer: Actor = { role: 'customer', userId: bert };
    for (const change of [endAllSessions, removeUser])
      expect(await change(app, customer, anna)).toEqual({ kind: 'not_found' });
    expect(await setDisabled(app, customer, anna, true)).toEqual({ kind: 'not_found' });
  });
});
