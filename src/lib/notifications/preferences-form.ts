import { eq } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { subscriptions, type users } from '../db/schema.ts';
import { askForConfirmation, type ConfirmationRequest } from './address-confirmation.ts';
import { CHANNELS } from './channels/registry.ts';
import { ADMIN_KINDS, CUSTOMER_KINDS, type ChannelName, type NotificationKind } from '../facts/message.ts';
import {
  changePreference,
  readPreferences,
  readTelegramChat,
  setTelegramBot,
  type Preference,
  type PreferenceChange,
} from './preferences.ts';

type User = typeof users.$inferSelect;

/** One channel as the form shows it. */
export type ChannelChoice = Preference & {
  /** Every kind that concerns this user; `kinds: null` means all of them. */
  readonly offered: readonly NotificationKind[];
  /** Why nothing could be sent on this channel, whoever it is for; null when all is set up. */
  readonly problem: string | null;
  readonly addressHint: string;
  /** Telegram: whether the user has set a bot. */
  readonly hasBot: boolean;
};

/** Admins who rent a VPS themselves hear of it as its customers do. */
function offeredTo({ db }: Pick<App, 'db'>, { id, role }: User): readonly NotificationKind[] {
  if (role !== 'admin') return CUSTOMER_KINDS;
  const own = db.select({ id: subscriptions.id }).from(subscriptions).where(eq(subscriptions.userId, id)).get();
  return own ? [...ADMIN_KINDS, ...CUSTOMER_KINDS] : ADMIN_KINDS;
}

/** The channels of a user, with what can be chosen; empty where the actor has no business. */
export function readChoices(app: App, actor: Actor, user: User): ChannelChoice[] {
  const chat = readTelegramChat(app, actor, user.id);
  return readPreferences(app, actor, user.id).map((preference) => ({
    ...preference,
    address: preference.address ?? (preference.channel === 'telegram' ? (chat?.chatId ?? null) : null),
    offered: offeredTo(app, user),
    problem: problemOf(app, actor, preference.channel),
    addressHint: CHANNELS[preference.channel].addressHint,
    hasBot: preference.channel === 'telegram' && chat !== null,
  }));
}

/** Which setting is missing is for admins. */
function problemOf({ settings }: App, actor: Actor, channel: ChannelName): string | null {
  const lacks = CHANNELS[channel].lacks(settings);
  return lacks === null || actor.role === 'admin' ? lacks : 'this way is not set up';
}

/** What a person has sent for one channel. */
export type ChannelForm = {
  readonly enabled: boolean;
  readonly kinds: readonly string[];
  readonly address: string;
  readonly secret: string;
  readonly token: string;
};

export function readChannelForm(data: FormData): ChannelForm {
  const text = (name: string): string => {
    const value = data.get(name);
    return typeof value === 'string' ? value.trim() : '';
  };
  return {
    enabled: text('enabled') !== '',
    kinds: data.getAll('kind').filter((kind) => typeof kind === 'string'),
    address: text('address'),
    secret: text('secret'),
    token: text('token'),
  };
}

/** Saves one channel, or gives every reason why not. */
export async function saveChannel(
  app: App,
  actor: Actor,
  { user, channel, now }: { readonly user: User; readonly channel: ChannelName; readonly now: Date },
  form: ChannelForm,
): Promise<readonly string[]> {
  const offered: readonly string[] = offeredTo(app, user);
  if (form.enabled && form.kinds.length === 0)
    return ['Choose at least one kind of message, or turn this channel off.'];
  const all = offered.every((kind) => form.kinds.includes(kind));
  const kinds = form.kinds.length === 0 ? undefined : all ? 'all' : form.kinds.join(',');
  const change: PreferenceChange = { enabled: form.enabled, kinds, address: form.address };
  if (channel === 'telegram') return saveTelegram(app, actor, user, form, change);
  const secret = channel === 'webhook' && form.secret !== '' ? form.secret : undefined;
  const saved = await changePreference(app, actor, { user, channel }, { ...change, secret });
  if ('problems' in saved || saved.pendingAddress === null) return problemsOf(saved);
  return CONFIRMATION_PROBLEMS[(await askForConfirmation(app, user, now)).kind];
}

/** The address is stored, but nobody has been asked whether it is theirs. */
const CONFIRMATION_PROBLEMS: Readonly<Record<ConfirmationRequest['kind'], readonly string[]>> = {
  asked: [],
  no_mail: [
    'This server cannot send the mail that asks whether the address is yours. Ask your administrator to set it.',
  ],
  not_sent: ['The mail that asks whether the address is yours could not be sent. Save once more later.'],
  limited: ['So many mails were sent to confirm an address that this one has to wait. Save once more in an hour.'],
};

async function saveTelegram(
  app: App,
  actor: Actor,
  user: User,
  { token, address, enabled }: ChannelForm,
  change: PreferenceChange,
): Promise<readonly string[]> {
  const chat = readTelegramChat(app, actor, user.id);
  if (token === '' && chat === null && enabled) return ['Enter the token of your bot and the id of your chat.'];
  if (token !== '') {
    const problems = problemsOf(await setTelegramBot(app, actor, user, { token, chatId: address }));
    if (problems.length > 0) return problems;
  }
  // The bot has a chat of its own; another one stands with the preference.
  const isBots = token !== '' || address === (chat?.chatId ?? '');
  const saved = await changePreference(
    app,
    actor,
    { user, channel: 'telegram' },
    { ...change, address: isBots ? '' : address },
  );
  return problemsOf(saved);
}

const problemsOf = (result: Preference | { readonly problems: readonly string[] }): readonly string[] =>
  'problems' in result ? result.problems.map((line) => `${line.slice(0, 1).toUpperCase()}${line.slice(1)}.`) : [];
