import { randomBytes } from 'node:crypto';
import { sql } from 'drizzle-orm';
import { parseCause, type Cause } from '../facts/cause.ts';
import type { JournalDetail, JournalKind } from '../facts/journal.ts';
import { LINK_KINDS } from '../facts/link.ts';
import type { ChannelName, MessageFacts, NotificationKind } from '../facts/message.ts';
import {
  customType,
  index,
  integer,
  primaryKey,
  sqliteTable,
  text,
  uniqueIndex,
  type SQLiteColumn,
} from 'drizzle-orm/sqlite-core';

/** A readable, unguessable primary key such as `user-9f1c6a02b7d4e8c1`. */
export const newId = (
  kind: 'user' | 'vps' | 'health' | 'restart' | 'bot' | 'incident' | 'window' | 'message' | 'key' | 'authority',
): string => `${kind}-${randomBytes(8).toString('hex')}`;

/** Every time column is an integer of milliseconds since 1970 (UTC) and a `Date` in TypeScript. */
const time = (name: string) => integer(name, { mode: 'timestamp_ms' });

/** A row may be of another version of this program: a cause that this one does not know is read as `unknown`. */
const causeColumn = customType<{ data: Cause; driverData: string }>({
  dataType: () => 'text',
  fromDriver: parseCause,
});

const now = () => new Date();
const NOW_MS = sql`(CAST(unixepoch('subsec') * 1000 AS INTEGER))`;
const createdAt = () => time('created_at').notNull().default(NOW_MS).$defaultFn(now);
const updatedAt = () => time('updated_at').notNull().default(NOW_MS).$defaultFn(now).$onUpdateFn(now);

export const users = sqliteTable(
  'users',
  {
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
  },
  (table) => [index('users_role_idx').on(table.role, table.email)],
);

/** Login keys that several VPSs share. The newest is the one that new VPSs get. */
export const sshKeys = sqliteTable('ssh_keys', {
  id: text('id')
    .primaryKey()
    .$defaultFn(() => newId('key')),
  /** Encrypted and bound to this row: see `crypto/encryption.ts`. */
  privateKey: text('private_key').notNull(),
  /** As it stands in `authorized_keys`: `ssh-ed25519 AAAA…`. */
  publicKey: text('public_key').notNull(),
  createdAt: createdAt(),
});

