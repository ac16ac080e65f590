import { and, eq, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { incidents, subscriptions } from '../db/schema.ts';
import { findReadable } from './series-read.ts';
import { bucketStart } from '../history/rules/spans.ts';

export type IncidentStats = {
  /** Where the window begins; it ends now. */
  readonly from: Date;
  /** Incidents that began within the window. */
  readonly opened: number;
  /** Incidents that ended with a recovery within the window, whenever they began. */
  readonly recovered: number;
  /** Of these, those that a restart of ours ended. */
  readonly recoveredByRestart: number;
  /** Mean time from the first failed check to the recovery, in milliseconds; null without a recovery. */
  readonly meanTimeToRecoveryMs: number | null;
  /** Incidents that are open now. */
  readonly open: number;
};

const DAY_MS = 24 * 60 * 60_000;

/**
 * Incidents of one VPS over the last `days`, from the start (UTC) of the hour that holds the first moment. An incident
 * that ended because the VPS is no longer watched is no recovery. Undefined: no such VPS for this actor.
 */
export function readIncidentStats(
  app: App,
  actor: Actor,
  { vpsId, days }: { readonly vpsId: string; readonly days: number },
  now: Date,
): IncidentStats | undefined {
  const vps = findReadable(app, actor, vpsId);
  if (!vps) return undefined;
  return statsOf(app, and(eq(subscriptions.id, vpsId), ownedBy(actor, subscriptions.userId)), days, now);
}

/** The same over all VPSs that this actor may see. */
export const readFleetIncidentStats = (app: App, actor: Actor, days: number, now: Date): IncidentStats =>
  statsOf(app, ownedBy(actor, subscriptions.userId), days, now);

function statsOf({ db }: App, where: ReturnType<typeof and>, days: number, now: Date): IncidentStats {
  const fromMs = bucketStart('hour', now.getTime() - days * DAY_MS);
  const recoveredNow = sql`${incidents.endedAt} >= ${fromMs} AND ${incidents.endedBy} IN ('by_itself', 'restart')`;
  const stats = db
    .select({
      opened: sql<number>`count(*) FILTER (WHERE ${incidents.openedAt} >= ${fromMs})`,
      recovered: sql<number>`count(*) FILTER (WHERE ${recoveredNow})`,
      recoveredByRestart: sql<number>`count(*) FILTER (WHERE ${recoveredNow} AND ${incidents.endedBy} = 'restart')`,
      meanTimeToRecoveryMs: sql<
        number | null
      >`avg(max(0, ${incidents.endedAt} - ${incidents.openedAt})) FILTER (WHERE ${recoveredNow})`,
      open: sql<number>`count(*) FILTER (WHERE ${incidents.endedAt} IS NULL)`,
    })
    .from(incidents)
    // An incident belongs to a machine: those of the user's machine before do not count.
    .innerJoin(subscriptions, and(eq(subscriptions.userId, incidents.userId), eq(subscriptions.id, incidents.vpsId)))
    .where(where)
    .get();
  const none = { opened: 0, recovered: 0, recoveredByRestart: 0, meanTimeToRecoveryMs: null, open: 0 };
  return { from: new Date(fromMs), ...(stats ?? none) };
}
