import { and, count, eq, inArray, isNotNull } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { unnamedProxy } from '../auth/unnamed-proxy.ts';
import type { Database } from '../db/client.ts';
import { notifications, notificationTargets, telegramBots, users, type MonitorState } from '../db/schema.ts';
import { readMonitorState } from '../monitoring/monitor-state.ts';
import { CHANNELS } from '../notifications/channels/registry.ts';
import { type ChannelName, CHANNEL_NAMES } from '../facts/message.ts';
import { listMessages, type OutboxLine } from '../notifications/outbox-read.ts';
import type { Trouble } from '../notifications/rules/delivery-trouble.ts';
import { lastTest, type TestRun } from '../notifications/test-runs.ts';
import { listTargetTroubles, readTrouble, type TargetTrouble } from '../notifications/trouble-store.ts';

export type ChannelState = {
  readonly name: ChannelName;
  /** The setting without which it sends nothing; null when it is in force. */
  readonly lacks: string | null;
  /** For how many users it has somewhere to send to; null: for everybody. */
  readonly users: number | null;
  readonly waiting: number;
  readonly failed: number;
  readonly test: TestRun | null;
  /** That nothing gets through to anybody. */
  readonly trouble: Trouble | null;
  /** Targets that take nothing, or are switched off for that. */
  readonly targets: readonly TargetTrouble[];
};

export type SettingsView = {
  readonly monitor: MonitorState;
  /** Who switched healing last, by address. */
  readonly healingBy: string | null;
  readonly channels: readonly ChannelState[];
  /** The header of a proxy that `ADDRESS_HEADER` should name; null: none was noticed. */
  readonly unnamedProxy: string | null;
  /** The latest messages that were given up. */
  readonly failed: readonly OutboxLine[];
};

const FAILED_SHOWN = 10;

/** What can be switched, and how it is. Undefined for a customer. */
export function readSettings(app: App, actor: Actor): SettingsView | undefined {
  if (actor.role !== 'admin') return undefined;
  const { db, settings } = app;
  const counts = db
    .select({ channel: notifications.channel, status: notifications.status, messages: count() })
    .from(notifications)
    .where(inArray(notifications.status, ['pending', 'sending', 'failed']))
    .groupBy(notifications.channel, notifications.status)
    .all();
  const countOf = (channel: ChannelName, failed: boolean): number =>
    counts
      .filter((row) => row.channel === channel && (row.status === 'failed') === failed)
      .reduce((sum, { messages }) => sum + messages, 0);
  const monitor = readMonitorState(db);
  const by = monitor.healingBy ?? '';
  const admin = db
    .select({ email: users.email })
    .from(users)
    .where(and(eq(users.id, by), eq(users.role, 'admin')))
    .get();
  return {
    monitor,
    healingBy: admin?.email ?? monitor.healingBy,
    channels: CHANNEL_NAMES.map((name) => ({
      name,
      lacks: CHANNELS[name].lacks(settings),
      users: usersOf(db, name),
      waiting: countOf(name, false),
      failed: countOf(name, true),
      test: lastTest(app, name),
      trouble: readTrouble(db, { channel: name, userId: null }),
      targets: listTargetTroubles(db, name),
    })),
    unnamedProxy: unnamedProxy(app),
    failed: listMessages(db, { status: 'failed', limit: FAILED_SHOWN }),
  };
}

/** Everybody has a mail address; a bot or a webhook is a user's own to set up. */
function usersOf(db: Database, channel: ChannelName): number | null {
  const wanted = and(eq(notificationTargets.channel, channel), eq(notificationTargets.enabled, true));
  const targets = db.select({ users: count() }).from(notificationTargets);
  switch (channel) {
    case 'email':
      return null;
    case 'telegram':
      return (
        targets.innerJoin(telegramBots, eq(telegramBots.userId, notificationTargets.userId)).where(wanted).get()
          ?.users ?? 0
      );
    case 'webhook':
      return targets.where(and(wanted, isNotNull(notificationTargets.address))).get()?.users ?? 0;
  }
}
