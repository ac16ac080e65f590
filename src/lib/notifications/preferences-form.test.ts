import { describe, expect, it } from 'vitest';
import { addUser, openAccountApp } from '../../../tests/support/account-app.ts';
import type { Actor } from '../auth/actor.ts';
import type { ChannelName } from '../facts/message.ts';
import { parseForm } from '../parsing/form.ts';
import { inForm, inTerminal } from '../parsing/problems.ts';
import { ChannelForm, readChoices, saveChannel } from './preferences-form.ts';
import { findUser } from './preferences.ts';

async function openFor(role: 'admin' | 'customer') {
  const { app } = await openAccountApp();
  const userId = await addUser(app, 'who@example.test', { role, password: false });
  const actor: Actor = { role, userId };
  const user = findUser(app, actor, 'who@example.test');
  if (!user) throw new Error('no user');
  return {
    choice: (channel: ChannelName) => readChoices(app, actor, user).find((one) => one.channel === channel),
    save: async (
      channel: ChannelName,
      fields: Record<string, string>,
      kinds: readonly string[] = ['down', 'up', 'recovered'],
    ) => {
      const data = new FormData();
      for (const [name, value] of Object.entries(fields)) data.set(name, value);
      for (const kind of kinds) data.append('kind', kind);
      const parsed = parseForm(ChannelForm, data);
      if ('problems' in parsed) throw new Error(inTerminal(parsed.problems).join());
      return inForm(await saveChannel(app, actor, { user, channel, now: new Date() }, parsed.value));
    },
  };
}
const ON = { enabled: 'on' };
const SECRET = 'a secret of enough length';

describe('the form of a channel', () => {
  it('begins as it is without a choice: everything by e-mail', async () => {
    const { choice } = await openFor('customer');
    expect(choice('email')).toMatchObject({ enabled: true, kinds: null, offered: ['down', 'up', 'recovered'] });
    expect(choice('telegram')).toMatchObject({ enabled: false, hasBot: false });
    expect(choice('email')?.problem).toBe('this way is not set up');
  });

  it('tells an admin which setting is missing, and offers what admins hear', async () => {
    const { choice } = await openFor('admin');
    expect(choice('email')?.problem).toContain('SMTP_URL');
    expect(choice('email')?.offered).toContain('circuit_opened');
  });

  it('saves kinds; all of them stand for whatever comes later too', async () => {
    const { choice, save } = await openFor('customer');
    expect(await save('email', ON, ['down'])).toEqual({});
    expect(choice('email')).toMatchObject({ enabled: true, kinds: ['down'] });
    expect(await save('email', ON)).toEqual({});
    expect(choice('email')?.kinds).toBeNull();
    expect(await save('email', {}, ['up'])).toEqual({});
    expect(choice('email')).toMatchObject({ enabled: false, kinds: ['up'] });
  });

  it('wants at least one kind of a channel that is on', async () => {
    const { save } = await openFor('customer');
    expect(await save('email', ON, [])).toEqual({
      kinds: 'Choose at least one kind of message, or turn this channel off.',
    });
    expect(await save('email', {}, [])).toEqual({});
  });

  it('keeps a customer from what is for admins, and from addresses within the network', async () => {
    const { choice, save } = await openFor('customer');
    expect(await save('email', ON, ['circuit_opened'])).toEqual({ kinds: expect.stringContaining('circuit_opened') });
    const address = 'http://127.0.0.1/hook';
    expect(await save('webhook', { ...ON, address, secret: SECRET })).toEqual({
      address: expect.stringContaining('https'),
    });
    expect(choice('webhook')?.enabled).toBe(false);
  });

  it('keeps the secret of a webhook that is not typed again', async () => {
    const { choice, save } = await openFor('customer');
    const address = 'https://example.com/hook';
    expect(await save('webhook', { ...ON, address })).toEqual({ secret: expect.stringContaining('secret') });
    expect(await save('webhook', { ...ON, address, secret: SECRET })).toEqual({});
    expect(await save('webhook', { ...ON, address: `${address}2` })).toEqual({});
    expect(choice('webhook')).toMatchObject({ enabled: true, address: `${address}2`, hasSecret: true });
  });

  it('needs a bot for Telegram, and keeps its token when only the chat changes', async () => {
    const { choice, save } = await openFor('customer');
    expect(await save('telegram', { ...ON, address: '42' })).toEqual({
      token: expect.stringContaining('token of your bot'),
    });
    expect(await save('telegram', { ...ON, token: 'nonsense', address: '42' })).toEqual({
      token: expect.stringContaining('Bot token'),
    });
    const token = `123456:${'a'.repeat(30)}`;
    expect(await save('telegram', { ...ON, token, address: '42' })).toEqual({});
    expect(await save('telegram', { ...ON, address: '43' })).toEqual({});
    expect(choice('telegram')).toMatchObject({ enabled: true, hasBot: true, address: '43' });
  });
});
