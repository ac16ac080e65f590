import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseEnv } from 'node:util';
import cronParser from 'cron-parser';
import { parseMailbox, type Mailbox } from './facts/mail-address.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/** Everything the environment decides, parsed once. Times end in their unit. */
export type Settings = {
  readonly databasePath: string;
  readonly migrationsDir: string;
  /** The key itself, from `ENCRYPTION_KEY`; null means: read `encryptionKeyFile`. */
  readonly encryptionKey: string | null;
  readonly encryptionKeyFile: string;
  readonly monitorEnabled: boolean;
  readonly healthCheckCron: string;
  readonly batchSize: number;
  readonly monitoredService: string;
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly restartTimeoutMs: number;
  readonly restartSettleMs: number;
  readonly breaker: { readonly maxConsecutiveFailures: number; readonly cooldownMs: number };
  readonly restartBudget: { readonly maxRestarts: number; readonly windowMs: number };
  readonly gracePeriodCron: string;
  readonly gracePeriodMs: number;
  readonly history: HistorySettings;
  readonly notifications: NotificationSettings;
  /** Failed checks of one incident before the customer hears of it. */
  readonly downAfterChecks: number;
  /** Null: five, or a tenth of the fleet. */
  readonly maxRestartsPerSweep: number | null;
  /** What stands in the browser's address bar, such as `https://wardround.example`: links in mails start with it. */
  readonly origin: string;
  /** The header in which a trusted proxy says who asks; null: whoever connects is who asks. */
  readonly addressHeader: string | null;
};

/** How long what was seen is kept; see `history/retention.ts`. */
export type HistorySettings = {
  /** How long a sample stands at most: without a next one by then, nobody knows. */
  readonly sampleValidMs: number;
  /** Single samples. */
  readonly detailMs: number;
  readonly tenMinutesMs: number;
  readonly hourlyMs: number;
  readonly dailyMs: number;
  /** Journal, ended incidents, and the restart ledger with its evidence. */
  readonly incidentsMs: number;
  /** Messages that need no more sending. */
  readonly messagesMs: number;
  readonly pruneCron: string;
};

/** How people and other programs are told. URLs may hold passwords: they are never logged as they are. */
export type NotificationSettings = {
  /** Null: no mail can be sent, and what is to be mailed waits. */
  readonly smtpUrl: string | null;
  readonly mailFrom: Mailbox;
  /** Where the pages are for whoever follows a link; without a slash at its end. */
  readonly publicUrl: string;
  /** Without a slash at its end. */
  readonly telegramApiUrl: string;
  /** Called after each completed sweep; null: nothing is called. */
  readonly heartbeatUrl: string | null;
  /** More than this many messages for one admin, waiting for so long, become one. */
  readonly digest: { readonly threshold: number; readonly windowMs: number };
};

/** What a person has to mend, all of it at once. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(
      `The configuration has ${problems.length === 1 ? 'a problem' : `${problems.length} problems`}:\n${problems.map((line) => `  - ${line}`).join('\n')}`,
    );
    this.problems = problems;
  }
}

const withoutSlashes = (url: string): string => (url.endsWith('/') ? withoutSlashes(url.slice(0, -1)) : url);

const HOUR_MS = 60 * 60_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * A systemd unit name, also as systemd-escape(1) makes it (`app@foo\x2dbar.service`); no option of a command looks like it.
 * Source: systemd.unit(5).
 */
export const UNIT_NAME = /^(?=.{1,255}$)(?:[A-Za-z0-9_@]|\\x[0-9a-f]{2})(?:[A-Za-z0-9:_.@-]|\\x[0-9a-f]{2})*$/;

/** The variables of `.env.example` and their defaults; `config.test.ts` holds the two together. */
export const DEFAULTS = {
  DATABASE_URL: 'data/wardround.db',
  ENCRYPTION_KEY: '',
  ENCRYPTION_KEY_FILE: 'data/encryption.key',
  ENABLE_HEALTH_MONITOR: '',
  HEALTH_CHECK_CRON: '*/1 * * * *',
  HEALTH_CHECK_BATCH_SIZE: '5',
  MONITORED_SERVICE: 'rachel8',
  SSH_CONNECT_TIMEOUT_MS: '10000',
  SSH_COMMAND_TIMEOUT_MS: '10000',
  RESTART_TIMEOUT_MS: '30000',
  RESTART_SETTLE_MS: '3000',
  CIRCUIT_MAX_CONSECUTIVE_FAILURES: '3',
  CIRCUIT_COOLDOWN_MS: '1800000',
  RESTART_BUDGET: '5',
  RESTART_BUDGET_WINDOW_MS: '1800000',
  MAX_RESTARTS_PER_SWEEP: '',
  NOTIFY_DOWN_AFTER_CHECKS: '2',
  GRACE_PERIOD_CRON: '0 * * * *',
  GRACE_PERIOD_DAYS: '7',
  HISTORY_DETAIL_HOURS: '24',
  HISTORY_10MIN_DAYS: '7',
  HISTORY_HOURLY_DAYS: '90',
  HISTORY_DAILY_DAYS: '730',
  HISTORY_INCIDENT_DAYS: '730',
  HISTORY_MESSAGE_DAYS: '90',
  HISTORY_PRUNE_CRON: '17 * * * *',
  SMTP_URL: '',
  MAIL_FROM: 'Wardround <wardround@localhost>',
  PUBLIC_URL: '',
  TELEGRAM_API_URL: 'https://api.telegram.org',
  HEARTBEAT_URL: '',
  NOTIFY_DIGEST_THRESHOLD: '5',
  NOTIFY_DIGEST_WINDOW_MS: '30000',
  MIGRATIONS_DIR: 'drizzle',
  HOST: '127.0.0.1',
  PORT: '3000',
  ORIGIN: '',
  ADDRESS_HEADER: '',
  XFF_DEPTH: '1',
} as const;

