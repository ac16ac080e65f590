import { and, asc, desc, eq, gte, inArray, lt, notInArray, sql, type SQL } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { healthEvents, incidents, restartAttempts, restartEvidence, subscriptions, users } from '../db/schema.ts';
import type { Incident } from '../db/schema.ts';
import type { JournalRow } from '../db/journal-store.ts';
import { CAUSE_NAMES, parseCause, type Cause } from '../facts/cause.ts';

/** An incident with whom and what it concerns. `host` is null where the VPS is gone since. */
export type IncidentRow = Incident & {
  readonly customer: string;
  readonly host: string | null;
  readonly port: number | null;
  readonly restarts: number;
};

export type IncidentFilter = {
  readonly vpsId?: string | undefined;
  readonly open?: boolean | undefined;
  /** No longer open. */
  readonly ended?: boolean | undefined;
  readonly cause?: Cause | undefined;
  /** Opened then or later. */
  readonly since?: Date | undefined;
  /** Opened before then. */
  readonly before?: Date | undefined;
};
export type IncidentPage = IncidentFilter & { readonly limit: number; readonly offset?: number };

const selectIncidents = ({ db }: App) =>
  db
    .select({
      incident: incidents,
      customer: sql<string>`coalesce(${users.name}, ${users.email})`,
      host: subscriptions.vpsIpAddress,
      port: subscriptions.sshPort,
      restarts: sql<number>`(SELECT count(*) FROM restart_attempts r WHERE r.incident_id = ${incidents.id} AND coalesce(r.outcome, '') <> 'not_sent')`,
    })
    .from(incidents)
    .innerJoin(users, eq(users.id, incidents.userId))
    .leftJoin(subscriptions, eq(subscriptions.id, incidents.vpsId));

const toRow = ({ incident, ...rest }: ReturnType<ReturnType<typeof selectIncidents>['all']>[number]): IncidentRow => ({
  ...incident,
  ...rest,
});

/** As the indexes have it, see `openFirst` of the schema: only so do they give the order too. */
const HAS_ENDED = sql`(${incidents.endedAt} IS NOT NULL)`;

const whereOf = (actor: Actor, { vpsId, open, ended, cause, since, before }: IncidentFilter): SQL | undefined =>
  and(
    ownedBy(actor, incidents.userId),
    vpsId === undefined ? undefined : eq(incidents.vpsId, vpsId),
    open ? sql`${HAS_ENDED} = 0` : undefined,
    ended ? sql`${HAS_ENDED} = 1` : undefined,
    cause === undefined ? undefined : hasCause(cause),
    since === undefined ? undefined : gte(incidents.openedAt, since),
    before === undefined ? undefined : lt(incidents.openedAt, before),
  );

/** Unknown is also what another version has stored by a name that this one does not know. */
const hasCause = (cause: Cause): SQL =>
  cause === 'unknown'
    ? notInArray(
        incidents.cause,
        CAUSE_NAMES.filter((name) => name !== cause),
      )
    : eq(incidents.cause, cause);

const LATEST_FIRST = [desc(incidents.openedAt), desc(incidents.id)];

/** The incidents this actor may see: open ones first, then the latest. */
export function listIncidents(app: App, actor: Actor, { limit, offset = 0, ...filter }: IncidentPage): IncidentRow[] {
  // SQLite knows by itself neither that what all have in common needs no sorting, nor that this is one or the other.
  const isOfOneKind = filter.open === true || filter.ended === true;
  const order = isOfOneKind ? LATEST_FIRST : [HAS_ENDED, ...LATEST_FIRST];
  // Sorted by themselves: of all that match, only those of the page need their customer, host and restarts.
  const page = app.db
    .select({ id: incidents.id })
    .from(incidents)
    .where(and(whereOf(actor, filter), isOfOneKind ? undefined : sql`${HAS_ENDED} IN (0, 1)`))
    .orderBy(...order)
    .limit(limit)
    .offset(offset);
  return selectIncidents(app)
    .where(inArray(incidents.id, page))
    .orderBy(...order)
    .all()
    .map(toRow);
}

/**
 * The incidents that match and began before `last`, the latest first. For reading many of them piece by piece: those
 * that begin or end meanwhile move no other.
 */
export function listIncidentsBefore(
  app: App,
  actor: Actor,
  { cause, open, ended, ...filter }: IncidentFilter,
  last: Pick<Incident, 'id' | 'openedAt'> | undefined,
  limit: number,
): IncidentRow[] {
  const isMeant = whereOf(actor, { cause, open, ended });
  return selectIncidents(app)
    .where(
      and(
        whereOf(actor, filter),
        // Behind a plus SQLite looks for no index: by that of a cause it would sort the years anew for each piece.
        isMeant && sql`+(${isMeant})`,
        last && sql`(${incidents.openedAt}, ${incidents.id}) < (${last.openedAt.getTime()}, ${last.id})`,
      ),
    )
    .orderBy(...LATEST_FIRST)
    .limit(limit)
    .all()
    .map(toRow);
}

