import { and, eq } from 'drizzle-orm';
import { DecryptionError, decryptToken } from '../../crypto/encryption.ts';
import { write, type Database } from '../../db/client.ts';
import { notificationTargets, telegramBots } from '../../db/schema.ts';
import { cleanRemoteText } from '../../facts/remote-text.ts';
import { shorten } from '../../facts/shorten.ts';
import type { Channel } from '../channel.ts';
import type { SendResult } from '../../facts/delivery.ts';
import { sendHttp, type HttpResult } from '../http-request.ts';
import { httpOutcome } from './webhook.ts';

/** Where a bot's token lives: what its ciphertext is bound to. */
export const botTokenPlace = (botId: string): string => `telegram_bots.bot_token:${botId}`;

/** https://core.telegram.org/bots/api#authorizing-your-bot: nothing in it needs escaping in a URL. */
export const BOT_TOKEN = /^\d{3,20}:[\w-]{20,100}$/;

// Telegram counts UTF-16 units of a message: https://core.telegram.org/bots/api#sendmessage
const LONGEST_TEXT = 4096;
const ANSWER_BYTES = 4096;
const FORBIDDEN = 403;

/** A message of the user's own bot to its chat. The token is part of the URL, so no URL is ever logged. */
export const telegram: Channel = {
  isShared: false,
  lacks: () => null,
  addressHint: 'a chat id such as 123456789, -1001234567890 or @channel',
  isAddress: (text) => /^(-?\d{1,20}|@[A-Za-z]\w{4,31})$/.test(text),
  reach: ({ db, settings, encryptionKey }, { user, target }) => {
    const bot = db.select().from(telegramBots).where(eq(telegramBots.userId, user.id)).get();
    if (!bot) return { problem: 'no Telegram bot is set for this user' };
    const chatId = target?.address ?? bot.chatId ?? '';
    if (!telegram.isAddress(chatId)) return { problem: 'no chat id is set for the Telegram bot of this user' };
    const token = openToken(bot, encryptionKey);
    if (token === null) return { problem: 'the stored token of the Telegram bot does not open with the key in use' };
    if (!BOT_TOKEN.test(token)) return { problem: 'the stored token of the Telegram bot is no bot token' };
    return {
      send: async ({ rendered }, attempt) => {
        const url = `${settings.notifications.telegramApiUrl}/bot${token}/sendMessage`;
        const headers = { 'content-type': 'application/json' };
        const text = shorten(rendered.text, LONGEST_TEXT);
        const sendTo = (chat: string): Promise<HttpResult> => {
          const body = JSON.stringify({ chat_id: chat, text, link_preview_options: { is_disabled: true } });
          return sendHttp({ method: 'POST', url, headers, body, readBytes: ANSWER_BYTES }, attempt);
        };
        const result = await sendTo(chatId);
        const movedTo = readMove(result);
        if (movedTo === null) return outcomeOf(result, token);
        const outcome = outcomeOf(await sendTo(movedTo), token);
        // Where it cannot be written down, the next message is told the same again.
        await followChat(db, user.id, chatId, movedTo).catch(() => undefined);
        return outcome;
      },
    };
  },
};

/** A group that has become a supergroup has another id, which the answer tells. Null: it has not moved. */
function readMove(result: HttpResult): string | null {
  const chat = result.kind === 'answer' ? parseJson(result.body)?.parameters?.migrate_to_chat_id : undefined;
  return Number.isSafeInteger(chat) ? String(chat) : null;
}

/** Stores the new id of a chat where the old one stands, if it still does: with the preference, or with the bot. */
const followChat = (db: Database, userId: string, from: string, to: string): Promise<void> =>
  write(db, (tx) => {
    tx.update(notificationTargets)
      .set({ address: to })
      .where(
        and(
          eq(notificationTargets.userId, userId),
          eq(notificationTargets.channel, 'telegram'),
          eq(notificationTargets.address, from),
        ),
      )
      .run();
    tx.update(telegramBots)
      .set({ chatId: to })
      .where(and(eq(telegramBots.userId, userId), eq(telegramBots.chatId, from)))
      .run();
  });

function openToken(bot: typeof telegramBots.$inferSelect, key: Buffer): string | null {
  try {
    return decryptToken(bot.botToken, botTokenPlace(bot.id), key);
  } catch (error) {
    if (error instanceof DecryptionError) return null;
    throw error;
  }
}

/** As for any HTTP call, with what Telegram says in its body: https://core.telegram.org/bots/api#responseparameters */
function outcomeOf(result: HttpResult, token: string): SendResult {
  const outcome = httpOutcome(result, 'Telegram');
  if (result.kind === 'no_answer' || outcome.outcome === 'sent') return outcome;
  const { description, retryAfterS } = parseAnswer(result.body, token);
  const reason = description === '' ? outcome.reason : `${outcome.reason}: ${description}`;
  if (outcome.outcome === 'retry')
    return { ...outcome, reason, ...(retryAfterS !== null && { retryAfterMs: retryAfterS * 1000 }) };
  // Blocked by the user, or thrown out of the group: only they can change that.
  return { ...outcome, reason, ...(result.status === FORBIDDEN && { isGone: true }) };
}

/** The description, without the token that it may repeat, and `retry_after` in seconds. */
function parseAnswer(
  body: string,
  token: string,
): { readonly description: string; readonly retryAfterS: number | null } {
  const answer = parseJson(body);
  const seconds = answer?.parameters?.retry_after;
  const description = typeof answer?.description === 'string' ? answer.description : '';
  // Whatever follows the colon is the secret part. It goes before anything is cut, or a half of it would stay.
  return {
    description: cleanRemoteText(description.replaceAll(token.slice(token.indexOf(':') + 1), '…'), 100),
    retryAfterS: typeof seconds === 'number' && seconds > 0 && seconds <= 86_400 ? seconds : null,
  };
}

type Answer = {
  readonly description?: unknown;
  readonly parameters?: { readonly retry_after?: unknown; readonly migrate_to_chat_id?: unknown } | null;
};

function parseJson(body: string): Answer | null {
  try {
    return JSON.parse(body) as Answer | null;
  } catch {
    return null;
  }
}
