import { describe, expect, it } from 'vitest';
import { addUser, openAccountApp } from '../../../tests/support/account-app.ts';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { write } from '../db/client.ts';
import { users } from '../db/schema.ts';
import { CHANNEL_NAMES, type ChannelName } from '../facts/message.ts';
import { parseForm } from '../parsing/form.ts';
import { inForm, inTerminal } from '../parsing/problems.ts';
import { ChannelForm, readChoices, saveChannel } from './preferences-form.ts';
import { findUser } from './preferences.ts';
import { saveTrouble } from './trouble-store.ts';

async function openFor(role: 'admin' | 'customer') {
  const { app } = await openAccountApp();
  const userId = await addUser(app, 'who@example.test', { role, password: false });
  const actor: Actor = { role, userId };
  const user = findUser(app, actor, 'who@example.test');
  if (!user) throw new Error('no user');
  return {
    app,
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
    expect(choice('email')?.problem).toBe('your provider has not set this up');
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

const NO_TROUBLE = {
  since: new Date(0),
  failures: 3,
  refusals: 3,
  toldAt: null,
  switchedOffAt: null,
};
const TOKEN = `123456:${'a'.repeat(30)}`;
const ADDRESS = 'https://example.com/hook';
const TABLES = ['notification_targets', 'telegram_bots', 'delivery_troubles', 'one_time_links'];
/** Everything that is stored of preferences. */
const storedIn = ({ db }: App) => TABLES.map((table) => db.$client.prepare(`SELECT * FROM ${table}`).all());

describe('a channel is saved as a whole or not at all', () => {
  const valid = {
    email: { address: 'other@example.test' },
    telegram: { token: TOKEN, address: '43' },
    webhook: { address: `${ADDRESS}2`, secret: `${SECRET}, another one` },
  } as const;
  /** With something stored already on every channel, and trouble that saving would forget. */
  async function openWithPast() {
    const opened = await openFor('customer');
    const { app, save } = opened;
    expect(await save('email', ON, ['down'])).toEqual({});
    expect(await save('telegram', { ...ON, token: TOKEN, address: '42' })).toEqual({});
    expect(await save('webhook', { ...ON, address: ADDRESS, secret: SECRET })).toEqual({});
    const userId = app.db.select().from(users).get()?.id ?? '';
    await write(app.db, (tx) => {
      for (const channel of CHANNEL_NAMES)
        saveTrouble(tx, { channel, userId }, { ...NO_TROUBLE, reason: `${channel} is refused` });
    });
    return opened;
  }

  it.each<[ChannelName, Record<string, string>, readonly string[]]>([
    ['email', { ...valid.email, ...ON }, ['circuit_opened']],
    ['email', { address: 'nobody', ...ON }, ['down']],
    ['email', { ...valid.email, ...ON }, []],
    ['telegram', { ...valid.telegram, ...ON }, ['circuit_opened']],
    ['telegram', { ...valid.telegram, ...ON }, []],
    ['telegram', { ...valid.telegram, address: 'me', ...ON }, ['down']],
    ['telegram', { ...valid.telegram, token: 'nonsense', ...ON }, ['down']],
    ['telegram', { token: '', address: 'me', ...ON }, ['down']],
    ['telegram', valid.telegram, ['circuit_opened']],
    ['webhook', { ...valid.webhook, ...ON }, ['circuit_opened']],
    ['webhook', { ...valid.webhook, address: 'http://127.0.0.1/', ...ON }, ['down']],
    ['webhook', { ...valid.webhook, secret: 'short', ...ON }, ['down']],
  ])('%s, refused: %o for %o', async (channel, fields, kinds) => {
    const fresh = await openFor('customer');
    expect(await fresh.save(channel, fields, kinds)).not.toEqual({});
    expect(storedIn(fresh.app)).toEqual(TABLES.map(() => []));
    const { app, save } = await openWithPast();
    const before = storedIn(app);
    expect(await save(channel, fields, kinds)).not.toEqual({});
    expect(storedIn(app)).toEqual(before);
  });

  it('tells everything that is wrong with a bot and its channel at once', async () => {
    const { save } = await openFor('customer');
    expect(
      Object.keys(await save('telegram', { ...ON, token: 'nonsense', address: 'me' }, ['circuit_opened'])),
    ).toEqual(['kinds', 'token', 'chatId']);
  });

  const writes = [
    ['email', 'INSERT', 'notification_targets'],
    ['email', 'DELETE', 'delivery_troubles'],
    ['telegram', 'INSERT', 'telegram_bots'],
    ['telegram', 'INSERT', 'notification_targets'],
    ['telegram', 'DELETE', 'delivery_troubles'],
    ['webhook', 'INSERT', 'notification_targets'],
    ['webhook', 'DELETE', 'delivery_troubles'],
  ] as const;
  it.each(writes)('%s, when it breaks off at %s into or from %s', async (channel, what, table) => {
    const { app, save } = await openWithPast();
    const before = storedIn(app);
    // Of the target, what is chosen comes last.
    const when = table === 'notification_targets' ? 'WHEN NEW.kinds IS NOT NULL' : '';
    app.db.$client.exec(
      `CREATE TEMP TRIGGER broken BEFORE ${what} ON main.${table} ${when}
       BEGIN SELECT RAISE(ABORT, 'the disk fell out'); END`,
    );
    const fields = { ...ON, ...valid[channel] };
    await expect(save(channel, fields, ['up'])).rejects.toThrow('the disk fell out');
    app.db.$client.exec('DROP TRIGGER broken');
    expect(storedIn(app)).toEqual(before);
    await save(channel, fields, ['up']);
    expect(storedIn(app)).not.toEqual(before);
  });
});