export type IncidentSums = {
  readonly total: number;
  readonly open: number;
  /** Ended with a recovery, and not because nobody watches any more. */
  readonly recovered: number;
  readonly recoveredByRestart: number;
  /** Mean time from the first failed check to the recovery, in milliseconds; null without a recovery. */
  readonly meanTimeToRecoveryMs: number | null;
};

/** What the incidents that match come to. */
export function sumIncidents({ db }: App, actor: Actor, filter: IncidentFilter): IncidentSums {
  const recovered = sql`${incidents.endedBy} IN ('by_itself', 'restart')`;
  const sums = db
    .select({
      total: sql<number>`count(*)`,
      open: sql<number>`count(*) FILTER (WHERE ${incidents.endedAt} IS NULL)`,
      recovered: sql<number>`count(*) FILTER (WHERE ${recovered})`,
      recoveredByRestart: sql<number>`count(*) FILTER (WHERE ${incidents.endedBy} = 'restart')`,
      meanTimeToRecoveryMs: sql<
        number | null
      >`avg(max(0, ${incidents.endedAt} - ${incidents.openedAt})) FILTER (WHERE ${recovered})`,
    })
    .from(incidents)
    .where(whereOf(actor, filter))
    .get();
  return sums ?? { total: 0, open: 0, recovered: 0, recoveredByRestart: 0, meanTimeToRecoveryMs: null };
}

/** Every cause that an incident this actor may see began with. From one to the next by the index: there are many of each. */
export function listCauses({ db }: App, actor: Actor): Cause[] {
  const isSeen = ownedBy(actor, incidents.userId);
  const found = db.values<[string]>(sql`
    WITH RECURSIVE found(cause) AS (
      SELECT min(${incidents.cause}) FROM ${incidents} WHERE ${isSeen}
      UNION ALL
      SELECT (SELECT min(${incidents.cause}) FROM ${incidents} WHERE ${isSeen} AND ${incidents.cause} > found.cause)
      FROM found WHERE found.cause IS NOT NULL)
    SELECT cause FROM found WHERE cause IS NOT NULL`);
  return [...new Set(found.map(([cause]) => parseCause(cause)))];
}

export type EvidenceRow = {
  readonly restartId: string;
  readonly intendedAt: Date;
  readonly finishedAt: Date | null;
  readonly outcome: 'succeeded' | 'failed' | 'not_sent' | 'unknown' | null;
  /** Raw words of the remote host, and what it said of its unit: for admins, null for customers. */
  readonly detail: string | null;
  readonly unit: string | null;
  readonly journal: string | null;
};

export type IncidentDetail = {
  readonly incident: IncidentRow;
  readonly events: readonly JournalRow[];
  readonly restarts: readonly EvidenceRow[];
};

/** One incident with its timeline, and for admins the evidence that was kept. Undefined: none that this actor may see. */
export function readIncident(app: App, actor: Actor, id: string): IncidentDetail | undefined {
  const found = selectIncidents(app)
    .where(and(eq(incidents.id, id), ownedBy(actor, incidents.userId)))
    .get();
  if (!found) return undefined;
  const forAdmin = actor.role === 'admin';
  const { db } = app;
  const events = db
    .select()
    .from(healthEvents)
    .where(eq(healthEvents.incidentId, id))
    .orderBy(asc(healthEvents.at), asc(healthEvents.id))
    .all()
    .map((event) => (forAdmin ? event : { ...event, detail: withoutRemoteText(event.detail) }));
  const restarts = db
    .select({ attempt: restartAttempts, evidence: restartEvidence })
    .from(restartAttempts)
    .leftJoin(restartEvidence, eq(restartEvidence.restartId, restartAttempts.id))
    .where(eq(restartAttempts.incidentId, id))
    .orderBy(asc(restartAttempts.intendedAt))
    .all()
    .map(({ attempt, evidence }): EvidenceRow => ({
      restartId: attempt.id,
      intendedAt: attempt.intendedAt,
      finishedAt: attempt.finishedAt,
      outcome: attempt.outcome,
      detail: forAdmin ? attempt.detail : null,
      unit: forAdmin ? (evidence?.unit ?? null) : null,
      journal: forAdmin ? (evidence?.journal ?? null) : null,
    }));
  return { incident: forAdmin ? toRow(found) : { ...toRow(found), firstError: '' }, events, restarts };
}

const withoutRemoteText = (detail: JournalRow['detail']): JournalRow['detail'] =>
  Object.fromEntries(Object.entries(detail).filter(([name]) => name !== 'message'));
