import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { index, integer, sqliteTable, text, uniqueIndex } from 'drizzle-orm/sqlite-core';

/** A readable, unguessable primary key such as `user-9f1c6a02b7d4e8c1`. */
export const newId = (kind: 'user' | 'vps' | 'health' | 'restart' | 'bot'): string =>
  `${kind}-${randomBytes(8).toString('hex')}`;

/** Every time column is an integer of milliseconds since 1970 (UTC) and a `Date` in TypeScript. */
const time = (name: string) => integer(name, { mode: 'timestamp_ms' });

const now = () => new Date();
const NOW_MS = sql`(CAST(unixepoch('subsec') * 1000 AS INTEGER))`;
const createdAt = () => time('created_at').notNull().default(NOW_MS).$defaultFn(now);
const updatedAt = () => time('updated_at').notNull().default(NOW_MS).$defaultFn(now).$onUpdateFn(now);

export const users = sqliteTable('users', {
  id: text('id')
    .primaryKey()
    .$defaultFn(() => newId('user')),
  email: text('email').notNull().unique(),
  name: text('name'),
  role: text('role', { enum: ['customer', 'admin'] })
    .notNull()
    .default('customer'),
  emailVerified: integer('email_verified', { mode: 'boolean' }).notNull().default(false),
  image: text('image'),
  banned: integer('banned', { mode: 'boolean' }).notNull().default(false),
  banReason: text('ban_reason'),
  banExpires: time('ban_expires'),
  twoFactorEnabled: integer('two_factor_enabled', { mode: 'boolean' }).notNull().default(false),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

/** A customer's contract and the one VPS that comes with it. */
export const subscriptions = sqliteTable(
  'subscriptions',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => newId('vps')),
    userId: text('user_id')
      .notNull()
      .unique()
      .references(() => users.id, { onDelete: 'cascade' }),
    status: text('status', { enum: ['active', 'past_due', 'canceled'] })
      .notNull()
      .default('active'),
    /** When payment failed; the grace period counts from here. Null unless `past_due`. */
    pastDueSince: time('past_due_since'),
    canceledAt: time('canceled_at'),
    vpsProvisioned: integer('vps_provisioned', { mode: 'boolean' }).notNull().default(false),
    provisioningStatus: text('provisioning_status', { enum: ['pending', 'provisioning', 'ready', 'failed'] })
      .notNull()
      .default('pending'),
    vpsIpAddress: text('vps_ip_address'),
    sshPort: integer('ssh_port').notNull().default(22),
    sshUser: text('ssh_user').notNull().default('root'),
    /** Encrypted and bound to this row: see `crypto/encryption.ts`. */
    sshPrivateKey: text('ssh_private_key'),
    /** Pinned at first use, as `ssh-ed25519 AAAA…`. Null until the first connection. */
    sshHostKey: text('ssh_host_key'),
    /** The systemd unit under watch; null means the setting `MONITORED_SERVICE`. */
    serviceName: text('service_name'),
    /** While set, the VPS is looked at but never healed, and its failures do not count. */
    maintenanceSince: time('maintenance_since'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    // Exactly the columns of the sweep's WHERE clause.
    index('subscriptions_active_idx').on(table.status, table.vpsProvisioned, table.provisioningStatus),
    index('subscriptions_vps_ip_address_idx').on(table.vpsIpAddress),
  ],
);

export const telegramBots = sqliteTable('telegram_bots', {
  id: text('id')
    .primaryKey()
    .$defaultFn(() => newId('bot')),
  userId: text('user_id')
    .notNull()
    .unique()
    .references(() => users.id, { onDelete: 'cascade' }),
  /** Encrypted and bound to this row: see `crypto/encryption.ts`. */
  botToken: text('bot_token').notNull(),
  botUsername: text('bot_username'),
  chatId: text('chat_id'),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

/** The state of one VPS. Written by `monitoring/health-store.ts` and by nobody else. */
export const healthChecks = sqliteTable(
  'health_checks',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => newId('health')),
    userId: text('user_id')
      .notNull()
      .unique()
      .references(() => users.id, { onDelete: 'cascade' }),
    status: text('status', { enum: ['healthy', 'unhealthy', 'down', 'circuit_open'] })
      .notNull()
      .default('healthy'),
    consecutiveFailures: integer('consecutive_failures').notNull().default(0),
    circuitState: text('circuit_state', { enum: ['closed', 'open', 'half_open'] })
      .notNull()
      .default('closed'),
    circuitOpenedAt: time('circuit_opened_at'),
    lastCheckAt: time('last_check_at'),
    lastHealthyAt: time('last_healthy_at'),
    lastFailureAt: time('last_failure_at'),
    lastRestartAttemptAt: time('last_restart_attempt_at'),
    lastNotifiedDownAt: time('last_notified_down_at'),
    lastNotifiedUpAt: time('last_notified_up_at'),
    lastError: text('last_error'),
    totalChecks: integer('total_checks').notNull().default(0),
    totalFailures: integer('total_failures').notNull().default(0),
    totalRecoveries: integer('total_recoveries').notNull().default(0),
    /** The kind of `lastError` (see `Cause` in `monitoring/verdict.ts`); null when all is well. */
    lastErrorCode: text('last_error_code'),
    /** Why the circuit opened; null while it is closed. */
    circuitReason: text('circuit_reason', { enum: ['failures', 'crash_loop'] }),
    /** Set while the unit is between two states and enjoys its one sweep of grace. */
    transitionalSince: time('transitional_since'),
    /** Refused logins in a row, and when the next one may be tried. */
    authFailures: integer('auth_failures').notNull().default(0),
    authRetryAt: time('auth_retry_at'),
    /** How long the last probe took, from dial to answer, in milliseconds. */
    lastProbeMs: integer('last_probe_ms'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [index('health_checks_status_idx').on(table.status)],
);

/** The restart ledger: the intent is written before the command is sent, the outcome afterwards. */
export const restartAttempts = sqliteTable(
  'restart_attempts',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => newId('restart')),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    intendedAt: time('intended_at').notNull(),
    finishedAt: time('finished_at'),
    /** Null while the restart runs, or for ever when the app died in the middle: then nobody knows. */
    outcome: text('outcome', { enum: ['succeeded', 'failed', 'not_sent', 'unknown'] }),
    detail: text('detail'),
  },
  (table) => [index('restart_attempts_user_idx').on(table.userId, table.intendedAt)],
);

/**
 * Who may do what only one process may do at a time. `monitor`: which server sweeps on schedule;
 * `sweep`: who sweeps right now (that server or the command line).
 */
export const leases = sqliteTable('leases', {
  name: text('name', { enum: ['monitor', 'sweep'] }).primaryKey(),
  holder: text('holder').notNull(),
  /** Machine, boot and PID namespace of the holder; its PID means something only there. */
  machine: text('machine').notNull(),
  pid: integer('pid').notNull(),
  acquiredAt: time('acquired_at').notNull(),
  expiresAt: time('expires_at').notNull(),
});

/** Facts about the database itself, such as the proof that the encryption key is the right one. */
export const metadata = sqliteTable('metadata', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});

