import { asc } from 'drizzle-orm';
import type { App } from '../../src/lib/app.ts';
import { write } from '../../src/lib/db/client.ts';
import { newId, notifications, users, type NotificationRow } from '../../src/lib/db/schema.ts';
import { LeaseKeeper } from '../../src/lib/db/lease-keeper.ts';
import type { ChannelName, MessageFacts, NotificationKind } from '../../src/lib/facts/message.ts';
import { CUSTOMER_KINDS } from '../../src/lib/facts/message.ts';
import { enqueue } from '../../src/lib/notifications/outbox.ts';
import { createSender, type Sender, type SenderOptions } from '../../src/lib/notifications/sender.ts';
import { createSilentLog } from './scratch-app.ts';

export const MINUTE_MS = 60_000;
export const BEGAN_MS = Date.UTC(2026, 10, 24, 14, 3);

export const vpsFacts = (host: string, more: Partial<Extract<MessageFacts, { about: 'vps' }>> = {}): MessageFacts => ({
  about: 'vps',
  atMs: BEGAN_MS + MINUTE_MS,
  vps: { id: `vps-${host}`, customer: 'Ada', host, port: 22, service: 'rachel8' },
  incident: {
    id: `incident-${host}`,
    openedAtMs: BEGAN_MS,
    endedAtMs: null,
    cause: 'timeout',
    failedChecks: 3,
    restarts: 0,
  },
  error: 'no answer within 10 s (connect)',
  trialAtMs: null,
  ...more,
});

/** The facts of an ending, 77 minutes after the beginning. */
export const endedFacts = (host: string): MessageFacts => {
  const endedAtMs = BEGAN_MS + 77 * MINUTE_MS;
  const incident = {
    id: `incident-${host}`,
    openedAtMs: BEGAN_MS,
    endedAtMs,
    cause: 'timeout',
    failedChecks: 77,
    restarts: 0,
  };
  return vpsFacts(host, { atMs: endedAtMs, incident });
};

export function addUser(app: App, email: string, role: 'customer' | 'admin' = 'customer'): string {
  const id = newId('user');
  app.db.insert(users).values({ id, email, role }).run();
  return id;
}

export type TestMessage = {
  readonly to: string;
  readonly kind: NotificationKind;
  readonly facts: MessageFacts;
  readonly atMs: number;
  readonly channel?: ChannelName;
};

/** Puts messages into the outbox the way the monitor does. */
export const put = (app: App, ...messages: readonly TestMessage[]): Promise<void> =>
  write(app.db, (tx) =>
    enqueue(
      tx,
      messages.map(({ to, kind, facts, atMs, channel = 'email' }) => {
        const incidentId = facts.about === 'vps' ? (facts.incident?.id ?? null) : null;
        return {
          kind,
          audience: (CUSTOMER_KINDS as readonly string[]).includes(kind) ? 'customer' : 'admin',
          recipientId: to,
          channel,
          incidentId,
          dedupeKey: [incidentId ?? JSON.stringify(facts), kind, to, channel].join(':'),
          facts,
          nextAttemptAt: new Date(atMs),
          createdAt: new Date(atMs),
        } as const;
      }),
    ),
  );

export const outboxOf = (app: App): NotificationRow[] =>
  app.db.select().from(notifications).orderBy(asc(notifications.createdAt), asc(notifications.id)).all();

export const statuses = (app: App): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const { kind, status } of outboxOf(app)) counts[`${kind} ${status}`] = (counts[`${kind} ${status}`] ?? 0) + 1;
  return counts;
};

export type TestSender = {
  readonly sender: Sender;
  readonly lines: readonly string[];
  readonly clock: { nowMs: number };
  /** Looks and sends, again and again, until nothing more is due at this time of the clock. */
  deliver(): Promise<void>;
  /** Lets another notifier have the outbox. */
  release(): Promise<void>;
};

/** Several senders of a test are one process, which is the notifier. */
const keepers = new WeakMap<App, LeaseKeeper>();

/** The sender of the real dispatcher, without its timers: time passes when the test says so. */
export async function createTestSender(app: App, options: Partial<SenderOptions> = {}): Promise<TestSender> {
  const log = createSilentLog();
  const clock = { nowMs: BEGAN_MS };
  const keeper = keepers.get(app) ?? new LeaseKeeper(app.db, 'notifier', log);
  keepers.set(app, keeper);
  const lease = await keeper.hold();
  if ('pid' in lease) throw new Error(`process ${lease.pid} is the notifier`);
  const sender = createSender(app, {
    tenure: () => lease.tenure,
    log,
    nowMs: () => clock.nowMs,
    random: () => 0.5,
    timeoutMs: 5_000,
    concurrency: 4,
    ...options,
  });
  const deliver = async (): Promise<void> => {
    for (let before = ''; ;) {
      await sender.round();
      await sender.idle();
      const after = outboxOf(app)
        .map(({ id, status, attempts }) => `${id} ${status} ${attempts}`)
        .join();
      if (after === before) return;
      before = after;
    }
  };
  return { sender, lines: log.lines, clock, deliver, release: lease.release };
}
