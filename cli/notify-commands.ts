import { count } from '../src/lib/facts/time-words.ts';
import { Option, type Command } from 'commander';
import * as z from 'zod/mini';
import type { App } from '../src/lib/app.ts';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { type ChannelName, CHANNEL_NAMES } from '../src/lib/facts/message.ts';

import { findMessage, listMessages, STATUSES, type OutboxLine } from '../src/lib/notifications/outbox-read.ts';
import { retryFailed } from '../src/lib/notifications/outbox-upkeep.ts';
import { changePreference, findUser, readPreferences, type Preference } from '../src/lib/notifications/preferences.ts';
import { sendTestMessage } from '../src/lib/notifications/test-message.ts';
import { oneOf } from '../src/lib/parsing/fields.ts';
import { troubleInWords } from '../src/lib/notifications/wording/trouble-words.ts';
import { FAILED } from './caller.ts';
import { FailedError, jsonOption, readGivenFile, UsageError, withApp, type JsonOption } from './context.ts';
import { accepted, readOptions, rowLimit } from './options.ts';
import { print, printJson } from './output.ts';

type PrefsOptions = JsonOption & {
  channel?: ChannelName;
  kinds?: string;
  on?: true;
  off?: true;
  address?: string;
  secretFile?: string;
};

const channelOption = () => new Option('--channel <channel>', 'which channel').choices([...CHANNEL_NAMES]);

/** `wardround notify …`. */
export function fillNotify(notify: Command): void {
  notify
    .command('test')
    .description('send a test message now; exit code 1 with the reason when it does not get out')
    .requiredOption('--to <address>', 'e-mail address of a user; by e-mail, any other address too')
    .addOption(channelOption().makeOptionMandatory())
    .addOption(jsonOption())
    .action(({ to, channel, json }: JsonOption & { to: string; channel: ChannelName }) =>
      withApp(async (app) => {
        const result = await sendTestMessage(app, LOCAL_OPERATOR, { to, channel });
        const reason = result.outcome === 'sent' ? null : result.reason;
        if (json) printJson({ to, channel, sent: reason === null, reason });
        else if (reason === null) print(`Sent to ${to} by ${channel}.`);
        if (reason === null) return;
        if (!json) console.error(`error: not sent to ${to} by ${channel}: ${reason}`);
        process.exitCode = FAILED;
      }),
    );

  notify
    .command('list')
    .description('the outbox, newest first')
    .addOption(new Option('--status <status>', 'only those').choices([...STATUSES]))
    .option('--limit <number>', 'at most so many', '50')
    .addOption(jsonOption())
    .action(({ status, limit, json }: JsonOption & { status?: OutboxLine['status']; limit: string }) => {
      const rowsWanted = readOptions(z.object({ limit: rowLimit }), { limit });
      return withApp((app) => {
        const rows = listMessages(app.db, { status, ...rowsWanted });
        if (json) printJson(rows);
        else if (rows.length === 0) print('There is no such message in the outbox.');
        else for (const row of rows) print(describeMessage(row));
      });
    });

  notify
    .command('retry')
    .description('let failed messages wait to be sent once more')
    .argument('[id]', 'a message of the outbox')
    .option('--all-failed', 'every message that has failed')
    .addOption(jsonOption())
    .action((id: string | undefined, { allFailed, json }: JsonOption & { allFailed?: true }) => {
      if ((id === undefined) === (allFailed === undefined))
        throw new UsageError('name one message, or give --all-failed');
      return withApp(async (app) => {
        const retried = await retryFailed(app.db, LOCAL_OPERATOR, id === undefined ? null : [id], new Date());
        if (id !== undefined && retried.length === 0) throw new FailedError(whyNotRetried(app, id));
        if (json) printJson({ retried });
        else print(`${count(retried.length, 'message waits', 'messages wait')} to be sent once more.`);
      });
    });

  notify
    .command('prefs')
    .description('show what a user is told on which channel, or change it for one channel')
    .argument('<email>', 'e-mail address of the user')
    .addOption(channelOption())
    .option('--kinds <kinds>', 'all, or kinds with commas between them')
    .addOption(new Option('--on', 'send on that channel').conflicts('off'))
    .option('--off', 'send nothing on that channel')
    .option('--address <address>', "where to, instead of the channel's own address; empty: that one again")
    .option('--secret-file <file>', 'what to sign webhooks with; stored encrypted')
    .addOption(jsonOption())
    .action((email: string, { json, channel, on, off, secretFile, ...given }: PrefsOptions) => {
      const enabled = on ? true : off ? false : undefined;
      const secret = secretFile === undefined ? undefined : readGivenFile('--secret-file', secretFile, 'a secret');
      const change = { ...given, enabled, secret };
      const changes = Object.values(change).some((value) => value !== undefined);
      if (changes) readOptions(z.object({ channel: oneOf(CHANNEL_NAMES) }), { channel });
      return withApp(async (app) => {
        const user = theUser(app, email);
        if (changes && channel !== undefined)
          accepted(await changePreference(app, LOCAL_OPERATOR, { user, channel }, change));
        const preferences = readPreferences(app, LOCAL_OPERATOR, user.id).filter(
          (preference) => channel === undefined || preference.channel === channel,
        );
        if (json) printJson(preferences);
        else for (const preference of preferences) print(describePreference(preference));
      });
    });

  notify
    .command('telegram')
    .description("set a user's Telegram bot and chat, and send there from now on")
    .argument('<email>', 'e-mail address of the user')
    .requiredOption('--bot-token-file <file>', 'the token that BotFather gave; stored encrypted')
    .requiredOption('--chat-id <id>', 'where the bot writes to')
    .addOption(jsonOption())
    .action((email: string, { botTokenFile, chatId, json }: JsonOption & { botTokenFile: string; chatId: string }) => {
      const token = readGivenFile('--bot-token-file', botTokenFile, 'a bot token');
      return withApp(async (app) => {
        const target = { user: theUser(app, email), channel: 'telegram' } as const;
        const change = { enabled: true, bot: { token, chatId } };
        const preference = accepted(await changePreference(app, LOCAL_OPERATOR, target, change));
        if (json) printJson(preference);
        else print(`${describePreference(preference)}\nTry it: wardround notify test --to ${email} --channel telegram`);
      });
    });
}

