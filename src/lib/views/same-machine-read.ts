import { and, asc, eq, ne } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { subscriptions, users } from '../db/schema.ts';

/** Another VPS of the fleet whose host proves to own the same host key. */
export type SameMachine = {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  readonly customer: string;
};

/** More of them say no more than these. */
const SHOWN = 5;

/**
 * Which other VPSs have this host key: that is one machine under several names or ports, or a copy of its image. Nobody
 * for a host key that is not known yet, and for customers.
 */
export const readSameMachines = (
  { db }: Pick<App, 'db'>,
  actor: Actor,
  { id, hostKey }: { readonly id: string; readonly hostKey: string | null },
): SameMachine[] =>
  actor.role !== 'admin' || hostKey === null
    ? []
    : db
        .select({
          id: subscriptions.id,
          host: subscriptions.vpsIpAddress,
          port: subscriptions.sshPort,
          name: users.name,
          email: users.email,
        })
        .from(subscriptions)
        .innerJoin(users, eq(users.id, subscriptions.userId))
        .where(
          and(eq(subscriptions.sshHostKey, hostKey), ne(subscriptions.id, id), ne(subscriptions.status, 'canceled')),
        )
        .orderBy(asc(subscriptions.createdAt), asc(subscriptions.id))
        .limit(SHOWN)
        .all()
        .map(({ host, name, email, ...vps }) => ({ ...vps, host: host ?? '', customer: name ?? email }));

/** The same for the host key that is pinned for this VPS. */
export function readSameMachinesOf(app: Pick<App, 'db'>, actor: Actor, id: string): SameMachine[] {
  const pinned = app.db
    .select({ hostKey: subscriptions.sshHostKey })
    .from(subscriptions)
    .where(eq(subscriptions.id, id))
    .get();
  return readSameMachines(app, actor, { id, hostKey: pinned?.hostKey ?? null });
}
