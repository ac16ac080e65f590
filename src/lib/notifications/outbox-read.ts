import { and, count, desc, eq, inArray, lte, sql, type SQL } from 'drizzle-orm';
import type { Database } from '../db/client.ts';
import { notifications, users, type NotificationRow } from '../db/schema.ts';
import type { Waiting } from './rules/delivery-plan.ts';
import type { ChannelName } from '../facts/message.ts';

/** How `last_error` begins where an attempt broke off too late to know. Written and read by the outbox only. */
export const MAY_HAVE_ARRIVED = 'may have arrived: ';

/** What holds messages together: the incident, or one fault of the monitor. */
export function threadOf({ incidentId, facts }: Pick<NotificationRow, 'incidentId' | 'facts'>): string | null {
  if (incidentId !== null) return incidentId;
  return facts.about === 'fleet' ? `fleet-${facts.fault.kind}-${facts.beganAtMs}` : null;
}

// The same as `threadOf`, without parsing the facts of everything that waits.
const THREAD: SQL<string | null> =
  sql`coalesce(${notifications.incidentId}, CASE json_extract(${notifications.facts}, '$.about')
  WHEN 'fleet' THEN 'fleet-' || json_extract(${notifications.facts}, '$.fault.kind') || '-' || json_extract(${notifications.facts}, '$.beganAtMs') END)`;

/** Whether anything could be sent now on these channels: one look into an index. */
export const isAnythingDue = (db: Database, channels: readonly ChannelName[], now: Date): boolean =>
  db.select({ id: notifications.id }).from(notifications).where(isDue(channels, now)).limit(1).get() !== undefined;

const isDue = (channels: readonly ChannelName[], now: Date) =>
  and(
    eq(notifications.status, 'pending'),
    lte(notifications.nextAttemptAt, now),
    inArray(notifications.channel, [...channels]),
  );

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
      lastError: notifications.lastError,
      nextAttemptAt: notifications.nextAttemptAt,
      createdAt: notifications.createdAt,
    })
    .from(notifications)
    .where(
      and(
        inArray(notifications.status, ['pending', 'sending']),
        sql`(${notifications.recipientId}, ${notifications.channel}) IN (SELECT recipient_id, channel FROM ${notifications} WHERE ${isDue(channels, now)})`,
      ),
    )
    .all()
    .map(({ status, lastError, nextAttemptAt, createdAt, ...row }) => ({
      ...row,
      status: status === 'sending' ? 'sending' : 'pending',
      mayHaveArrived: lastError?.startsWith(MAY_HAVE_ARRIVED) ?? false,
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
  'id' | 'kind' | 'audience' | 'channel' | 'status' | 'toldBy' | 'attempts' | 'incidentId' | 'lastError'
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
      createdAt: row.createdAt,
      nextAttemptAt: row.status === 'pending' ? row.nextAttemptAt : null,
      sentAt: row.sentAt,
      lastError: row.lastError,
    }));

export const STATUSES = notifications.status.enumValues;

export const findMessage = (db: Database, id: string): NotificationRow | undefined =>
  db.select().from(notifications).where(eq(notifications.id, id)).get();
