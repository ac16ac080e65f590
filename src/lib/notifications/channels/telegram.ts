import { eq } from 'drizzle-orm';
import { DecryptionError, decryptToken } from '../../crypto/encryption.ts';
import { telegramBots } from '../../db/schema.ts';
import { cleanRemoteText } from '../../facts/remote-text.ts';
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

/** A message of the user's own bot to its chat. The token is part of the URL, so no URL is ever logged. */
export const telegram: Channel = {
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
        const body = JSON.stringify({
          chat_id: chatId,
          text: shorten(rendered.text),
          link_preview_options: { is_disabled: true },
        });
        const url = `${settings.notifications.telegramApiUrl}/bot${token}/sendMessage`;
        const headers = { 'content-type': 'application/json' };
        const result = await sendHttp({ method: 'POST', url, headers, body, readBytes: ANSWER_BYTES }, attempt);
        return outcomeOf(result, token);
      },
    };
  },
};

function openToken(bot: typeof telegramBots.$inferSelect, key: Buffer): string | null {
  try {
    return decryptToken(bot.botToken, botTokenPlace(bot.id), key);
  } catch (error) {
    if (error instanceof DecryptionError) return null;
    throw error;
  }
}

const shorten = (text: string): string => (text.length <= LONGEST_TEXT ? text : `${text.slice(0, LONGEST_TEXT - 1)}…`);

/** As for any HTTP call, with what Telegram says in its body: https://core.telegram.org/bots/api#responseparameters */
function outcomeOf(result: HttpResult, token: string): SendResult {
  const outcome = httpOutcome(result, 'Telegram');
  if (result.kind === 'no_answer' || outcome.outcome === 'sent') return outcome;
  const { description, retryAfterS } = parseAnswer(result.body, token);
  const reason = description === '' ? outcome.reason : `${outcome.reason}: ${description}`;
  return outcome.outcome === 'retry' && retryAfterS !== null
    ? { ...outcome, reason, retryAfterMs: retryAfterS * 1000 }
    : { ...outcome, reason };
}

/** The description, without the token that it may repeat, and `retry_after` in seconds. */
function parseAnswer(
  body: string,
  token: string,
): { readonly description: string; readonly retryAfterS: number | null } {
  try {
    const answer = JSON.parse(body) as { description?: unknown; parameters?: { retry_after?: unknown } } | null;
    const seconds = answer?.parameters?.retry_after;
    const description = typeof answer?.description === 'string' ? answer.description : '';
    // Whatever follows the colon is the secret part. It goes before anything is cut, or a half of it would stay.
    return {
      description: cleanRemoteText(description.replaceAll(token.slice(token.indexOf(':') + 1), '…'), 100),
      retryAfterS: typeof seconds === 'number' && seconds > 0 && seconds <= 86_400 ? seconds : null,
    };
  } catch {
    return { description: '', retryAfterS: null };
  }
}
