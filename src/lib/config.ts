import { ConfigurationError, type Environment } from './environment.ts';
import type { Reach } from './facts/address-reach.ts';
import type { LinkChoice } from './facts/link.ts';
import type { Mailbox } from './facts/mail-address.ts';
import { firstRuns } from './parsing/cron-expression.ts';
import { parse, withoutBlanks } from './parsing/parse.ts';
import { inTerminal } from './parsing/problems.ts';
import { Variables } from './variables.ts';

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
  /** Connections that a sweep may have open at once. */
  readonly maxSockets: number;
  /** Where VPSs, and the webhooks of admins, may be. */
  readonly allowedAddresses: Reach;
  /** Which kinds of link may be used. */
  readonly sshLink: LinkChoice;
  /** Connections that are kept from look to look. */
  readonly sshMaxLinks: number;
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
  /** What stands in the browser's address bar, such as `https://wardround.example`. */
  readonly origin: string;
  /** The path that the site is served under, such as `/wardround`; empty where it has its origin to itself. */
  readonly basePath: string;
  /** Both: where the start page is, without a slash at its end. */
  readonly siteUrl: string;
  /** What a scraper has to bear; null: it has to come from this machine. */
  readonly metricsToken: string | null;
  /** Where traces of sweeps are sent; without a slash at its end. Null: nowhere. */
  readonly tracesEndpoint: string | null;
  readonly logFormat: 'human' | 'json';
  /** Where the server listens. */
  readonly listen: { readonly host: string; readonly port: number };
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

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** Throws `ConfigurationError`, which names every variable that is wrong, what was given and what is allowed. */
export function parseSettings(environment: Environment): Settings {
  const parsed = parse(Variables, withoutBlanks(environment));
  if ('problems' in parsed) throw new ConfigurationError(inTerminal(parsed.problems));
  const given = parsed.value;
  const origin = given.ORIGIN ?? `http://localhost:${given.PORT}`;
  const siteUrl = origin + given.BASE_PATH;
  let sampleValid: number | undefined;
  return {
    databasePath: given.DATABASE_URL,
    migrationsDir: given.MIGRATIONS_DIR,
    encryptionKey: given.ENCRYPTION_KEY,
    encryptionKeyFile: given.ENCRYPTION_KEY_FILE,
    monitorEnabled: given.ENABLE_HEALTH_MONITOR ?? given.NODE_ENV === 'production',
    healthCheckCron: given.HEALTH_CHECK_CRON,
    batchSize: given.HEALTH_CHECK_BATCH_SIZE,
    maxSockets: given.SWEEP_MAX_SOCKETS,
    allowedAddresses: given.ALLOWED_ADDRESSES,
    sshLink: given.SSH_LINK,
    sshMaxLinks: given.SSH_MAX_LINKS,
    monitoredService: given.MONITORED_SERVICE,
    connectTimeoutMs: given.SSH_CONNECT_TIMEOUT_MS,
    commandTimeoutMs: given.SSH_COMMAND_TIMEOUT_MS,
    restartTimeoutMs: given.RESTART_TIMEOUT_MS,
    restartSettleMs: given.RESTART_SETTLE_MS,
    breaker: {
      maxConsecutiveFailures: given.CIRCUIT_MAX_CONSECUTIVE_FAILURES,
      cooldownMs: given.CIRCUIT_COOLDOWN_MS,
    },
    restartBudget: { maxRestarts: given.RESTART_BUDGET, windowMs: given.RESTART_BUDGET_WINDOW_MS },
    maxRestartsPerSweep: given.MAX_RESTARTS_PER_SWEEP,
    downAfterChecks: given.NOTIFY_DOWN_AFTER_CHECKS,
    gracePeriodCron: given.GRACE_PERIOD_CRON,
    gracePeriodMs: given.GRACE_PERIOD_DAYS * DAY_MS,
    history: {
      // Worked out when it is asked for: most commands do not, and it takes two dozen runs of the schedule.
      get sampleValidMs() {
        return (sampleValid ??= sampleValidMs(given.HEALTH_CHECK_CRON));
      },
      detailMs: given.HISTORY_DETAIL_HOURS * HOUR_MS,
      tenMinutesMs: given.HISTORY_10MIN_DAYS * DAY_MS,
      hourlyMs: given.HISTORY_HOURLY_DAYS * DAY_MS,
      dailyMs: given.HISTORY_DAILY_DAYS * DAY_MS,
      incidentsMs: given.HISTORY_INCIDENT_DAYS * DAY_MS,
      messagesMs: given.HISTORY_MESSAGE_DAYS * DAY_MS,
      pruneCron: given.HISTORY_PRUNE_CRON,
    },
    notifications: {
      smtpUrl: given.SMTP_URL,
      mailFrom: given.MAIL_FROM,
      publicUrl: given.PUBLIC_URL ?? siteUrl,
      telegramApiUrl: given.TELEGRAM_API_URL,
      heartbeatUrl: given.HEARTBEAT_URL,
      digest: { threshold: given.NOTIFY_DIGEST_THRESHOLD, windowMs: given.NOTIFY_DIGEST_WINDOW_MS },
    },
    metricsToken: given.METRICS_TOKEN,
    tracesEndpoint: given.OTEL_EXPORTER_OTLP_ENDPOINT,
    logFormat: given.LOG_FORMAT,
    listen: { host: given.HOST, port: given.PORT },
    origin,
    basePath: given.BASE_PATH,
    siteUrl,
    addressHeader: given.ADDRESS_HEADER,
  };
}

const SAMPLE_VALID_AT_LEAST_MS = 30_000;
/** So many runs ahead are looked at for the shortest time between two: a day of runs each hour, a week of daily ones. */
const RUNS_LOOKED_AT = 24;

/**
 * Three sweeps, so that one that is skipped and one that is slow leave no gap. Between the last run of an evening and
 * the first of a morning nobody looks: what counts is the shortest time between two runs. What never fires
 * (30 February) has none.
 */
function sampleValidMs(cron: string): number {
  try {
    const times = firstRuns(cron, RUNS_LOOKED_AT);
    const gaps = times.slice(1).map((time, index) => time - (times[index] ?? -Infinity));
    return Math.max(3 * Math.min(...gaps), SAMPLE_VALID_AT_LEAST_MS);
  } catch {
    return SAMPLE_VALID_AT_LEAST_MS;
  }
}