/** The fleet's own SSH authority, which signs the certificates that VPSs are logged in to with; and the next one, if any. */
export const sshAuthorities = sqliteTable('ssh_authorities', {
  id: text('id')
    .primaryKey()
    .$defaultFn(() => newId('authority')),
  /** `next`: hosts are to trust it, too, before it takes the place of the one that signs. */
  role: text('role', { enum: ['signing', 'next'] })
    .notNull()
    .unique(),
  /** Encrypted and bound to this row: see `crypto/encryption.ts`. */
  privateKey: text('private_key').notNull(),
  /** As it stands in `TrustedUserCAKeys`: `ssh-ed25519 AAAA…`. */
  publicKey: text('public_key').notNull(),
  createdAt: createdAt(),
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
    /** With a key that is stored, or with a certificate of the fleet's authority: then no key is. */
    sshLogin: text('ssh_login', { enum: ['key', 'certificate'] })
      .notNull()
      .default('key'),
    /** Its own login key, encrypted and bound to this row: see `crypto/encryption.ts`. Null where it has none of its own. */
    sshPrivateKey: text('ssh_private_key'),
    /** The shared key that stands for one of its own. */
    sshKeyId: text('ssh_key_id').references(() => sshKeys.id),
    /** Pinned at first use, as `ssh-ed25519 AAAA…`. Null until the first connection. */
    sshHostKey: text('ssh_host_key'),
    /** When that was: its first connection, or when a person gave it. */
    sshHostKeyAt: time('ssh_host_key_at'),
    /** The systemd unit under watch; null means the setting `MONITORED_SERVICE`. */
    serviceName: text('service_name'),
    /** What an admin wants to remember of it. */
    note: text('note'),
    /** Why its last preflight did not pass, in a sentence; null once one has. */
    notReadyWhy: text('not_ready_why'),
    /** Since when an admin keeps this VPS from being restarted automatically; null: healing is on. */
    healingPausedSince: time('healing_paused_since'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    // Exactly the columns of the sweep's WHERE clause.
    index('subscriptions_active_idx').on(table.status, table.vpsProvisioned, table.provisioningStatus),
    index('subscriptions_vps_ip_address_idx').on(table.vpsIpAddress),
    index('subscriptions_ssh_key_idx').on(table.sshKeyId),
    index('subscriptions_host_key_idx').on(table.sshHostKey, table.createdAt, table.id),
  ],
);

/** What an operator sorts VPSs by; a free word has the value ''. Read and written by `db/label-store.ts`. */
export const vpsLabels = sqliteTable(
  'vps_labels',
  {
    vpsId: text('vps_id')
      .notNull()
      .references(() => subscriptions.id, { onDelete: 'cascade' }),
    name: text('name').notNull(),
    value: text('value').notNull(),
  },
  (table) => [
    primaryKey({ columns: [table.vpsId, table.name] }),
    index('vps_labels_name_idx').on(table.name, table.value, table.vpsId),
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
export const healthChecks = sqliteTable('health_checks', {
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
  /** The kind of `lastError`; null when all is well. */
  lastErrorCode: causeColumn('last_error_code'),
  /** Why the circuit opened; null while it is closed. */
  circuitReason: text('circuit_reason', { enum: ['failures', 'crash_loop'] }),
  /** Set while the unit is between two states and has its one sweep of grace. */
  transitionalSince: time('transitional_since'),
  /** The start that is waited for: its InvocationID, when it began, and until when it is given. Null: none. */
  startingInvocation: text('starting_invocation'),
  startingSince: time('starting_since'),
  startingUntil: time('starting_until'),
  /** Refused logins in a row, and when the next one may be tried. */
  authFailures: integer('auth_failures').notNull().default(0),
  authRetryAt: time('auth_retry_at'),
  /** How long the last probe took, from dial to answer, in milliseconds. */
  lastProbeMs: integer('last_probe_ms'),
  /** Whether SSH worked at the last check that says so; null before the first one. */
  reachable: integer('reachable', { mode: 'boolean' }),
  /** The host key that was shown last instead of the pinned one, `ssh-ed25519 AAAA…`; null after a login that worked. */
  offeredHostKey: text('offered_host_key'),
  /** When that was shown first. */
  offeredHostKeyAt: time('offered_host_key_at'),
  /** When the host last proved to own the pinned key. */
  hostKeySeenAt: time('host_key_seen_at'),
  lastNotifiedRecoveredAt: time('last_notified_recovered_at'),
  /** Since when checks have found the VPS under maintenance; null while it is not. */
  maintenanceSeenSince: time('maintenance_seen_since'),
  /** When an admin last reset the circuit: restarts before that are no crash loop any more. */
  circuitResetAt: time('circuit_reset_at'),
  /** How it was reached last: the kind of link, since when, why it is no better one, and when the bus told something. */
  linkKind: text('link_kind', { enum: LINK_KINDS }),
  linkSince: time('link_since'),
  linkLimit: text('link_limit'),
  linkDetail: text('link_detail'),
  linkNewsAt: time('link_news_at'),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

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
    /** The incident it was meant to end. */
    incidentId: text('incident_id'),
    intendedAt: time('intended_at').notNull(),
    finishedAt: time('finished_at'),
    /** Null while the restart runs, or for ever when the app died in the middle: then nobody knows. */
    outcome: text('outcome', { enum: ['succeeded', 'failed', 'not_sent', 'unknown'] }),
    detail: text('detail'),
    /** Who asked for it: a user's id or `cli`; null: the monitor itself. */
    requestedBy: text('requested_by'),
  },
  (table) => [
    index('restart_attempts_user_idx').on(table.userId, table.intendedAt),
    index('restart_attempts_incident_idx').on(table.incidentId, table.intendedAt),
  ],
);

/** What the host said of its unit right before a restart, which wipes it out. For admins: raw text of a remote host. */
export const restartEvidence = sqliteTable('restart_evidence', {
  restartId: text('restart_id')
    .primaryKey()
    .references(() => restartAttempts.id, { onDelete: 'cascade' }),
  takenAt: time('taken_at').notNull(),
  /** Lines of `systemctl show`, `Name=value`; empty where the account may not ask. */
  unit: text('unit').notNull(),
  /** The last lines of the unit's journal; empty where the account may not read it. */
  journal: text('journal').notNull(),
});

/** The public page of a VPS; without a row there is none. */
export const statusPages = sqliteTable('status_pages', {
  vpsId: text('vps_id')
    .primaryKey()
    .references(() => subscriptions.id, { onDelete: 'cascade' }),
  /** What makes its address unguessable; as it is, since the owner has to be shown that address again. */
  token: text('token').notNull().unique(),
  /** What the page calls the VPS; null: "This service". */
  title: text('title'),
  createdAt: createdAt(),
  updatedAt: updatedAt(),
});

/** When a VPS is looked at but neither healed nor counted. Judged by `monitoring/maintenance.ts`. */
export const maintenanceWindows = sqliteTable(
  'maintenance_windows',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => newId('window')),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    kind: text('kind', { enum: ['once', 'until_healthy', 'weekly'] }).notNull(),
    startsAt: time('starts_at').notNull(),
    /** Null: until somebody ends it; for a weekly window, for ever. */
    endsAt: time('ends_at'),
    /** Weekly windows: 0 = Sunday, minutes after midnight in that time zone (IANA name), length in minutes. */
    weekday: integer('weekday'),
    startMinute: integer('start_minute'),
    durationMinutes: integer('duration_minutes'),
    timeZone: text('time_zone'),
    /** When the occurrence began that somebody has ended before its time; the next ones open as always. */
    endedOccurrence: time('ended_occurrence'),
    reason: text('reason'),
    createdBy: text('created_by').notNull(),
    createdAt: createdAt(),
  },
  (table) => [
    index('maintenance_windows_user_idx').on(table.userId),
    index('maintenance_windows_ends_idx').on(table.endsAt),
  ],
);

/** Incidents in the order of `listIncidents`. */
const openFirst = ({ endedAt, openedAt, id }: Readonly<Record<'endedAt' | 'openedAt' | 'id', SQLiteColumn>>) =>
  [sql`(${endedAt} IS NOT NULL)`, sql`${openedAt} DESC`, sql`${id} DESC`] as const;

/** From the first failed check to recovery. A VPS has at most one that is open. */
export const incidents = sqliteTable(
  'incidents',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => newId('incident')),
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    /** The subscription at the time; no foreign key, as an incident outlives its machine. */
    vpsId: text('vps_id').notNull(),
    openedAt: time('opened_at').notNull(),
    endedAt: time('ended_at'),
    /** What the first failed check found. */
    cause: causeColumn('cause').notNull(),
    firstError: text('first_error').notNull(),
    /** `by_itself`: a check found the service active; `restart`: ours brought it back; `not_watched`: VPS removed or cancelled. */
    endedBy: text('ended_by', { enum: ['by_itself', 'restart', 'not_watched'] }),
    failedChecks: integer('failed_checks').notNull().default(0),
    /** When the circuit opened in this incident, first; a failed trial does not move it. */
    circuitOpenedAt: time('circuit_opened_at'),
    acknowledgedAt: time('acknowledged_at'),
    acknowledgedBy: text('acknowledged_by'),
  },
  (table) => [
    uniqueIndex('incidents_open_idx')
      .on(table.userId)
      .where(sql`ended_at IS NULL`),
    index('incidents_opened_idx').on(table.openedAt, table.id),
    // In the order of lists: all of them, those of a customer, of a VPS, of a cause.
    index('incidents_list_idx').on(...openFirst(table)),
    index('incidents_user_idx').on(table.userId, ...openFirst(table)),
    index('incidents_vps_idx').on(table.vpsId, ...openFirst(table)),
    index('incidents_cause_idx').on(table.cause, ...openFirst(table)),
  ],
);

