import { and, count, desc, eq, gt, inArray, lte, or, sql, type SQL } from 'drizzle-orm';
import type { Database } from '../db/client.ts';
import { notifications, users, type NotificationRow } from '../db/schema.ts';
import { CLOCK_SLACK_MS } from '../facts/clock-jump.ts';
import type { Waiting } from './rules/delivery-plan.ts';
import type { ChannelName } from '../facts/message.ts';

/** What holds messages together: the incident, or one fault of the monitor. */
export function threadOf({ incidentId, facts }: Pick<NotificationRow, 'incidentId' | 'facts'>): string | null {
  if (incidentId !== null) return incidentId;
  if (facts.about !== 'fleet') return null;
  const { fault, beganAtMs } = facts;
  const lane = fault.kind === 'delivery' ? `-${fault.channel}-${fault.target ?? 'all'}` : '';
  return `fleet-${fault.kind}${lane}-${beganAtMs}`;
}

// The same as `threadOf`, without parsing the facts of everything that waits.
const THREAD: SQL<string | null> =
  sql`coalesce(${notifications.incidentId}, CASE json_extract(${notifications.facts}, '$.about')
  WHEN 'fleet' THEN 'fleet-' || json_extract(${notifications.facts}, '$.fault.kind')
    || CASE json_extract(${notifications.facts}, '$.fault.kind') WHEN 'delivery' THEN
      '-' || json_extract(${notifications.facts}, '$.fault.channel')
      || '-' || coalesce(json_extract(${notifications.facts}, '$.fault.target'), 'all') ELSE '' END
    || '-' || json_extract(${notifications.facts}, '$.beganAtMs') END)`;

/** Whether anything could be sent now on these channels. */
export const isAnythingDue = (db: Database, channels: readonly ChannelName[], now: Date): boolean =>
  db.select({ id: notifications.id }).from(notifications).where(isDue(channels, now)).limit(1).get() !== undefined;

/** The same as `isDue` of the plan. */
const isDue = (channels: readonly ChannelName[], now: Date) =>
  and(
    eq(notifications.status, 'pending'),
    or(lte(notifications.nextAttemptAt, now), gt(TOUCHED_AT, now.getTime() + CLOCK_SLACK_MS)),
    inArray(notifications.channel, [...channels]),
  );

const TOUCHED_AT = sql<number>`coalesce(${notifications.lastAttemptAt}, ${notifications.createdAt})`;

/** Everything that is not final for those recipients, on those channels, for whom something is due. */
export const listWaiting = (db: Database, channels: readonly ChannelName[], now: Date): Waiting[] =>
  db
    .select({
      id: notifications.id,
      kind: notifications.kind,
      audience: notifications.audience,
      recipientId: notifications.recipientId,
      channel: notifications.channel,
      thread: THREAD,
      status: notifications.status,
      attempts: notifications.attempts,
      mayHaveArrived: notifications.mayHaveArrived,
      nextAttemptAt: notifications.nextAttemptAt,
      createdAt: notifications.createdAt,
      touchedAtMs: TOUCHED_AT,
    })
    .from(notifications)
    .where(
      and(
        inArray(notifications.status, ['pending', 'sending']),
        sql`(${notifications.recipientId}, ${notifications.channel}) IN (SELECT recipient_id, channel FROM ${notifications} WHERE ${isDue(channels, now)})`,
      ),
    )
    .all()
    .map(({ status, nextAttemptAt, createdAt, ...row }) => ({
      ...row,
      status: status === 'sending' ? 'sending' : 'pending',
      nextAttemptAtMs: nextAttemptAt.getTime(),
      createdAtMs: createdAt.getTime(),
    }));

/** How many messages wait for a channel. */
export const countPending = (db: Database, channel: string): number =>
  db
    .select({ waiting: count() })
    .from(notifications)
    .where(and(eq(notifications.status, 'pending'), eq(sql`${notifications.channel}`, channel)))
    .get()?.waiting ?? 0;

/** A message as people are shown it. */
export type OutboxLine = Pick<
  NotificationRow,
  | 'id'
  | 'kind'
  | 'audience'
  | 'channel'
  | 'status'
  | 'toldBy'
  | 'attempts'
  | 'incidentId'
  | 'mayHaveArrived'
  | 'lastError'
> & {
  readonly recipient: string;
  readonly createdAt: Date;
  readonly nextAttemptAt: Date | null;
  readonly sentAt: Date | null;
};

/** The outbox, newest first. For admins: it names customers and what hosts have said. */
export const listMessages = (
  db: Database,
  { status, limit }: { readonly status?: NotificationRow['status'] | undefined; readonly limit: number },
): OutboxLine[] =>
  db
    .select()
    .from(notifications)
    .innerJoin(users, eq(users.id, notifications.recipientId))
    .where(status === undefined ? undefined : eq(notifications.status, status))
    .orderBy(desc(notifications.createdAt), desc(notifications.id))
    .limit(limit)
    .all()
    .map(({ notifications: row, users: user }) => ({
      id: row.id,
      kind: row.kind,
      audience: row.audience,
      recipient: user.email,
      channel: row.channel,
      status: row.status,
      toldBy: row.toldBy,
      attempts: row.attempts,
      incidentId: row.incidentId,
      mayHaveArrived: row.mayHaveArrived,
      createdAt: row.createdAt,
      nextAttemptAt: row.status === 'pending' ? row.nextAttemptAt : null,
      sentAt: row.sentAt,
      lastError: row.lastError,
    }));

export const STATUSES = notifications.status.enumValues;

export const findMessage = (db: Database, id: string): NotificationRow | undefined =>
  db.select().from(notifications).where(eq(notifications.id, id)).get();
