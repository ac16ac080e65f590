import { resolve } from 'node:path';
import * as z from 'zod/mini';
import { REACHES } from './facts/address-reach.ts';
import { LINK_CHOICES } from './facts/link.ts';
import { parseMailbox } from './facts/mail-address.ts';
import { isCron } from './parsing/cron-expression.ts';
import { described, oneOf, orNull, readBy, textLike, usually, wholeNumber } from './parsing/fields.ts';
import { headerName, host, secretUrl, webOrigin } from './parsing/network-fields.ts';
import { metaOf } from './parsing/parse.ts';

/**
 * A systemd unit name, also as systemd-escape(1) makes it (`app@foo\x2dbar.service`); no option of a command looks like it.
 * Source: systemd.unit(5).
 */
export const UNIT_NAME = /^(?=.{1,255}$)(?:[A-Za-z0-9_@]|\\x[0-9a-f]{2})(?:[A-Za-z0-9:_.@-]|\\x[0-9a-f]{2})*$/;
export const unitName = textLike(
  UNIT_NAME,
  String.raw`a systemd unit name such as rachel8, app@1.service, or app@foo\x2dbar.service as systemd-escape prints it`,
);

const path = described(
  z.pipe(
    z.string(),
    z.transform((text: string) => resolve(text)),
  ),
  'the path of a file or folder',
);

/** A path on disk; `file:` in front is allowed, as other tools write it. */
const databaseFile = readBy(
  (text) =>
    /^[a-z]+:\/\//i.test(text) && !text.startsWith('file:') ? undefined : resolve(text.replace(/^file:(\/\/)?/, '')),
  'the path of a SQLite file, such as data/wardround.db',
);

const cron = readBy(
  (text) => (isCron(text) ? text.split(/\s+/).join(' ') : undefined),
  'a cron expression of five fields, or six with seconds first, such as */1 * * * *',
);

const onOff = readBy((text) => {
  const word = text.toLowerCase();
  return word === 'true' || word === 'false' ? word === 'true' : undefined;
}, 'true, false, or nothing');

const mailbox = readBy(
  (text) => parseMailbox(text) ?? undefined,
  'one address, with or without a name: Wardround <wardround@example.com>',
);

const WEEK_MS = 7 * 24 * 60 * 60_000;
const WEB = ['http:', 'https:'];
const TELEGRAM = 'https://api.telegram.org';

/** `scripts/built.js` knows the same: the pages are built for one path. */
const BASE_PATH = /^(?:\/[\w.~-]+)*$/;
const TOKEN = 'at least 16 visible characters without spaces, such as "openssl rand -hex 32" prints';
const LOG_FORMATS = ['human', 'json'] as const;