/** What happened, in order. Rows are added and, after years, pruned; never changed. */
export const healthEvents = sqliteTable(
  'health_events',
  {
    id: integer('id').primaryKey({ autoIncrement: true }),
    at: time('at').notNull(),
    kind: text('kind').$type<JournalKind>().notNull(),
    /** Null for what concerns the whole fleet. */
    userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
    vpsId: text('vps_id'),
    incidentId: text('incident_id'),
    /** `monitor`, or who did it: a user's id, `cli`. */
    actor: text('actor').notNull(),
    detail: text('detail', { mode: 'json' }).$type<JournalDetail>().notNull(),
  },
  (table) => [
    index('health_events_user_idx').on(table.userId, table.at),
    index('health_events_incident_idx').on(table.incidentId, table.at),
    index('health_events_at_idx').on(table.at),
  ],
);

/** The short name under which a VPS's history is kept: millions of rows carry it. */
export const historySeries = sqliteTable('history_series', {
  id: integer('id').primaryKey(),
  userId: text('user_id')
    .notNull()
    .unique()
    .references(() => users.id, { onDelete: 'cascade' }),
});

/** One row a look. Stands until the next one, but no longer than a sample is valid. */
export const healthSamples = sqliteTable(
  'health_samples',
  {
    seriesId: integer('series_id')
      .notNull()
      .references(() => historySeries.id, { onDelete: 'cascade' }),
    at: time('at').notNull(),
    state: text('state', { enum: ['healthy', 'unhealthy', 'down', 'maintenance', 'unknown'] }).notNull(),
    probeMs: integer('probe_ms'),
  },
  (table) => [primaryKey({ columns: [table.seriesId, table.at] })],
);

