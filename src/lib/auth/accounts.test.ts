import { eq } from 'drizzle-orm';
import { describe, expect, it } from 'vitest';
import {
  addUser,
  askFrom,
  openAccountApp,
  openSession,
  PASSWORD,
  sessionsOf,
} from '../../../tests/support/account-app.ts';
import { subscriptions, users } from '../db/schema.ts';
import { changeName, changeRole, createAdmin, listAdmins, removeAdmin } from './accounts.ts';
import { LOCAL_OPERATOR } from './actor.ts';
import { onSessionsEnded } from './session-end.ts';
import { endOtherSessions, listSessions, readSession } from './session.ts';

const ANNA = 'anna@example.test';
const BERT = 'bert@example.test';

describe('an admin', () => {
  it('is created with a password that works, and once', async () => {
    const { app } = await openAccountApp();
    const given = { email: ' Anna@Example.test', name: ' Anna ', password: PASSWORD };
    expect((await createAdmin(app, LOCAL_OPERATOR, given)).kind).toBe('created');
    expect((await createAdmin(app, LOCAL_OPERATOR, given)).kind).toBe('email_taken');
    expect(listAdmins(app, LOCAL_OPERATOR)).toMatchObject([{ email: ANNA, name: 'Anna', secondFactor: false }]);
    expect((await openSession(app, ANNA)).signedIn.actor.role).toBe('admin');
  });

  it.each([
    [{ email: 'anna' }, ['email']],
    [{ email: 'anna@localhost' }, ['email']],
    [{ email: '', password: 'short' }, ['email', 'password']],
    [{ name: 'a\u0000b' }, ['name']],
    [{ password: 'xxxxxxxxxxxxxxx' }, ['password']],
  ])('with %o is refused for its %o', async (given, fields) => {
    const { app } = await openAccountApp();
    const result = await createAdmin(app, LOCAL_OPERATOR, { email: ANNA, name: '', password: PASSWORD, ...given });
    if (result.kind !== 'refused') throw new Error(result.kind);
    expect(result.problems.map(({ field }) => field)).toEqual(fields);
  });

  it('is nobody whom a customer makes, sees or removes', async () => {
    const { app } = await openAccountApp();
    const admin = await addUser(app, ANNA, { role: 'admin' });
    await addUser(app, 'carla@example.test', { role: 'admin' });
    const customer = { role: 'customer', userId: await addUser(app, BERT) } as const;
    await expect(
      createAdmin(app, customer, { email: 'x@example.test', name: '', password: PASSWORD }),
    ).rejects.toThrow();
    expect(listAdmins(app, customer)).toEqual([]);
    expect(await changeRole(app, customer, customer.userId, 'admin')).toEqual({ kind: 'not_found' });
    expect(await changeRole(app, customer, admin, 'customer')).toEqual({ kind: 'not_found' });
    expect(await removeAdmin(app, customer, ANNA)).toEqual({ kind: 'not_found' });
    expect(listAdmins(app, LOCAL_OPERATOR)).toHaveLength(2);
  });
});

describe('a change of role', () => {
  it('ends every session and the second factor of a demoted admin at once', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA, { role: 'admin' });
    const bert = await addUser(app, BERT, { role: 'admin' });
    const { asking } = await openSession(app, BERT);
    app.db.update(users).set({ twoFactorEnabled: true }).where(eq(users.id, bert)).run();
    const heard: string[] = [];
    onSessionsEnded(app, (userId) => heard.push(userId));
    expect(await changeRole(app, LOCAL_OPERATOR, bert, 'customer')).toEqual({ kind: 'changed' });
    expect(heard).toEqual([bert]);
    expect((await readSession(app, asking)).signedIn).toBeNull();
    expect(sessionsOf(app, bert)).toEqual([]);
    expect((await openSession(app, BERT)).signedIn).toMatchObject({
      actor: { role: 'customer' },
      user: { hasSecondFactor: false },
    });
  });

  it('counts in the very next request, also when the database was changed by hand', async () => {
    const { app } = await openAccountApp();
    const userId = await addUser(app, ANNA, { role: 'admin' });
    const { asking } = await openSession(app, ANNA);
    app.db.update(users).set({ role: 'customer' }).where(eq(users.id, userId)).run();
    expect((await readSession(app, asking)).signedIn?.actor.role).toBe('customer');
  });

  it('does not leave a fleet without an admin', async () => {
    const { app } = await openAccountApp();
    const anna = await addUser(app, ANNA, { role: 'admin' });
    await addUser(app, BERT);
    expect(await changeRole(app, LOCAL_OPERATOR, anna, 'customer')).toEqual({ kind: 'last_admin' });
    expect(await removeAdmin(app, LOCAL_OPERATOR, ANNA)).toEqual({ kind: 'last_admin' });
    expect(await removeAdmin(app, LOCAL_OPERATOR, BERT)).toEqual({ kind: 'not_found' });
  });

  it('removes an admin altogether, unless a VPS belongs to the account', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA, { role: 'admin' });
    const bert = await addUser(app, BERT, { role: 'admin' });
    const carla = await addUser(app, 'carla@example.test', { role: 'admin' });
    app.db.insert(subscriptions).values({ userId: carla }).run();
    expect(await removeAdmin(app, LOCAL_OPERATOR, BERT)).toEqual({ kind: 'removed', id: bert });
    expect(await removeAdmin(app, LOCAL_OPERATOR, 'carla@example.test')).toEqual({ kind: 'demoted', id: carla });
    expect(app.db.select({ email: users.email, role: users.role }).from(users).all()).toEqual([
      { email: ANNA, role: 'admin' },
      { email: 'carla@example.test', role: 'customer' },
    ]);
  });
});

describe('one’s own account', () => {
  it('lists its sessions, this one first, and ends the others', async () => {
    const { app } = await openAccountApp();
    const userId = await addUser(app, ANNA);
    await addUser(app, BERT);
    await openSession(app, BERT);
    const here = await openSession(app, ANNA);
    await openSession(app, ANNA);
    const listed = listSessions(app, here.signedIn, new Date());
    expect(listed.map(({ current }) => current)).toEqual([true, false]);
    expect(listed[0]).toMatchObject({ address: '192.0.2.1', userAgent: askFrom(null).userAgent });
    expect(await endOtherSessions(app, here.signedIn)).toBe(1);
    expect(sessionsOf(app, userId)).toEqual([here.signedIn.session.id]);
  });

  it('has a name that may be empty, but not odd', async () => {
    const { app } = await openAccountApp();
    await addUser(app, ANNA);
    const { signedIn, asking } = await openSession(app, ANNA);
    expect(await changeName(app, signedIn, 'x'.repeat(101))).toContain('up to 100 printable characters');
    expect(await changeName(app, signedIn, ' Anna ')).toBeUndefined();
    expect((await readSession(app, asking)).signedIn?.user.name).toBe('Anna');
    await changeName(app, signedIn, ' ');
    expect((await readSession(app, asking)).signedIn?.user.name).toBeNull();
  });
});