function theUser(app: App, email: string) {
  const user = findUser(app, LOCAL_OPERATOR, email);
  if (!user) throw new FailedError(`there is no user ${JSON.stringify(email)}; allowed: the e-mail address of a user`);
  return user;
}

function whyNotRetried(app: App, id: string): string {
  const found = findMessage(app.db, id);
  if (!found) return `there is no message ${JSON.stringify(id)}; "wardround notify list --status failed" shows them`;
  return found.status === 'failed'
    ? `${id} has been told by a later message, so it stays as it is`
    : `${id} is ${found.status}; only what has failed can be retried`;
}

function describePreference(preference: Preference): string {
  const { channel, enabled, kinds, address, pendingAddress, hasSecret, trouble } = preference;
  const pending = pendingAddress === null ? '' : ` (${pendingAddress} has not been confirmed yet)`;
  const where = `${address === null ? '' : ` to ${address}`}${pending}`;
  const signed = hasSecret ? ', signed' : '';
  return `${channel.padEnd(9)} ${enabled ? 'on ' : 'off'} ${kinds === null ? 'everything' : kinds.join(', ')}${where}${signed}${trouble === null ? '' : `\n  ${troubleInWords(trouble)}`}`;
}

function describeMessage(row: OutboxLine): string {
  const { id, kind, recipient, channel, status, toldBy, attempts, createdAt, nextAttemptAt, lastError } = row;
  const doubt = row.mayHaveArrived && status !== 'sent' ? 'may have arrived: ' : '';
  const next = nextAttemptAt === null ? '' : `, next at ${nextAttemptAt.toISOString()}`;
  const told = toldBy === null ? '' : ` (told by ${toldBy})`;
  const tried = attempts === 0 ? '' : `, ${attempts} ${attempts === 1 ? 'attempt' : 'attempts'}`;
  return `${createdAt.toISOString()}  ${status}${told}${tried}${next}\n  ${kind} to ${recipient} by ${channel}, ${id}${lastError === null ? '' : `\n  ${doubt}${lastError}`}`;
}
