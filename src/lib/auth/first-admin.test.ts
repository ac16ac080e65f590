import { describe, expect, it } from 'vitest';
import {
  addUser,
  askFrom,
  openAccountApp,
  openSession,
  PASSWORD,
  tokenIn,
} from '../../../tests/support/account-app.ts';
import { oneTimeLinks } from '../db/schema.ts';
import { createAdmin, listAdmins } from './accounts.ts';
import { LOCAL_OPERATOR } from './actor.ts';
import { becomeFirstAdmin, isFirstAdminLink, offerFirstAdmin } from './first-admin.ts';

const now = new Date();
const hence = (hours: number): Date => new Date(now.getTime() + hours * 3_600_000);
const given = (email = 'anna@example.test') => ({ email, name: 'Anna', password: PASSWORD });

describe('the link for the first admin', () => {
  it('makes one admin, however many follow it at the same moment', async () => {
    const { app } = await openAccountApp();
    const token = tokenIn((await offerFirstAdmin(app, now)) ?? '');
    expect(token).toHaveLength(43);
    const results = await Promise.all(
      ['a', 'b', 'c'].map((name) => becomeFirstAdmin(app, askFrom(null), token, given(`${name}@example.test`), now)),
    );
    expect(results.map(({ kind }) => kind).toSorted()).toEqual(['created', 'invalid_link', 'invalid_link']);
    const [admin] = listAdmins(app, LOCAL_OPERATOR);
    expect((await openSession(app, admin?.email ?? '')).signedIn.actor.role).toBe('admin');
  });

  it('is in the database as a hash only', async () => {
    const { app } = await openAccountApp();
    const token = tokenIn((await offerFirstAdmin(app, now)) ?? '');
    expect(JSON.stringify(app.db.select().from(oneTimeLinks).all())).not.toContain(token);
  });

  it('ends after 24 hours', async () => {
    const { app } = await openAccountApp();
    const token = tokenIn((await offerFirstAdmin(app, now)) ?? '');
    expect(isFirstAdminLink(app, token, hence(23.9))).toBe(true);
    expect(isFirstAdminLink(app, token, hence(24))).toBe(false);
    expect((await becomeFirstAdmin(app, askFrom(null), token, given(), hence(24))).kind).toBe('invalid_link');
  });

  it('ends as soon as there is an admin, whoever made that one, and there is no other link from then on', async () => {
    const { app } = await openAccountApp();
    const tokens = [await offerFirstAdmin(app, now), await offerFirstAdmin(app, now)].map((link) =>
      tokenIn(link ?? ''),
    );
    await createAdmin(app, LOCAL_OPERATOR, given('first@example.test'));
    for (const token of tokens) {
      expect(isFirstAdminLink(app, token, now)).toBe(false);
      expect((await becomeFirstAdmin(app, askFrom(null), token, given(), now)).kind).toBe('invalid_link');
    }
    expect(await offerFirstAdmin(app, now)).toBeNull();
    expect(app.db.select().from(oneTimeLinks).all()).toEqual([]);
  });

  it('survives a mistake in the form, and does not take over a customer', async () => {
    const { app } = await openAccountApp();
    await addUser(app, 'customer@example.test');
    const token = tokenIn((await offerFirstAdmin(app, now)) ?? '');
    const refused = [{ ...given(), password: 'short' }, given('customer@example.test')];
    for (const wrong of refused)
      expect((await becomeFirstAdmin(app, askFrom(null), token, wrong, now)).kind).toBe('refused');
    expect((await becomeFirstAdmin(app, askFrom(null), token, given(), now)).kind).toBe('created');
  });

  it('cannot be guessed for long', async () => {
    const { app } = await openAccountApp();
    const token = tokenIn((await offerFirstAdmin(app, now)) ?? '');
    for (let attempt = 0; attempt < 30; attempt++)
      await becomeFirstAdmin(app, askFrom('192.0.2.1'), `guess-${attempt}`, given(), now);
    expect((await becomeFirstAdmin(app, askFrom('192.0.2.1'), token, given(), now)).kind).toBe('limited');
  });
});
