import { and, desc, eq, lte, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import { type Actor, ownedBy } from '../auth/actor.ts';
import { healthSamples, subscriptions } from '../db/schema.ts';
import { findReadable } from './series-read.ts';
import type { Sample, SampleState } from '../history/rules/spans.ts';
import { STRIP_CHECKS } from './strip-drawing.ts';

export type CheckMark = { readonly at: Date; readonly state: SampleState; readonly probeMs: number | null };

/** The last 60 checks of one VPS, oldest first. Undefined: no such VPS for this actor. */
export function readLastChecks(app: App, actor: Actor, vpsId: string, now: Date): CheckMark[] | undefined {
  const vps = findReadable(app, actor, vpsId);
  if (!vps) return undefined;
  if (vps.seriesId === null) return [];
  return (
    app.db
      .select({ at: healthSamples.at, state: healthSamples.state, probeMs: healthSamples.probeMs })
      .from(healthSamples)
      // A sample of the future was taken before the clock was set back.
      .where(and(eq(healthSamples.seriesId, vps.seriesId), lte(healthSamples.at, now)))
      .orderBy(desc(healthSamples.at))
      .limit(STRIP_CHECKS)
      .all()
      .reverse()
  );
}

/** The newest sample of a series, also one of the future. */
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

/** How a state stands in a `Strip`: one letter. */
export const STRIP_LETTERS = {
  healthy: 'h',
  unhealthy: 'u',
  down: 'd',
  maintenance: 'm',
  unknown: '?',
} as const satisfies Record<SampleState, string>;

/**
 * The last checks of a VPS in a list, oldest first, as a letter each (`STRIP_LETTERS`): `hhhhud`. Times in
 * milliseconds since 1970, of the first and of the last of them.
 */
export type Strip = { readonly states: string; readonly fromMs: number; readonly toMs: number };

/** The strips of these VPSs (null: of all), by VPS id; one that was never checked, or is not this actor's, has none. */
export function readStrips({ db }: App, actor: Actor, vpsIds: readonly string[] | null, now: Date): Map<string, Strip> {
  const letters = sql.join(
    Object.entries(STRIP_LETTERS).map(([state, letter]) => sql`WHEN ${state} THEN ${letter}`),
    sql` `,
  );
  const wanted =
    vpsIds === null ? sql`true` : sql`subscriptions.id IN (SELECT value FROM json_each(${JSON.stringify(vpsIds)}))`;
  // One text for each VPS, put together in SQLite: 60 rows each would be 300,000 objects for 5,000 VPSs.
  const rows = db.values<[string, string | null]>(sql`
    SELECT subscriptions.id, (
      SELECT min(at) || ' ' || max(at) || ' ' || group_concat(CASE state ${letters} END, '' ORDER BY at)
      FROM (SELECT at, state FROM health_samples
            WHERE series_id = history_series.id AND at <= ${now.getTime()} ORDER BY at DESC LIMIT ${STRIP_CHECKS})
    ) AS strip
    FROM subscriptions JOIN history_series ON history_series.user_id = subscriptions.user_id
    WHERE ${wanted} AND ${ownedBy(actor, subscriptions.userId)}`);
  const strips = new Map<string, Strip>();
  for (const [id, strip] of rows) {
    if (strip === null) continue;
    const [from = '', to = '', states = ''] = strip.split(' ');
    strips.set(id, { states, fromMs: Number(from), toMs: Number(to) });
  }
  return strips;
}
