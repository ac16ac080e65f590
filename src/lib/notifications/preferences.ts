import { eq } from 'drizzle-orm';
import * as z from 'zod/mini';
import type { App } from '../app.ts';
import { journalName, type Actor } from '../auth/actor.ts';
import { encryptToken } from '../crypto/encryption.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { newId, notificationTargets, telegramBots, users } from '../db/schema.ts';
import { forgetConfirmation } from './address-confirmation.ts';
import { CHANNELS } from './channels/registry.ts';
import { BOT_TOKEN, botTokenPlace } from './channels/telegram.ts';
import { targetSecretPlace } from './channels/webhook.ts';
import {
  ADMIN_KINDS,
  CUSTOMER_KINDS,
  type ChannelName,
  type NotificationKind,
  CHANNEL_NAMES,
} from '../facts/message.ts';
import { readBy, Refusal } from '../parsing/fields.ts';
import { parse } from '../parsing/parse.ts';
import { problem, type Problem } from '../parsing/problems.ts';
import { isPublicWebAddress } from './http-request.ts';
import { isAdminNow } from './recipient.ts';
import type { Trouble } from './rules/delivery-trouble.ts';
import { isOn, readTarget } from './target-store.ts';
import { forgetTrouble, readTrouble } from './trouble-store.ts';

type User = typeof users.$inferSelect;

/** Where and of what one user is told on one channel; secrets stay where they are. */
export type Preference = {
  readonly channel: ChannelName;
  readonly enabled: boolean;
  /** Null: everything that concerns the user. */
  readonly kinds: readonly NotificationKind[] | null;
  /** Null: the channel's own, such as the user's e-mail address. */
  readonly address: string | null;
  /** A mail address that is not used before whoever reads it has agreed: see `address-confirmation.ts`. */
  readonly pendingAddress: string | null;
  readonly hasSecret: boolean;
  /** That nothing gets through there, and since when; null: all is well, as far as is known. */
  readonly trouble: Trouble | null;
};

/** What is to be different; what is left out stays. Values are as a person has typed them. */
export type PreferenceChange = {
  readonly enabled?: boolean | undefined;
  /** `all`, or kinds with commas between them. */
  readonly kinds?: string | undefined;
  /** Empty: the channel's own. */
  readonly address?: string;
  readonly secret?: string | undefined;
  /** Of Telegram: the user's bot and the chat it writes to. The token is stored encrypted and told to nobody. */
  readonly bot?: TelegramBot;
};
export type TelegramBot = { readonly token: string; readonly chatId: string };

/** What could not be done. */
export type Problems = {
  readonly problems: readonly Problem<Exclude<keyof PreferenceChange, 'bot'> | keyof TelegramBot>[];
};

/** The user with that e-mail address, if the actor may see it: customers find themselves only. */
export function findUser({ db }: Pick<App, 'db'>, actor: Actor, email: string): User | null {
  const user = db.select().from(users).where(eq(users.email, email.trim().toLowerCase())).get();
  return user && (actor.role === 'admin' || actor.userId === user.id) ? user : null;
}

const mayChange = (actor: Actor, userId: string): boolean => actor.role === 'admin' || actor.userId === userId;

/** All channels of a user, in the order of the registry; empty where the actor has no business. */
export const readPreferences = ({ db }: Pick<App, 'db'>, actor: Actor, userId: string): Preference[] =>
  mayChange(actor, userId) ? CHANNEL_NAMES.map((channel) => preferenceOf(db, userId, channel)) : [];

/** The chat of the user's own bot; null where there is no bot, or the actor has no business. The token stays where it is. */
export function readTelegramChat(
  { db }: Pick<App, 'db'>,
  actor: Actor,
  userId: string,
): { readonly chatId: string | null } | null {
  if (!mayChange(actor, userId)) return null;
  const bot = readBot(db, userId);
  return bot ? { chatId: bot.chatId } : null;
}

const readBot = (db: Database | Transaction, userId: string) =>
  db.select().from(telegramBots).where(eq(telegramBots.userId, userId)).get();

type Target = typeof notificationTargets.$inferSelect;