/**
 * The newest looks at a VPS, all in one row: so that a look changes one page, which others share, instead of four of its
 * own. They are in no other table until `history/sample-store.ts` moves them. Without a row there are none.
 */
export const recentSamples = sqliteTable('recent_samples', {
  seriesId: integer('series_id')
    .primaryKey()
    .references(() => historySeries.id, { onDelete: 'cascade' }),
  beganAt: time('began_at').notNull(),
  newestAt: time('newest_at').notNull(),
  /** What is taken from then on finds no place here: these are moved first. */
  closesAt: time('closes_at').notNull(),
  /** How long each of them stands at most, as it was when they were taken. */
  validMs: integer('valid_ms').notNull(),
  /** In order of time; see `history/rules/recent.ts`. */
  samples: text('samples').notNull(),
});

/** Time spent up and down within a bucket, and how long probes took. What is missing of the bucket is unknown. */
export const healthRollups = sqliteTable(
  'health_rollups',
  {
    seriesId: integer('series_id')
      .notNull()
      .references(() => historySeries.id, { onDelete: 'cascade' }),
    resolution: text('resolution', { enum: ['10min', 'hour', 'day'] }).notNull(),
    startsAt: time('starts_at').notNull(),
    upMs: integer('up_ms').notNull().default(0),
    downMs: integer('down_ms').notNull().default(0),
    /** Probe durations as a histogram; see `history/probe-histogram.ts`. */
    probes: text('probes').notNull().default(''),
  },
  (table) => [primaryKey({ columns: [table.seriesId, table.resolution, table.startsAt] })],
);

/** What is true of the monitor as a whole; one row, `id` 1. Written by `monitoring/monitor-state.ts`. */
export const monitorState = sqliteTable('monitor_state', {
  id: integer('id').primaryKey(),
  /** `off`: an admin has switched healing off; `paused`: so much stopped at once that an admin has to decide. */
  healing: text('healing', { enum: ['on', 'off', 'paused'] })
    .notNull()
    .default('on'),
  healingSince: time('healing_since'),
  healingBy: text('healing_by'),
  /** Why an admin has switched it, in that admin's words. */
  healingReason: text('healing_reason'),
  /** What made healing pause. */
  pauseStopped: integer('pause_stopped'),
  pauseFleet: integer('pause_fleet'),
  /** Set while sweeps are inconclusive because much of the fleet became unreachable at once. */
  outageSince: time('outage_since'),
  outageUnreachable: integer('outage_unreachable'),
  outageReachableBefore: integer('outage_reachable_before'),
  /** When an admin said that it is the fleet, not us: sweeps count again until the outage is over. */
  outageAcceptedAt: time('outage_accepted_at'),
  outageAcceptedBy: text('outage_accepted_by'),
  /** When the last sweep ended that was completed and whose results are saved. */
  sweptAt: time('swept_at'),
  /** What went wrong in the last sweep, for people; null: nothing. */
  sweepFault: text('sweep_fault'),
  /** When a sweep came to nothing, with that fault; null as soon as one is completed and saved. */
  sweepFailedAt: time('sweep_failed_at'),
});

