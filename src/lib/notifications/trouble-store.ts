import { asc, eq } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client.ts';
import { deliveryTroubles, users } from '../db/schema.ts';
import type { ChannelName } from '../facts/message.ts';
import type { Trouble } from './rules/delivery-trouble.ts';

/** What may be in trouble: the target of one user, or (`userId` null) a channel as a whole. */
export type Lane = { readonly channel: ChannelName; readonly userId: string | null };

const nameOf = ({ channel, userId }: Lane): string => (userId === null ? channel : `${channel} ${userId}`);

const isLane = (lane: Lane) => eq(deliveryTroubles.lane, nameOf(lane));

const COLUMNS = {
  since: deliveryTroubles.since,
  failures: deliveryTroubles.failures,
  refusals: deliveryTroubles.refusals,
  reason: deliveryTroubles.reason,
  toldAt: deliveryTroubles.toldAt,
  switchedOffAt: deliveryTroubles.switchedOffAt,
};

export const readTrouble = (db: Database | Transaction, lane: Lane): Trouble | null =>
  db.select(COLUMNS).from(deliveryTroubles).where(isLane(lane)).get() ?? null;

/** The trouble with the target of a user, by the address of that user. */
export type TargetTrouble = Trouble & { readonly email: string };

/** All targets of this channel that take nothing, longest first. For admins. */
export const listTargetTroubles = (db: Database, channel: ChannelName): TargetTrouble[] =>
  db
    .select({ ...COLUMNS, email: users.email })
    .from(deliveryTroubles)
    .innerJoin(users, eq(users.id, deliveryTroubles.userId))
    .where(eq(deliveryTroubles.channel, channel))
    .orderBy(asc(deliveryTroubles.since))
    .all();

/** It is over, or the target is another one now, or has been switched on again. */
export const forgetTrouble = (tx: Transaction, lane: Lane): void => {
  tx.delete(deliveryTroubles).where(isLane(lane)).run();
};

export function saveTrouble(tx: Transaction, lane: Lane, trouble: Trouble): void {
  tx.insert(deliveryTroubles)
    .values({ lane: nameOf(lane), ...lane, ...trouble })
    .onConflictDoUpdate({ target: deliveryTroubles.lane, set: trouble })
    .run();
}
