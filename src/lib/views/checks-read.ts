import { and, desc, eq, lte, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { healthSamples, subscriptions } from '../db/schema.ts';
import { findReadable } from './series-read.ts';
import { parseRecent, STATE_LETTERS } from '../history/rules/recent.ts';
import type { Sample, SampleState } from '../history/rules/spans.ts';
import { STRIP_CHECKS } from './strip-drawing.ts';

export type CheckMark = { readonly at: Date; readonly state: SampleState; readonly probeMs: number | null };

/** The last 60 checks of one VPS, oldest first. Undefined: no such VPS for this actor. */
export function readLastChecks(app: App, actor: Actor, vpsId: string, now: Date): CheckMark[] | undefined {
  const vps = findReadable(app, actor, vpsId);
  if (!vps) return undefined;
  if (vps.seriesId === null) return [];
  const moved = app.db
    .select({ at: healthSamples.at, state: healthSamples.state, probeMs: healthSamples.probeMs })
    .from(healthSamples)
    // A sample of the future was taken before the clock was set back.
    .where(and(eq(healthSamples.seriesId, vps.seriesId), lte(healthSamples.at, now)))
    .orderBy(desc(healthSamples.at))
    .limit(STRIP_CHECKS)
    .all()
    .reverse();
  const recent = vps.recent
    .filter(({ atMs }) => atMs <= now.getTime())
    .map(({ atMs, state, probeMs }) => ({ at: new Date(atMs), state, probeMs }));
  return [...moved, ...recent].slice(-STRIP_CHECKS);
}

/** The newest sample of a series that is no recent one, also one of the future. */
export function findNewestSample({ db }: App, seriesId: number): Sample | undefined {
  const row = db
    .select({ at: healthSamples.at, state: healthSamples.state })
    .from(healthSamples)
    .where(eq(healthSamples.seriesId, seriesId))
    .orderBy(desc(healthSamples.at))
    .limit(1)
    .get();
  return row && { atMs: row.at.getTime(), state: row.state };
}

/**
 * The last checks of VPSs in a list, oldest first, as a letter each (`STATE_LETTERS`): `hhhhud`. Of these VPSs (null: of
 * all), by VPS id; one that was never checked, or is not this actor's, has none.
 */
export function readStrips(
  { db }: App,
  actor: Actor,
  vpsIds: readonly string[] | null,
  now: Date,
): Map<string, string> {
  const letters = sql.join(
    Object.entries(STATE_LETTERS).map(([state, letter]) => sql`WHEN ${state} THEN ${letter}`),
    sql` `,
  );
  const wanted =
    vpsIds === null ? sql`true` : sql`subscriptions.id IN (SELECT value FROM json_each(${JSON.stringify(vpsIds)}))`;
  // One text for each VPS, put together in SQLite: 60 rows each would be 300,000 objects for 5,000 VPSs.
  const rows = db.values<[id: string, beganAtMs: number | null, recent: string | null, moved: string | null]>(sql`
    SELECT subscriptions.id, recent_samples.began_at, recent_samples.samples, (
      SELECT group_concat(CASE state ${letters} END, '' ORDER BY at)
      FROM (SELECT at, state FROM health_samples
            WHERE series_id = history_series.id AND at <= ${now.getTime()} ORDER BY at DESC LIMIT ${STRIP_CHECKS})
    ) AS strip
    FROM subscriptions JOIN history_series ON history_series.user_id = subscriptions.user_id
    LEFT JOIN recent_samples ON recent_samples.series_id = history_series.id
    WHERE ${wanted} AND ${ownedBy(actor, subscriptions.userId)}`);
  const strips = rows.map(([id, beganAtMs, samples, moved]) => {
    const recent = beganAtMs === null || samples === null ? [] : parseRecent({ beganAtMs, samples });
    const seen = recent.filter(({ atMs }) => atMs <= now.getTime());
    return [id, ((moved ?? '') + seen.map(({ state }) => STATE_LETTERS[state]).join('')).slice(-STRIP_CHECKS)] as const;
  });
  return new Map(strips.filter(([, strip]) => strip !== ''));
}
