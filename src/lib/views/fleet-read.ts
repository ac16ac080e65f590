import { and, asc, desc, eq, inArray, or, type SQL } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { labelled, readLabels } from '../db/label-store.ts';
import {
  healthChecks,
  maintenanceWindows,
  restartAttempts,
  subscriptions,
  users,
  type Subscription,
} from '../db/schema.ts';
import { isWatched } from '../db/watched.ts';
import { knownUntil } from '../facts/freshness.ts';
import { withoutBrackets } from '../facts/host-words.ts';
import { labelInWords, type LabelFilter } from '../facts/label.ts';
import type { LinkFacts } from '../facts/link.ts';
import { rememberedLink } from '../monitoring/rules/link-columns.ts';
import { getEffectiveCircuitState, type CircuitState } from '../monitoring/circuit-breaker.ts';
import { maintenanceAt } from '../monitoring/rules/maintenance.ts';
import { isLoginBackedOff } from '../monitoring/rules/login-backoff.ts';
import { stateOfRow, type HealthState } from '../monitoring/rules/transition.ts';
import { traitsOf } from '../facts/cause.ts';
import { TROUBLE_WORDS } from '../facts/trouble-words.ts';
import { fingerprint } from '../provisioning/host-key.ts';

/** One VPS as it is shown: facts, no secrets. Times are `Date`s, or null where it has not happened. */
export type FleetRow = {
  readonly id: string;
  readonly userId: string;
  readonly customer: string;
  readonly email: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** What it is logged in to with: a stored key, or a certificate of the fleet's authority. */
  readonly login: 'key' | 'certificate';
  readonly service: string;
  /** `provider=hetzner`, or a free word; for admins. */
  readonly labels: readonly string[];
  readonly subscriptionStatus: 'active' | 'past_due' | 'canceled';
  /** Whether the sweep looks at it. */
  readonly active: boolean;
  /** Why it is not ready to be watched: the step that its last preflight did not pass. Null: it is, or not for that reason. */
  readonly notReadyWhy: string | null;
  /** What an admin wants to remember of it; null for customers. */
  readonly note: string | null;
  readonly maintenanceSince: Date | null;
  /** Null also where nobody has said an end. */
  readonly maintenanceUntil: Date | null;
  /** Since when an admin keeps it from being restarted automatically; null: healing is on. */
  readonly healingPausedSince: Date | null;
  /** Null before the first pin. */
  readonly hostKeyFingerprint: string | null;
  /** Of the key that the host has shown instead; null while it shows the pinned one. */
  readonly offeredHostKeyFingerprint: string | null;
  /** When the one was pinned and last seen, and when the other was shown first. */
  readonly hostKeyAt: Date | null;
  readonly hostKeySeenAt: Date | null;
  readonly offeredHostKeyAt: Date | null;
  /** Until when its last look tells how it is (see facts/freshness.ts); null where none does. */
  readonly knownUntil: Date | null;
  /** As it was last seen: `conditionOf` says whether that still stands. Null before the first check. */
  readonly status: HealthState['status'] | null;
  /** What the circuit is at this moment, not what it was when it was stored. */
  readonly circuitState: CircuitState;
  /** When an open circuit becomes half-open. */
  readonly halfOpenAt: Date | null;
  /** How it was reached at the last look; null before the first login, and for customers. */
  readonly link: LinkFacts | null;
} & Pick<
  HealthState,
  | 'reachable'
  | 'circuitOpenedAt'
  | 'circuitReason'
  | 'consecutiveFailures'
  | 'lastCheckAt'
  | 'lastHealthyAt'
  | 'lastFailureAt'
  | 'lastRestartAttemptAt'
  | 'lastError'
  | 'lastErrorCode'
  | 'startingSince'
  | 'startingUntil'
  | 'lastProbeMs'
  | 'authRetryAt'
  | 'totalChecks'
  | 'totalFailures'
  | 'totalRecoveries'
>;