/** Each variable of `.env.example`: what stands for nothing given, and what is allowed. Nothing at all is null. */
export const VARIABLES = {
  DATABASE_URL: usually('data/wardround.db', databaseFile),
  ENCRYPTION_KEY: orNull(described(z.string().check(z.trim()), { description: 'a key', writeOnly: true })),
  ENCRYPTION_KEY_FILE: usually('data/encryption.key', path),
  ENABLE_HEALTH_MONITOR: orNull(onOff),
  HEALTH_CHECK_CRON: usually('*/1 * * * *', cron),
  HEALTH_CHECK_BATCH_SIZE: usually('5', wholeNumber(1, 100, 'VPSs')),
  SWEEP_MAX_SOCKETS: usually('300', wholeNumber(5, 20_000, 'connections')),
  ALLOWED_ADDRESSES: usually('private', oneOf(REACHES)),
  SSH_LINK: usually('auto', oneOf(LINK_CHOICES)),
  SSH_MAX_LINKS: usually('12000', wholeNumber(0, 100_000, 'connections')),
  MONITORED_SERVICE: usually('rachel8', unitName),
  SSH_CONNECT_TIMEOUT_MS: usually('10000', wholeNumber(100, 120_000, 'milliseconds')),
  SSH_COMMAND_TIMEOUT_MS: usually('10000', wholeNumber(100, 120_000, 'milliseconds')),
  RESTART_TIMEOUT_MS: usually('30000', wholeNumber(100, 600_000, 'milliseconds')),
  RESTART_SETTLE_MS: usually('3000', wholeNumber(0, 60_000, 'milliseconds')),
  CIRCUIT_MAX_CONSECUTIVE_FAILURES: usually('3', wholeNumber(1, 100, 'failures')),
  CIRCUIT_COOLDOWN_MS: usually('1800000', wholeNumber(1_000, WEEK_MS, 'milliseconds')),
  RESTART_BUDGET: usually('5', wholeNumber(1, 1_000, 'restarts')),
  RESTART_BUDGET_WINDOW_MS: usually('1800000', wholeNumber(1_000, WEEK_MS, 'milliseconds')),
  MAX_RESTARTS_PER_SWEEP: orNull(wholeNumber(0, 100_000, 'restarts')),
  NOTIFY_DOWN_AFTER_CHECKS: usually('2', wholeNumber(1, 1_000, 'checks')),
  GRACE_PERIOD_CRON: usually('0 * * * *', cron),
  GRACE_PERIOD_DAYS: usually('7', wholeNumber(0, 3_650, 'days')),
  // Each at least as long as the pages look back on it.
  HISTORY_DETAIL_HOURS: usually('24', wholeNumber(2, 168, 'hours')),
  HISTORY_10MIN_DAYS: usually('7', wholeNumber(2, 90, 'days')),
  HISTORY_HOURLY_DAYS: usually('90', wholeNumber(90, 730, 'days')),
  HISTORY_DAILY_DAYS: usually('730', wholeNumber(90, 3_650, 'days')),
  HISTORY_INCIDENT_DAYS: usually('730', wholeNumber(90, 3_650, 'days')),
  HISTORY_MESSAGE_DAYS: usually('90', wholeNumber(1, 3_650, 'days')),
  HISTORY_PRUNE_CRON: usually('17 * * * *', cron),
  SMTP_URL: orNull(secretUrl(['smtp:', 'smtps:'], 'smtp://user:password@host:587 or smtps://user:password@host:465')),
  MAIL_FROM: usually('Wardround <wardround@localhost>', mailbox),
  PUBLIC_URL: orNull(secretUrl(WEB, 'https://wardround.example.com')),
  TELEGRAM_API_URL: usually(TELEGRAM, secretUrl(WEB, TELEGRAM)),
  HEARTBEAT_URL: orNull(secretUrl(WEB, 'https://monitor.example.com/ping/some-id')),
  NOTIFY_DIGEST_THRESHOLD: usually('5', wholeNumber(1, 1_000, 'messages')),
  NOTIFY_DIGEST_WINDOW_MS: usually('30000', wholeNumber(0, 600_000, 'milliseconds')),
  METRICS_TOKEN: orNull(textLike(/^[!-~]{16,500}$/, { description: TOKEN, writeOnly: true })),
  OTEL_EXPORTER_OTLP_ENDPOINT: orNull(secretUrl(WEB, 'http://127.0.0.1:4318')),
  LOG_FORMAT: usually(
    'human',
    readBy((text) => LOG_FORMATS.find((format) => format === text), 'human or json'),
  ),
  MIGRATIONS_DIR: usually('drizzle', path),
  HOST: usually('127.0.0.1', host),
  PORT: usually('3000', wholeNumber(0, 65_535)),
  ORIGIN: orNull(webOrigin),
  BASE_PATH: usually('', textLike(BASE_PATH, 'a path such as /wardround, without a slash at its end, or nothing')),
  ADDRESS_HEADER: orNull(headerName),
  XFF_DEPTH: usually('1', wholeNumber(1, 100, 'proxies')),
};

/** What the server of adapter-node reads besides: not in use here, but a wrong value would end it with a stack trace. */
const SERVER_VARIABLES = {
  BODY_SIZE_LIMIT: orNull(textLike(/^(\d{1,12}[KMG]?|Infinity)$/i, 'a number of bytes such as 512K, or Infinity')),
  SHUTDOWN_TIMEOUT: orNull(wholeNumber(0, 86_400, 'seconds')),
  IDLE_TIMEOUT: orNull(wholeNumber(0, 86_400, 'seconds')),
  KEEP_ALIVE_TIMEOUT: orNull(wholeNumber(0, 86_400, 'seconds')),
  HEADERS_TIMEOUT: orNull(wholeNumber(0, 86_400, 'seconds')),
  PROTOCOL_HEADER: orNull(headerName),
  HOST_HEADER: orNull(headerName),
  PORT_HEADER: orNull(headerName),
  NODE_ENV: orNull(z.string()),
};

export const Variables = z.object({ ...VARIABLES, ...SERVER_VARIABLES });

/** What stands for a variable that is not set; `config.test.ts` holds these and `.env.example` together. */
export const DEFAULTS = Object.fromEntries(
  Object.entries(VARIABLES).map(([name, schema]) => [name, metaOf(schema)?.default ?? '']),
) as Readonly<Record<keyof typeof VARIABLES, string>>;
