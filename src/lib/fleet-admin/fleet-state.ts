import { and, asc, eq, gt, isNotNull, ne, notExists, or, sql } from 'drizzle-orm';
import type { Database, Transaction } from '../db/client.ts';
import { readLabels } from '../db/label-store.ts';
import { maintenanceWindows, notificationTargets, subscriptions, users, type MaintenanceWindow } from '../db/schema.ts';
import { windowKey, type PlannedWindow } from '../facts/fleet-change.ts';
import type { Label } from '../facts/label.ts';
import type { ChannelName } from '../facts/message.ts';

/** A VPS of the fleet, as far as a fleet file can say it. */
export type StateVps = {
  readonly id: string;
  readonly userId: string;
  readonly email: string;
  readonly name: string | null;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly service: string | null;
  /** As it is stored: encrypted. */
  readonly key: string | null;
  /** It has the key that the fleet shares. */
  readonly sharesKey: boolean;
  /** It is logged in to by certificate, and has no key. */
  readonly byCertificate: boolean;
  readonly hostKey: string | null;
  readonly note: string | null;
  readonly labels: readonly Label[];
  readonly windows: readonly StateWindow[];
};
export type StateWindow = { readonly id: string; readonly window: PlannedWindow; readonly hasBegun: boolean };
export type StateRoute = {
  readonly userId: string;
  readonly email: string;
  readonly channel: ChannelName;
  readonly enabled: boolean;
  readonly kinds: string;
  readonly address: string;
};
export type FleetState = {
  readonly vps: readonly StateVps[];
  /** Everybody by e-mail address. */
  readonly users: ReadonlyMap<string, { readonly id: string; readonly name: string | null }>;
  readonly routes: readonly StateRoute[];
};

/** The fleet as it is; what a fleet file does not say is left out: states, accounts, what admins have begun by hand. */
export function readFleetState(db: Database | Transaction, now: Date): FleetState {
  const labels = readLabels(db, undefined);
  const windows = Map.groupBy(readWindows(db, now), ({ userId }) => userId);
  const everybody = db.select({ id: users.id, email: users.email, name: users.name }).from(users).all();
  const vps = db
    .select({ subscription: subscriptions, email: users.email, name: users.name })
    .from(subscriptions)
    .innerJoin(users, eq(users.id, subscriptions.userId))
    .where(and(ne(subscriptions.status, 'canceled'), isNotNull(subscriptions.vpsIpAddress)))
    .orderBy(asc(subscriptions.createdAt), asc(subscriptions.id))
    .all()
    .map(({ subscription, email, name }): StateVps => {
      const { id, userId, vpsIpAddress, sshPort, sshUser, serviceName, sshPrivateKey, sshKeyId, sshHostKey, note } =
        subscription;
      return {
        id,
        userId,
        email,
        name,
        host: vpsIpAddress ?? '',
        port: sshPort,
        user: sshUser,
        service: serviceName,
        key: sshPrivateKey,
        sharesKey: sshKeyId !== null,
        byCertificate: subscription.sshLogin === 'certificate',
        hostKey: sshHostKey,
        note,
        labels: labels.get(id) ?? [],
        windows: inOrder((windows.get(userId) ?? []).flatMap((row) => plannedOf(row, now) ?? [])),
      };
    });
  const routes = db
    .select({ target: notificationTargets, email: users.email })
    .from(notificationTargets)
    .innerJoin(users, eq(users.id, notificationTargets.userId))
    .orderBy(asc(users.email), asc(notificationTargets.channel))
    .all()
    .map(({ target, email }): StateRoute => {
      const { userId, channel, enabled, kinds, address } = target;
      return { userId, email, channel, enabled, kinds: kinds?.toSorted().join(', ') ?? 'all', address: address ?? '' };
    });
  return { vps, users: new Map(everybody.map(({ id, email, name }) => [email, { id, name }])), routes };
}

/** What is planned: weekly windows, and those with an end that has not come. */
const readWindows = (db: Database | Transaction, now: Date): MaintenanceWindow[] =>
  db
    .select()
    .from(maintenanceWindows)
    .where(
      or(
        eq(maintenanceWindows.kind, 'weekly'),
        and(eq(maintenanceWindows.kind, 'once'), gt(maintenanceWindows.endsAt, now)),
      ),
    )
    .all();

/** Windows have no order of their own; the file of a fleet that has not changed is the same. */
const inOrder = (windows: readonly StateWindow[]): StateWindow[] =>
  windows.toSorted((a, b) => (windowKey(a.window) < windowKey(b.window) ? -1 : 1));

function plannedOf(row: MaintenanceWindow, now: Date): StateWindow | null {
  const { id, kind, weekday, startMinute, durationMinutes, timeZone, startsAt, endsAt, reason } = row;
  const hasBegun = kind === 'once' && startsAt <= now;
  if (kind === 'weekly' && weekday !== null && startMinute !== null && durationMinutes !== null)
    return {
      id,
      hasBegun,
      window: { kind, weekday, startMinute, durationMinutes, timeZone: timeZone ?? 'UTC', reason },
    };
  return kind === 'once' && endsAt !== null ? { id, hasBegun, window: { kind, startsAt, endsAt, reason } } : null;
}

/** Customers who have no VPS, by address. */
export const customersWithoutVps = (
  db: Database | Transaction,
): { readonly email: string; readonly name: string | null }[] =>
  db
    .select({ email: users.email, name: users.name })
    .from(users)
    .where(
      and(
        eq(users.role, 'customer'),
        notExists(
          db
            .select({ one: sql`1` })
            .from(subscriptions)
            .where(and(eq(subscriptions.userId, users.id), ne(subscriptions.status, 'canceled'))),
        ),
      ),
    )
    .orderBy(asc(users.email))
    .all();