const preferenceOf = (db: Database | Transaction, userId: string, channel: ChannelName): Preference => {
  const target = readTarget(db, userId, channel);
  return {
    channel,
    enabled: isOn(channel, target),
    kinds: target?.kinds ?? null,
    address: target?.address ?? null,
    pendingAddress: target?.pendingAddress ?? null,
    hasSecret: (target?.secret ?? null) !== null,
    trouble: readTrouble(db, { channel, userId }),
  };
};

/** Changes one channel of one user, all of it or nothing, or gives every reason why not. */
export const changePreference = (
  app: App,
  actor: Actor,
  target: PreferenceTarget,
  change: PreferenceChange,
): Promise<Preference | Problems> => write(app.db, (tx) => changePreferenceIn(tx, app, actor, { ...target, change }));

type PreferenceTarget = { readonly user: User; readonly channel: ChannelName };

/** The same within a transaction: whoever gets problems has to take back what else it has done. */
export function changePreferenceIn(
  tx: Transaction,
  { encryptionKey }: Pick<App, 'encryptionKey'>,
  actor: Actor,
  { user, channel, change: given }: PreferenceTarget & { readonly change: PreferenceChange },
): Preference | Problems {
  const { bot, ...change } = given;
  if (!mayChange(actor, user.id))
    return { problems: [problem('', 'only an admin may change what another user is told')] };
  const before = readTarget(tx, user.id, channel);
  const parsed = parse(
    z.object({
      enabled: z.optional(z.boolean()),
      kinds: z.optional(kindsFor(user)),
      address: z.optional(addressOn(channel, actor, before?.address ?? null)),
      secret: z.optional(secretOn(channel)),
    }),
    change,
  );
  const enabled = change.enabled ?? before?.enabled ?? true;
  const hasAddress = (change.address ?? before?.address ?? '').trim() !== '';
  const hasSecret = (change.secret ?? before?.secret ?? null) !== null;
  const parsedBot = bot && parse(TelegramBot, bot);
  const hasBot = bot !== undefined || readBot(tx, user.id) !== undefined;
  const problems = [
    ...('problems' in parsed ? parsed.problems : []),
    ...(parsedBot && 'problems' in parsedBot ? parsedBot.problems : []),
    ...(enabled ? missing({ channel, hasAddress, hasSecret, hasBot }) : []),
  ];
  if ('problems' in parsed || problems.length > 0) return { problems };
  if (parsedBot && 'value' in parsedBot) saveBot(tx, encryptionKey, user.id, parsedBot.value);
  const { kinds, address, secret } = parsed.value;
  const where =
    address === undefined ? addressesOf(before) : whereTo(tx, { user, channel, actor }, before, address || null);
  if (before && before.pendingAddress !== where.pendingAddress) forgetConfirmation(tx, user.id);
  const target = {
    enabled,
    kinds: kinds === undefined ? (before?.kinds ?? null) : kinds,
    secret:
      secret === undefined
        ? (before?.secret ?? null)
        : encryptToken(secret, targetSecretPlace(user.id, channel), encryptionKey),
    ...where,
  };
  tx.insert(notificationTargets)
    .values({ userId: user.id, channel, ...target })
    .onConflictDoUpdate({ target: [notificationTargets.userId, notificationTargets.channel], set: target })
    .run();
  // Whoever turns it on, or leaves it on, means to have mended what was wrong.
  if (enabled) forgetTrouble(tx, { channel, userId: user.id });
  return preferenceOf(tx, user.id, channel);
}

type Addresses = Pick<Target, 'address' | 'addressNamedBy' | 'addressConfirmedAt' | 'pendingAddress'>;

const addressesOf = (target: Target | undefined): Addresses => ({
  address: target?.address ?? null,
  addressNamedBy: target?.addressNamedBy ?? null,
  addressConfirmedAt: target?.addressConfirmedAt ?? null,
  pendingAddress: target?.pendingAddress ?? null,
});

/** What becomes of another address: a customer's other mail address waits until whoever reads it has agreed. */
function whereTo(
  tx: Transaction,
  { user, channel, actor }: { readonly user: User; readonly channel: ChannelName; readonly actor: Actor },
  before: Target | undefined,
  given: string | null,
): Addresses {
  const own = channel === 'email' ? user.email : channel === 'telegram' ? readBot(tx, user.id)?.chatId : undefined;
  const address = given === own ? null : given;
  const named = { address, addressNamedBy: journalName(actor), addressConfirmedAt: null, pendingAddress: null };
  if (address === null || actor.role === 'admin') return named;
  const isKept = before?.address === address;
  const isAgreed =
    before !== undefined && (before.addressConfirmedAt !== null || isAdminNow(tx, before.addressNamedBy));
  if (isKept && (channel !== 'email' || isAgreed)) return { ...addressesOf(before), pendingAddress: null };
  return channel === 'email' ? { ...addressesOf(before), pendingAddress: address } : named;
}