/** Where a user wants to be told what. Without a row: by e-mail, everything that concerns the user. */
export const notificationTargets = sqliteTable(
  'notification_targets',
  {
    userId: text('user_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    channel: text('channel').$type<ChannelName>().notNull(),
    enabled: integer('enabled', { mode: 'boolean' }).notNull().default(true),
    /** Kinds that are wanted; null: all. */
    kinds: text('kinds', { mode: 'json' }).$type<readonly NotificationKind[]>(),
    /** Another address than the channel's own (the user's e-mail address, the chat of the user's bot). */
    address: text('address'),
    /** Who has named that address: a user's id or `cli`. As long as that is an admin, nobody else has to vouch for it. */
    addressNamedBy: text('address_named_by'),
    /** When whoever reads that mailbox has confirmed it. */
    addressConfirmedAt: time('address_confirmed_at'),
    /** The mail address that is to be confirmed, and then to take the place of `address`. */
    pendingAddress: text('pending_address'),
    /** Of a webhook: what its messages are signed with. Encrypted and bound to this row. */
    secret: text('secret'),
    createdAt: createdAt(),
    updatedAt: updatedAt(),
  },
  (table) => [
    primaryKey({ columns: [table.userId, table.channel] }),
    index('notification_targets_channel_idx').on(table.channel),
  ],
);

/** The outbox: a message is written with the change it tells of, and sent afterwards by `notifications/dispatcher.ts`. */
export const notifications = sqliteTable(
  'notifications',
  {
    id: text('id')
      .primaryKey()
      .$defaultFn(() => newId('message')),
    kind: text('kind').$type<NotificationKind | 'digest'>().notNull(),
    audience: text('audience', { enum: ['customer', 'admin'] }).notNull(),
    /** Whom it is for. */
    recipientId: text('recipient_id')
      .notNull()
      .references(() => users.id, { onDelete: 'cascade' }),
    channel: text('channel').$type<ChannelName>().notNull(),
    incidentId: text('incident_id'),
    /** What makes it one of a kind: the same message cannot be written twice. */
    dedupeKey: text('dedupe_key').notNull().unique(),
    /** The facts at the time of the event; the words are found when it is sent. */
    facts: text('facts', { mode: 'json' }).$type<MessageFacts>().notNull(),
    status: text('status', { enum: ['pending', 'sending', 'sent', 'failed', 'collapsed', 'digested'] })
      .notNull()
      .default('pending'),
    /** The digest, or the later message, that tells this one too. */
    toldBy: text('told_by'),
    attempts: integer('attempts').notNull().default(0),
    lastAttemptAt: time('last_attempt_at'),
    nextAttemptAt: time('next_attempt_at').notNull(),
    /** An attempt broke off where the other side may have taken it: it can only be repeated, not be told otherwise. */
    mayHaveArrived: integer('may_have_arrived', { mode: 'boolean' }).notNull().default(false),
    claimedBy: text('claimed_by'),
    sentAt: time('sent_at'),
    lastError: text('last_error'),
    createdAt: time('created_at').notNull(),
  },
  (table) => [
    index('notifications_due_idx').on(table.status, table.nextAttemptAt),
    index('notifications_status_idx').on(table.status, table.createdAt, table.id),
    index('notifications_incident_idx').on(table.incidentId, table.createdAt),
    index('notifications_recipient_idx').on(table.recipientId, table.channel, table.createdAt),
  ],
);

/** What does not get through, and since when; judged by `notifications/rules/delivery-trouble.ts`. Gone when it is over. */
export const deliveryTroubles = sqliteTable('delivery_troubles', {
  /** The channel, and whose target it is: `email`, `webhook user-1`. */
  lane: text('lane').primaryKey(),
  channel: text('channel').$type<ChannelName>().notNull(),
  /** Null: the channel as a whole. */
  userId: text('user_id').references(() => users.id, { onDelete: 'cascade' }),
  since: time('since').notNull(),
  failures: integer('failures').notNull(),
  refusals: integer('refusals').notNull(),
  reason: text('reason').notNull(),
  toldAt: time('told_at'),
  switchedOffAt: time('switched_off_at'),
});

/**
 * Who may do what only one process may do at a time. `monitor`: which server sweeps on schedule;
 * `sweep`: who sweeps right now (that server or the command line); `notifier`: who sends what waits in the outbox.
 */
export const leases = sqliteTable('leases', {
  name: text('name', { enum: ['monitor', 'sweep', 'notifier'] }).primaryKey(),
  holder: text('holder').notNull(),
  /** Machine, boot and PID namespace of the holder; its PID means something only there. */
  machine: text('machine').notNull(),
  pid: integer('pid').notNull(),
  acquiredAt: time('acquired_at').notNull(),
  expiresAt: time('expires_at').notNull(),
  /** Grows each time that somebody takes the lease: what was begun under a lower one must not be written any more. */
  term: integer('term').notNull().default(0),
});

/** Facts about the database itself, such as the proof that the encryption key is the right one. */
export const metadata = sqliteTable('metadata', {
  name: text('name').primaryKey(),
  value: text('value').notNull(),
});

export type Subscription = typeof subscriptions.$inferSelect;
export type Incident = typeof incidents.$inferSelect;
export type MaintenanceWindow = typeof maintenanceWindows.$inferSelect;
export type MonitorState = typeof monitorState.$inferSelect;
export type NotificationRow = typeof notifications.$inferSelect;
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
    purpose: text('purpose', { enum: ['first_admin', 'password', 'mail_address'] }).notNull(),
    /** Whose password may be set, or mail address confirmed; null for the first admin, who does not exist yet. */
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