function readRows({ db, settings }: App, where: SQL | undefined, now: Date): FleetRow[] {
  const ids = db.select({ id: subscriptions.userId }).from(subscriptions).where(where);
  const windows = Map.groupBy(
    db.select().from(maintenanceWindows).where(inArray(maintenanceWindows.userId, ids)).all(),
    ({ userId }) => userId,
  );
  const labels = readLabels(db, where);
  return db
    .select({ subscription: subscriptions, customer: users, health: healthChecks })
    .from(subscriptions)
    .innerJoin(users, eq(users.id, subscriptions.userId))
    .leftJoin(healthChecks, eq(healthChecks.userId, subscriptions.userId))
    .where(where)
    .orderBy(asc(subscriptions.createdAt), asc(subscriptions.id))
    .all()
    .map(({ subscription, customer, health }): FleetRow => {
      const state = stateOfRow(health);
      const maintenance = maintenanceAt(windows.get(customer.id) ?? [], now);
      const circuitState = getEffectiveCircuitState(state, now, settings.breaker);
      return {
        id: subscription.id,
        userId: customer.id,
        customer: customer.name ?? customer.email,
        email: customer.email,
        host: subscription.vpsIpAddress ?? '',
        port: subscription.sshPort,
        user: subscription.sshUser,
        login: subscription.sshLogin,
        service: subscription.serviceName ?? settings.monitoredService,
        labels: (labels.get(subscription.id) ?? []).map(labelInWords),
        subscriptionStatus: subscription.status,
        active: isWatched(subscription),
        notReadyWhy: isReadyToBe(subscription) ? subscription.notReadyWhy : null,
        note: subscription.note,
        maintenanceSince: maintenance?.since ?? null,
        maintenanceUntil: maintenance?.until ?? null,
        healingPausedSince: subscription.healingPausedSince,
        hostKeyFingerprint: subscription.sshHostKey === null ? null : fingerprint(subscription.sshHostKey),
        offeredHostKeyFingerprint: state.offeredHostKey === null ? null : fingerprint(state.offeredHostKey),
        hostKeyAt: subscription.sshHostKeyAt,
        hostKeySeenAt: state.hostKeySeenAt,
        offeredHostKeyAt: state.offeredHostKeyAt,
        knownUntil: knownUntil(state, settings.history.sampleValidMs, now),
        status: state.lastCheckAt === null ? null : state.status,
        circuitState,
        halfOpenAt:
          circuitState === 'open' && state.circuitOpenedAt !== null
            ? new Date(state.circuitOpenedAt.getTime() + settings.breaker.cooldownMs)
            : null,
        reachable: state.reachable,
        circuitOpenedAt: state.circuitOpenedAt,
        circuitReason: state.circuitReason,
        consecutiveFailures: state.consecutiveFailures,
        lastCheckAt: state.lastCheckAt,
        lastHealthyAt: state.lastHealthyAt,
        lastFailureAt: state.lastFailureAt,
        lastRestartAttemptAt: state.lastRestartAttemptAt,
        lastError: state.lastError,
        lastErrorCode: state.lastErrorCode,
        startingSince: state.startingSince,
        startingUntil: state.startingUntil,
        lastProbeMs: state.lastProbeMs,
        link: rememberedLink(state),
        authRetryAt: isLoginBackedOff(state, now) ? state.authRetryAt : null,
        totalChecks: state.totalChecks,
        totalFailures: state.totalFailures,
        totalRecoveries: state.totalRecoveries,
      };
    });
}

/** Whether nothing but its preflight keeps it from being watched. */
const isReadyToBe = ({ status, provisioningStatus }: Subscription): boolean =>
  status === 'active' && provisioningStatus === 'pending';

/** The row as this actor may see it: raw text of errors is for admins. */
const rowFor =
  (actor: Actor) =>
  (row: FleetRow): FleetRow => {
    if (actor.role === 'admin') return row;
    const { trouble } = traitsOf(row.lastErrorCode ?? 'unknown');
    return {
      ...row,
      labels: [],
      link: null,
      notReadyWhy: null,
      note: null,
      lastError: row.lastError === null ? null : TROUBLE_WORDS[trouble].past,
    };
  };

/** Likewise for a restart. */
const restartFor =
  (actor: Actor) =>
  (row: RestartRow): RestartRow =>
    actor.role === 'admin' ? row : { ...row, detail: null, requestedBy: null };

/** The VPSs this actor may see, oldest first; where labels are given, those that have all of them. */
export const listVps = (app: App, actor: Actor, now: Date, labels: readonly LabelFilter[] = []): FleetRow[] =>
  readRows(app, and(ownedBy(actor, subscriptions.userId), labelled(app.db, labels)), now).map(rowFor(actor));

/**
 * The VPSs a person means by `HOST`, `HOST:PORT` or an id; more than one where a host name stands for several. An IPv6
 * address may stand in brackets.
 */
export function findVps(app: App, actor: Actor, wanted: string, now: Date): FleetRow[] {
  const [, host = wanted, port] = /^(.*):(\d{1,5})$/.exec(wanted) ?? [];
  const address = and(
    eq(subscriptions.vpsIpAddress, withoutBrackets(host)),
    eq(subscriptions.sshPort, Number(port ?? 0)),
  );
  const meant = or(
    eq(subscriptions.id, wanted),
    eq(subscriptions.userId, wanted),
    eq(subscriptions.vpsIpAddress, withoutBrackets(wanted)),
    address,
  );
  return readRows(app, and(meant, ownedBy(actor, subscriptions.userId)), now).map(rowFor(actor));
}

export const readVps = (app: App, actor: Actor, id: string, now: Date): FleetRow | undefined =>
  readRows(app, and(eq(subscriptions.id, id), ownedBy(actor, subscriptions.userId)), now).map(rowFor(actor))[0];

/** These VPSs, as far as this actor may see them, oldest first. */
export const readVpsByIds = (app: App, actor: Actor, ids: readonly string[], now: Date): FleetRow[] =>
  // SQLite would walk through the whole fleet to find none.
  ids.length === 0
    ? []
    : readRows(app, and(inArray(subscriptions.id, [...ids]), ownedBy(actor, subscriptions.userId)), now).map(
        rowFor(actor),
      );

export type RestartRow = Pick<
  typeof restartAttempts.$inferSelect,
  'intendedAt' | 'finishedAt' | 'outcome' | 'detail' | 'requestedBy'
>;

/** The latest restarts of a VPS, newest first. */
export const listRestartLedger = ({ db }: App, actor: Actor, vpsId: string, limit: number): RestartRow[] =>
  db
    .select({
      intendedAt: restartAttempts.intendedAt,
      finishedAt: restartAttempts.finishedAt,
      outcome: restartAttempts.outcome,
      detail: restartAttempts.detail,
      requestedBy: restartAttempts.requestedBy,
    })
    .from(restartAttempts)
    .innerJoin(subscriptions, eq(subscriptions.userId, restartAttempts.userId))
    .where(and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId)))
    .orderBy(desc(restartAttempts.intendedAt))
    .limit(limit)
    .all()
    .map(restartFor(actor));