const kindsFor = ({ role }: User) => {
  const allowed: readonly NotificationKind[] = role === 'admin' ? [...ADMIN_KINDS, ...CUSTOMER_KINDS] : CUSTOMER_KINDS;
  return readBy((text): readonly NotificationKind[] | Refusal | null => {
    if (text === 'all') return null;
    const named = text.split(',').map((kind) => kind.trim());
    const known = named.flatMap((name) => allowed.find((kind) => kind === name) ?? []);
    if (known.length === named.length) return known;
    const unknown = named.filter((name) => !known.some((kind) => kind === name)).map((name) => JSON.stringify(name));
    return new Refusal({
      reason: `${unknown.length === 1 ? 'kind is' : 'kinds are'} ${unknown.join(', ')}; allowed for a user who is ${role}: all, or ${allowed.join(', ')}`,
    });
  }, '');
};

/** An admin may name any host; a customer must not make this server call its own network. What is there already, stays. */
const addressOn = (channel: ChannelName, actor: Actor, before: string | null) => {
  const { isAddress, addressHint } = CHANNELS[channel];
  return readBy((text) => {
    if (text === '' || text === before) return text;
    if (!isAddress(text)) return undefined;
    return channel === 'webhook' && actor.role !== 'admin' && !isPublicWebAddress(text)
      ? new Refusal({ allowed: 'https and the name of a host on the internet' })
      : text;
  }, addressHint);
};

const SHORTEST_SECRET = 16;
const LONGEST_SECRET = 500;

const secretOn = (channel: ChannelName) =>
  readBy(
    (text) => {
      if (channel !== 'webhook')
        return new Refusal({ reason: `secret is given for ${channel}`, allowed: 'for webhook only, to sign with' });
      const { length } = text;
      return length >= SHORTEST_SECRET && length <= LONGEST_SECRET
        ? text
        : new Refusal({ reason: `secret has ${length} characters` });
    },
    { description: `${SHORTEST_SECRET} to ${LONGEST_SECRET} characters`, writeOnly: true },
  );

function missing(given: {
  readonly channel: ChannelName;
  readonly hasAddress: boolean;
  readonly hasSecret: boolean;
  readonly hasBot: boolean;
}): Problem<'address' | 'secret' | 'token'>[] {
  switch (given.channel) {
    case 'webhook':
      return [
        ...(given.hasAddress ? [] : [problem('address', 'webhook has no address', CHANNELS.webhook.addressHint)]),
        ...(given.hasSecret
          ? []
          : [
              problem(
                'secret',
                'webhook has no secret to sign with',
                `one of ${SHORTEST_SECRET} to ${LONGEST_SECRET} characters`,
              ),
            ]),
      ];
    case 'telegram':
      return given.hasBot
        ? []
        : [
            problem(
              'token',
              'telegram has no bot; set one first: wardround notify telegram EMAIL --bot-token-file F --chat-id ID',
            ),
          ];
    case 'email':
      return [];
  }
}

const TelegramBot = z.object({
  token: readBy((text) => (BOT_TOKEN.test(text) ? text : new Refusal({ reason: 'bot token has another form' })), {
    description: 'digits, a colon and the secret part',
    writeOnly: true,
  }),
  chatId: readBy((text) => (CHANNELS.telegram.isAddress(text) ? text : undefined), {
    title: 'chat id',
    description: CHANNELS.telegram.addressHint,
  }),
});

function saveBot(tx: Transaction, encryptionKey: Buffer, userId: string, { token, chatId }: TelegramBot): void {
  const id = readBot(tx, userId)?.id ?? newId('bot');
  const values = { botToken: encryptToken(token, botTokenPlace(id), encryptionKey), chatId };
  tx.insert(telegramBots)
    .values({ id, userId, ...values })
    .onConflictDoUpdate({ target: telegramBots.userId, set: values })
    .run();
}
