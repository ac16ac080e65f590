import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { eq } from 'drizzle-orm';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openApp, type App } from '../app.ts';
import { LOCAL_OPERATOR, type Actor } from '../auth/actor.ts';
import { decryptToken } from '../crypto/encryption.ts';
import { notificationTargets, telegramBots, users } from '../db/schema.ts';
import { parseMailbox } from '../facts/mail-address.ts';
import type { ChannelName } from '../facts/message.ts';
import {
  changePreference,
  findUser,
  readPreferences,
  type Preference,
  type PreferenceChange,
  type Problems,
  type TelegramBot,
} from './preferences.ts';
import { inTerminal } from '../parsing/problems.ts';
import { channelsFor } from './target-store.ts';

let folder: string;
let app: App;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'wardround-'));
  app = await openApp(
    {
      DATABASE_URL: join(folder, 'w.db'),
      ENCRYPTION_KEY_FILE: join(folder, 'key'),
      ALLOWED_ADDRESSES: 'any',
      MIGRATIONS_DIR: resolve('drizzle'),
    },
    'server',
  );
  app.db
    .insert(users)
    .values([
      { id: 'ada', email: 'ada@customer.example' },
      { id: 'root', email: 'root@admin.example', role: 'admin' },
    ])
    .run();
});
afterEach(() => {
  app.close();
  rmSync(folder, { recursive: true, force: true });
});

const ADA: Actor = { role: 'customer', userId: 'ada' };
const EVE: Actor = { role: 'customer', userId: 'eve' };
const SECRET = 'correct horse battery staple';
const change = (
  channel: ChannelName,
  wanted: PreferenceChange,
  { actor = LOCAL_OPERATOR, userId = 'ada' } = {},
): Promise<Preference | Problems> => {
  const user = app.db.select().from(users).where(eq(users.id, userId)).get();
  if (!user) throw new Error(`no user ${userId}`);
  return changePreference(app, actor, { user, channel }, wanted);
};

describe('preferences', () => {
  it('are: by e-mail, everything, as long as nothing else was chosen', () => {
    expect(channelsFor(app.db, 'ada', 'down')).toEqual(['email']);
    expect(readPreferences(app, ADA, 'ada').map(({ channel, enabled }) => [channel, enabled])).toEqual([
      ['email', true],
      ['telegram', false],
      ['webhook', false],
    ]);
  });

  it('choose kinds and channels', async () => {
    await change('email', { kinds: 'up, recovered' });
    await change('webhook', { address: 'https://example.com/hook', secret: SECRET });
    expect(channelsFor(app.db, 'ada', 'down')).toEqual(['webhook']);
    expect(channelsFor(app.db, 'ada', 'up')).toEqual(['email', 'webhook']);
    await change('email', { enabled: false });
    await change('webhook', { kinds: 'all' });
    expect(channelsFor(app.db, 'ada', 'up')).toEqual(['webhook']);
  });

  it('keep a secret that opens for that user and channel only, and never show it', async () => {
    const result = await change('webhook', { address: 'https://example.com/hook', secret: ` ${SECRET}\n` });
    expect(result).toEqual({
      channel: 'webhook',
      enabled: true,
      kinds: null,
      address: 'https://example.com/hook',
      pendingAddress: null,
      hasSecret: true,
      trouble: null,
    });
    const stored = app.db.select().from(notificationTargets).get()?.secret ?? '';
    expect(decryptToken(stored, 'notification_targets.secret:ada:webhook', app.encryptionKey)).toBe(SECRET);
  });

  it.each<[ChannelName, PreferenceChange, string]>([
    [
      'email',
      { kinds: 'down,uppp' },
      'kind is "uppp"; allowed for a user who is customer: all, or down, up, recovered',
    ],
    ['email', { kinds: 'circuit_opened' }, 'kind is "circuit_opened"'],
    ['email', { address: 'a@b.c\r\nBcc: x@y.z' }, 'allowed: an e-mail address'],
    ['email', { secret: SECRET }, 'secret is given for email; allowed: for webhook only'],
    ['webhook', { address: 'ftp://example.com' }, 'allowed: an address such as https://example.com/hook'],
    ['webhook', { address: 'https://user:pw@example.com/' }, 'without a password'],
    ['webhook', { address: 'https://example.com/' }, 'webhook has no secret to sign with'],
    ['webhook', { enabled: true }, 'webhook has no address'],
    ['webhook', { secret: 'short' }, 'secret has 5 characters; allowed: 16 to 500'],
    ['telegram', { enabled: true }, 'telegram has no bot'],
    ['telegram', { address: 'me' }, 'allowed: a chat id'],
  ])('refuse for %s: %o', async (channel, wanted, problem) => {
    const result = await change(channel, wanted);
    expect(result).toHaveProperty('problems');
    expect(inTerminal((result as Problems).problems).join('\n')).toContain(problem);
    expect(app.db.select().from(notificationTargets).all()).toEqual([]);
  });

  it.each([
    'http://example.com/',
    'https://127.0.0.1/',
    'https://[::1]/',
    'https://localhost/',
    'https://db.internal/',
    'https://printer/',
    'https://2130706433/',
  ])('let no customer make the server call %s; an admin may', async (address) => {
    expect(await change('webhook', { address, secret: SECRET }, { actor: ADA })).toHaveProperty('problems');
    expect(await change('webhook', { address, secret: SECRET })).not.toHaveProperty('problems');
  });

  it('are of no concern to other customers', async () => {
    expect(findUser(app, EVE, 'ada@customer.example')).toBeNull();
    expect(findUser(app, ADA, ' ADA@customer.example ')?.id).toBe('ada');
    expect(readPreferences(app, EVE, 'ada')).toEqual([]);
    expect(await change('email', { enabled: false }, { actor: EVE })).toHaveProperty('problems');
    expect(channelsFor(app.db, 'ada', 'down')).toEqual(['email']);
  });

  it('take a bot, whose token opens for that bot only, and turn its channel on', async () => {
    const set = (bot: TelegramBot, actor = ADA) => change('telegram', { enabled: true, bot }, { actor });
    const token = '123456:AAtokenAAtokenAAtokenAA';
    expect(await set({ token, chatId: '1' }, EVE)).toHaveProperty('problems');
    const refused = await set({ token: 'HUNTER2', chatId: 'x' });
    expect(inTerminal((refused as Problems).problems)).toEqual([
      'bot token has another form; allowed: digits, a colon and the secret part',
      'chat id is "x"; allowed: a chat id such as 123456789, -1001234567890 or @channel',
    ]);
    await set({ token, chatId: '1' });
    await set({ token, chatId: '-100123' });
    const [bot, ...others] = app.db.select().from(telegramBots).all();
    expect(others).toEqual([]);
    expect(bot?.chatId).toBe('-100123');
    expect(decryptToken(bot?.botToken ?? '', `telegram_bots.bot_token:${bot?.id}`, app.encryptionKey)).toBe(token);
    expect(channelsFor(app.db, 'ada', 'down')).toEqual(['email', 'telegram']);
  });
});

describe('addresses', () => {
  it.each([
    ['Wardround <w@example.com>', { name: 'Wardround', address: 'w@example.com' }],
    ['"Ward, round" <w@example.com>', { name: 'Ward, round', address: 'w@example.com' }],
    ['w@localhost', { name: '', address: 'w@localhost' }],
    ['a@b.c, d@e.f', null],
    ['W <a@b.c>\r\nBcc: d@e.f', null],
    ['W\n <a@b.c>', null],
    ['nobody', null],
  ])('%j', (text, expected) => {
    expect(parseMailbox(text)).toEqual(expected);
  });
});