export type Subscription = typeof subscriptions.$inferSelect;
export type HealthCheck = typeof healthChecks.$inferSelect;

/* Accounts. `sessions`, `accounts`, `verifications` and `two_factors` have the columns that better-auth asks for. */

/** Who is signed in where. Ending a session is deleting its row. */
export const sessions = sqliteTable(
  'sessions',
  {
    id: text('id').primaryKey(),
    /** In the cookie together with a signature, without which it is worth nothing. */
    token: text('token').notNull().unique(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    expiresAt: time('expires_at').notNull(),
    ipAddress: text('ip_address'),
    userAgent: text('user_agent'),
    impersonatedBy: text('impersonated_by'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [index('sessions_user_id_idx').on(table.userId), index('sessions_expires_at_idx').on(table.expiresAt)],
);

/** How a user may sign in: a row with the provider `credential` holds the hash of the password. */
export const accounts = sqliteTable(
  'accounts',
  {
    id: text('id').primaryKey(),
    accountId: text('account_id').notNull(),
    providerId: text('provider_id').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    password: text('password'),
    accessToken: text('access_token'),
    refreshToken: text('refresh_token'),
    idToken: text('id_token'),
    accessTokenExpiresAt: time('access_token_expires_at'),
    refreshTokenExpiresAt: time('refresh_token_expires_at'),
    scope: text('scope'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [uniqueIndex('accounts_user_provider_idx').on(table.userId, table.providerId)],
);

/** What better-auth remembers between two steps, such as a sign-in that waits for its second factor. */
export const verifications = sqliteTable(
  'verifications',
  {
    id: text('id').primaryKey(),
    identifier: text('identifier').notNull(),
    value: text('value').notNull(),
    expiresAt: time('expires_at').notNull(),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [index('verifications_identifier_idx').on(table.identifier)],
);

/** The second factor of a user; secret and backup codes are encrypted. */
export const twoFactors = sqliteTable(
  'two_factors',
  {
    id: text('id').primaryKey(),
    secret: text('secret').notNull(),
    backupCodes: text('backup_codes').notNull(),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    verified: integer('verified', { mode: 'boolean' }).notNull().default(false),
    failedVerificationCount: integer('failed_verification_count').notNull().default(0),
    lockedUntil: time('locked_until'),
  },
  (table) => [index('two_factors_user_id_idx').on(table.userId)],
);

/** Links that may be followed once. Only the hash of what makes them unguessable is here. */
export const oneTimeLinks = sqliteTable(
  'one_time_links',
  {
    tokenHash: text('token_hash').primaryKey(),
    purpose: text('purpose', { enum: ['first_admin', 'password'] }).notNull(),
    /** Whose password may be set; null for the first admin, who does not exist yet. */
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    expiresAt: time('expires_at').notNull(),
    createdAt: createdAt(),
  },
  (table) => [index('one_time_links_user_id_idx').on(table.userId)],
);

/** Attempts counted against a limit: see `auth/rate-limit.ts`. */
export const rateLimits = sqliteTable(
  'rate_limits',
  {
    key: text('key').primaryKey(),
    count: integer('count').notNull(),
    endsAt: time('ends_at').notNull(),
  },
  (table) => [index('rate_limits_ends_at_idx').on(table.endsAt)],
);