type Name = keyof typeof DEFAULTS;

/** The process environment over the `.env` file of the project folder, if there is one. */
export function readEnvironment(projectDir = process.cwd()): Environment {
  const file = resolve(projectDir, '.env');
  const fromFile = existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return { ...fromFile, ...process.env };
}

/** A path on disk; `file:` in front is allowed, as other tools write it. */
export const databasePath = (environment: Environment): string =>
  resolve((environment.DATABASE_URL || DEFAULTS.DATABASE_URL).replace(/^file:(\/\/)?/, ''));

/** Throws `ConfigurationError`, which names every variable that is wrong, what was given and what is allowed. */
export function parseSettings(environment: Environment): Settings {
  const problems: string[] = [];
  const given = (name: Name): string => environment[name]?.trim() || DEFAULTS[name];
  const refuse = (name: Name, allowed: string): void => {
    problems.push(`${name} is ${JSON.stringify(environment[name])}; allowed: ${allowed}`);
  };
  const integer = (name: Name, min: number, max: number, unit = ''): number => {
    const value = Number(given(name));
    if (!/^\d+$/.test(given(name)) || value < min || value > max)
      refuse(name, `a whole number${unit && ` of ${unit}`} from ${min} to ${max}`);
    return value;
  };
  const cron = (name: Name): string => {
    // Known to be one; and to ask costs a short command as much as all its work.
    if (given(name) === DEFAULTS[name]) return DEFAULTS[name];
    const fields = given(name).split(/\s+/);
    let valid = fields.length === 5 || fields.length === 6;
    try {
      cronParser.parseExpression(given(name));
    } catch {
      valid = false;
    }
    if (!valid) refuse(name, 'a cron expression of five fields, or six with seconds first, such as */1 * * * *');
    return fields.join(' ');
  };
  let sampleValid: number | undefined;
  const notifications = (): NotificationSettings => {
    // Its value is not shown: it may hold a password.
    const url = (name: Name, protocols: readonly string[], example: string): string => {
      const parsed = URL.parse(given(name));
      if (given(name) !== '' && (!parsed || parsed.hostname === '' || !protocols.includes(parsed.protocol)))
        problems.push(
          `${name} is not such an address (what was given may hold a password and is not shown); allowed: ${example}`,
        );
      return withoutSlashes(given(name));
    };
    const web = ['http:', 'https:'];
    const mailFrom = parseMailbox(given('MAIL_FROM'));
    if (mailFrom === null)
      refuse('MAIL_FROM', 'one address, with or without a name: Wardround <wardround@example.com>');
    return {
      smtpUrl:
        url('SMTP_URL', ['smtp:', 'smtps:'], 'smtp://user:password@host:587 or smtps://user:password@host:465') || null,
      mailFrom: mailFrom ?? { name: '', address: '' },
      publicUrl:
        url('PUBLIC_URL', web, 'https://wardround.example.com') ||
        given('ORIGIN') ||
        `http://localhost:${given('PORT')}`,
      telegramApiUrl: url('TELEGRAM_API_URL', web, DEFAULTS.TELEGRAM_API_URL),
      heartbeatUrl: url('HEARTBEAT_URL', web, 'https://monitor.example.com/ping/some-id') || null,
      digest: {
        threshold: integer('NOTIFY_DIGEST_THRESHOLD', 1, 1_000, 'messages'),
        windowMs: integer('NOTIFY_DIGEST_WINDOW_MS', 0, 600_000, 'milliseconds'),
      },
    };
  };

  const enable = given('ENABLE_HEALTH_MONITOR').toLowerCase();
  if (!['', 'true', 'false'].includes(enable)) refuse('ENABLE_HEALTH_MONITOR', 'true, false, or nothing');
  const service = given('MONITORED_SERVICE');
  if (!UNIT_NAME.test(service)) refuse('MONITORED_SERVICE', 'a systemd unit name such as rachel8 or app@1.service');
  if (/^[a-z]+:\/\//i.test(given('DATABASE_URL')) && !given('DATABASE_URL').startsWith('file:'))
    refuse('DATABASE_URL', 'the path of a SQLite file, such as data/wardround.db');

  const origin = given('ORIGIN') || `http://localhost:${given('PORT')}`;
  if (given('ORIGIN') !== '' && !(/^https?:\/\/[^/\s]+$/i.test(origin) && URL.canParse(origin)))
    refuse('ORIGIN', 'scheme and host as in the address bar, such as https://wardround.example');
  if (!/^([a-z0-9-]+)?$/i.test(given('ADDRESS_HEADER')))
    refuse('ADDRESS_HEADER', 'the name of a header, such as X-Forwarded-For, or nothing');

  const settings: Settings = {
    databasePath: databasePath(environment),
    migrationsDir: resolve(given('MIGRATIONS_DIR')),
    encryptionKey: environment.ENCRYPTION_KEY?.trim() || null,
    encryptionKeyFile: resolve(given('ENCRYPTION_KEY_FILE')),
    monitorEnabled: enable === '' ? environment.NODE_ENV === 'production' : enable === 'true',
    healthCheckCron: cron('HEALTH_CHECK_CRON'),
    batchSize: integer('HEALTH_CHECK_BATCH_SIZE', 1, 100, 'VPSs'),
    monitoredService: service,
    connectTimeoutMs: integer('SSH_CONNECT_TIMEOUT_MS', 100, 120_000, 'milliseconds'),
    commandTimeoutMs: integer('SSH_COMMAND_TIMEOUT_MS', 100, 120_000, 'milliseconds'),
    restartTimeoutMs: integer('RESTART_TIMEOUT_MS', 100, 600_000, 'milliseconds'),
    restartSettleMs: integer('RESTART_SETTLE_MS', 0, 60_000, 'milliseconds'),
    breaker: {
      maxConsecutiveFailures: integer('CIRCUIT_MAX_CONSECUTIVE_FAILURES', 1, 100, 'failures'),
      cooldownMs: integer('CIRCUIT_COOLDOWN_MS', 1_000, 7 * DAY_MS, 'milliseconds'),
    },
    restartBudget: {
      maxRestarts: integer('RESTART_BUDGET', 1, 1_000, 'restarts'),
      windowMs: integer('RESTART_BUDGET_WINDOW_MS', 1_000, 7 * DAY_MS, 'milliseconds'),
    },
    maxRestartsPerSweep:
      given('MAX_RESTARTS_PER_SWEEP') === '' ? null : integer('MAX_RESTARTS_PER_SWEEP', 0, 100_000, 'restarts'),
    downAfterChecks: integer('NOTIFY_DOWN_AFTER_CHECKS', 1, 1_000, 'checks'),
    gracePeriodCron: cron('GRACE_PERIOD_CRON'),
    gracePeriodMs: integer('GRACE_PERIOD_DAYS', 0, 3_650, 'days') * DAY_MS,
    history: {
      // Worked out when it is asked for: most commands do not, and it takes two dozen runs of the schedule.
      get sampleValidMs() {
        return (sampleValid ??= sampleValidMs(given('HEALTH_CHECK_CRON')));
      },
      // Each at least as long as the pages look back on it.
      detailMs: integer('HISTORY_DETAIL_HOURS', 2, 168, 'hours') * HOUR_MS,
      tenMinutesMs: integer('HISTORY_10MIN_DAYS', 2, 90, 'days') * DAY_MS,
      hourlyMs: integer('HISTORY_HOURLY_DAYS', 90, 730, 'days') * DAY_MS,
      dailyMs: integer('HISTORY_DAILY_DAYS', 90, 3_650, 'days') * DAY_MS,
      incidentsMs: integer('HISTORY_INCIDENT_DAYS', 90, 3_650, 'days') * DAY_MS,
      messagesMs: integer('HISTORY_MESSAGE_DAYS', 1, 3_650, 'days') * DAY_MS,
      pruneCron: cron('HISTORY_PRUNE_CRON'),
    },
    notifications: notifications(),
    origin,
    addressHeader: given('ADDRESS_HEADER') || null,
  };
  integer('PORT', 0, 65_535);
  integer('XFF_DEPTH', 1, 100, 'proxies');
  if (problems.length > 0) throw new ConfigurationError(problems);
  return settings;
}

const SAMPLE_VALID_AT_LEAST_MS = 30_000;
/** So many runs ahead are looked at for the shortest time between two: a day of runs each hour, a week of daily ones. */
const RUNS_LOOKED_AT = 24;

/**
 * Three sweeps, so that one that is skipped and one that is slow leave no gap. Between the last run of an evening and
 * the first of a morning nobody looks: what counts is the shortest time between two runs. An expression that
 * is none has been refused already.
 */
function sampleValidMs(cron: string): number {
  try {
    const runs = cronParser.parseExpression(cron, { currentDate: new Date(0) });
    const times = Array.from({ length: RUNS_LOOKED_AT }, () => runs.next().getTime());
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? -Infinity));
    return Math.max(3 * Math.min(...gaps), SAMPLE_VALID_AT_LEAST_MS);
  } catch {
    return SAMPLE_VALID_AT_LEAST_MS;
  }
}
