import { eq } from 'drizzle-orm';
import * as z from 'zod/mini';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { subscriptions, type users } from '../db/schema.ts';
import { askForConfirmation, type ConfirmationRequest } from './address-confirmation.ts';
import { CHANNELS } from './channels/registry.ts';
import { ADMIN_KINDS, CUSTOMER_KINDS, type ChannelName, type NotificationKind } from '../facts/message.ts';
import { anyText, tickBox } from '../parsing/fields.ts';
import { problem, type FormProblems } from '../parsing/problems.ts';
import {
  changePreference,
  readPreferences,
  readTelegramChat,
  type Preference,
  type PreferenceChange,
  type Problems,
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
  return lacks === null || actor.role === 'admin' ? lacks : 'your provider has not set this up';
}

/** What a person sends for one channel. */
export const ChannelForm = z.object({
  enabled: tickBox,
  kind: z.array(z.string()),
  address: anyText,
  secret: anyText,
  token: anyText,
});
export type ChannelForm = z.output<typeof ChannelForm>;

/** What is wrong with it, by field; `chatId` is the address of a Telegram bot. The empty name: with the whole channel. */
export type ChannelProblems = FormProblems<Problems['problems'][number]['field']>;

/** Saves one channel, or gives every reason why not. */
export async function saveChannel(
  app: App,
  actor: Actor,
  { user, channel, now }: { readonly user: User; readonly channel: ChannelName; readonly now: Date },
  form: ChannelForm,
): Promise<Problems['problems']> {
  const { enabled, kind, address, secret, token } = form;
  const offered: readonly string[] = offeredTo(app, user);
  if (enabled && kind.length === 0)
    return [problem('kinds', 'choose at least one kind of message, or turn this channel off')];
  const all = offered.every((one) => kind.includes(one));
  const kinds = kind.length === 0 ? undefined : all ? 'all' : kind.join(',');
  if (channel === 'telegram' && token === '' && enabled && readTelegramChat(app, actor, user.id) === null)
    return [problem('token', 'enter the token of your bot and the id of your chat')];
  const change: PreferenceChange = {
    enabled,
    kinds,
    ...(channel === 'webhook' && secret !== '' && { secret }),
    // The bot has a chat of its own; another one stands with the preference.
    ...(channel === 'telegram' && token !== '' ? { bot: { token, chatId: address }, address: '' } : { address }),
  };
  const saved = await changePreference(app, actor, { user, channel }, change);
  if ('problems' in saved || saved.pendingAddress === null) return problemsOf(saved);
  const { kind: asked } = await askForConfirmation(app, user, now);
  return asked === 'asked' ? [] : [problem('', NOT_ASKED[asked])];
}

/** The address is stored, but nobody has been asked whether it is theirs. */
const NOT_ASKED: Readonly<Record<Exclude<ConfirmationRequest['kind'], 'asked'>, string>> = {
  no_mail: 'This server cannot send the mail that asks whether the address is yours. Ask your administrator to set it',
  not_sent: 'The mail that asks whether the address is yours could not be sent. Save once more later',
  limited: 'So many mails were sent to confirm an address that this one has to wait. Save once more in an hour',
};

const problemsOf = (result: Preference | Problems): Problems['problems'] =>
  'problems' in result ? result.problems : [];
