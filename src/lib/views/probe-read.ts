import { and, asc, eq, gte, isNotNull, lte, ne } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { healthRollups, healthSamples } from '../db/schema.ts';
import { WINDOW_MS, type ProbeDurations, type ProbeStep, type ProbeWindow } from './probe-chart.ts';
import { addProbe, countProbes, mergeHistograms, quantile } from '../history/rules/probe-histogram.ts';
import { findReadable, type ReadableVps } from './series-read.ts';
import { BUCKET_MS, bucketStart, type Resolution } from '../history/rules/spans.ts';
import { rollupsBetween } from './uptime-read.ts';

const HOUR_MS = BUCKET_MS.hour;
const STEPS = {
  '24h': { resolution: '10min', stepMs: BUCKET_MS['10min'] },
  '7d': { resolution: 'hour', stepMs: HOUR_MS },
  '30d': { resolution: 'hour', stepMs: 6 * HOUR_MS },
} as const satisfies Record<string, { resolution: Resolution; stepMs: number }>;

/**
 * How long probes took, over time up to `now`: the last hour probe by probe, more as quantiles of ten minutes, an hour
 * or six hours (UTC). The window begins at the start of the step that holds its first moment; the last step is as full
 * as it has got. Undefined: no such VPS for this actor.
 */
export function readProbeDurations(
  app: App,
  actor: Actor,
  { vpsId, window }: { readonly vpsId: string; readonly window: ProbeWindow },
  now: Date,
): ProbeDurations | undefined {
  const vps = findReadable(app, actor, vpsId);
  if (!vps) return undefined;
  if (window === '1h') return { kind: 'points', points: lastHour(app, vps, now) };
  const { resolution, stepMs } = STEPS[window];
  if (vps.seriesId === null) return { kind: 'quantiles', stepMs, steps: [] };
  const fromMs = stepStart(now.getTime() - WINDOW_MS[window], stepMs);
  const rows = app.db
    .select({ startsAt: healthRollups.startsAt, probes: healthRollups.probes })
    .from(healthRollups)
    .where(and(rollupsBetween(vps.seriesId, resolution, fromMs, now), ne(healthRollups.probes, '')))
    .orderBy(asc(healthRollups.startsAt))
    .all();
  const recent = vps.recent.flatMap(({ atMs, probeMs }) => {
    const startsAtMs = bucketStart(resolution, atMs);
    const isShown = probeMs !== null && startsAtMs >= fromMs && startsAtMs <= now.getTime();
    return isShown ? [{ startsAt: new Date(startsAtMs), probes: addProbe('', probeMs) }] : [];
  });
  const steps = Map.groupBy([...rows, ...recent], ({ startsAt }) => stepStart(startsAt.getTime(), stepMs));
  return { kind: 'quantiles', stepMs, steps: [...steps].flatMap(([startsAtMs, of]) => summarize(startsAtMs, of)) };
}

const stepStart = (atMs: number, stepMs: number): number => Math.floor(atMs / stepMs) * stepMs;

function summarize(startsAtMs: number, rows: readonly { probes: string }[]): ProbeStep[] {
  const histogram = mergeHistograms(rows.map((row) => row.probes));
  const p50Ms = quantile(histogram, 0.5);
  const p95Ms = quantile(histogram, 0.95);
  if (p50Ms === null || p95Ms === null) return [];
  return [{ startsAt: new Date(startsAtMs), probes: countProbes(histogram), p50Ms, p95Ms }];
}

function lastHour({ db }: App, { seriesId, recent }: ReadableVps, now: Date): { at: Date; probeMs: number }[] {
  if (seriesId === null) return [];
  const from = new Date(bucketStart('10min', now.getTime() - WINDOW_MS['1h']));
  const moved = db
    .select({ at: healthSamples.at, probeMs: healthSamples.probeMs })
    .from(healthSamples)
    .where(
      and(
        eq(healthSamples.seriesId, seriesId),
        gte(healthSamples.at, from),
        lte(healthSamples.at, now),
        isNotNull(healthSamples.probeMs),
      ),
    )
    .orderBy(asc(healthSamples.at))
    .all();
  return [...moved, ...recent.map(({ atMs, probeMs }) => ({ at: new Date(atMs), probeMs }))].flatMap(
    ({ at, probeMs }) => (probeMs === null || at < from || at > now ? [] : [{ at, probeMs }]),
  );
}
