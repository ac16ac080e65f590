import { and, eq, gte, lte, min, sql } from 'drizzle-orm';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { healthRollups, healthSamples } from '../db/schema.ts';
import { findNewestSample } from './checks-read.ts';
import { closedPieces } from '../history/rules/recent.ts';
import { findReadable, type ReadableVps } from './series-read.ts';
import {
  BUCKET_MS,
  bucketStart,
  spanPieces,
  uptime,
  type Piece,
  type Resolution,
  type Sample,
} from '../history/rules/spans.ts';

/** Time up and down in milliseconds, and their share: 0..1, or null when nothing is known. */
export type Uptime = { readonly upMs: number; readonly downMs: number; readonly uptime: number | null };

/** Maintenance, faults of the monitor and time when nobody looked are in neither. */
export type UptimeWindows = Readonly<Record<UptimeWindow, Uptime>> & {
  /** When the first look was, as far as that is still known; null: there was none. */
  readonly watchedSince: Date | null;
};
export type UptimeWindow = keyof typeof WINDOWS;

const DAY_MS = BUCKET_MS.day;
const WINDOWS = {
  '24h': { lengthMs: DAY_MS, resolution: '10min' },
  '7d': { lengthMs: 7 * DAY_MS, resolution: 'hour' },
  '30d': { lengthMs: 30 * DAY_MS, resolution: 'hour' },
  '90d': { lengthMs: 90 * DAY_MS, resolution: 'hour' },
} as const satisfies Record<string, { lengthMs: number; resolution: Resolution }>;

/**
 * What the roll-ups lack: the time for which recent samples have stood, and the newest one stands until `now`, or until
 * it is no longer valid. Buckets that begin after `now` are left out, as in `rollupsBetween`.
 */
function runningPieces(app: App, { seriesId, recent, recentValidMs }: ReadableVps, now: Date): Piece[] {
  const rolledUp = seriesId === null ? undefined : findNewestSample(app, seriesId);
  const samples = [...(rolledUp ? [rolledUp] : []), ...recent];
  const newest = samples.at(-1);
  const pieces = [
    ...closedPieces(samples, recentValidMs),
    ...(newest ? spanPieces(newest, now.getTime(), app.settings.history.sampleValidMs) : []),
  ];
  return pieces.filter(({ startsAtMs }) => startsAtMs <= now.getTime());
}

const sum = (times: readonly { upMs: number; downMs: number }[]): Uptime => {
  const upMs = times.reduce((total, time) => total + time.upMs, 0);
  const downMs = times.reduce((total, time) => total + time.downMs, 0);
  return { upMs, downMs, uptime: uptime({ upMs, downMs }) };
};

/**
 * Uptime of one VPS up to `now`. Each window begins at the start of the bucket that holds its first moment: `24h` is
 * up to ten minutes longer than that, the others up to an hour. Undefined: no such VPS for this actor.
 */
export function readUptime(app: App, actor: Actor, vpsId: string, now: Date): UptimeWindows | undefined {
  const vps = findReadable(app, actor, vpsId);
  if (!vps) return undefined;
  const { seriesId } = vps;
  const running = runningPieces(app, vps, now);
  const over = ({ lengthMs, resolution }: { lengthMs: number; resolution: Resolution }): Uptime => {
    const fromMs = bucketStart(resolution, now.getTime() - lengthMs);
    const ran = running.filter((piece) => piece.resolution === resolution && piece.startsAtMs >= fromMs);
    return sum(seriesId === null ? ran : [...ran, sumRollups(app, seriesId, resolution, fromMs, now)]);
  };
  return {
    '24h': over(WINDOWS['24h']),
    '7d': over(WINDOWS['7d']),
    '30d': over(WINDOWS['30d']),
    '90d': over(WINDOWS['90d']),
    watchedSince: seriesId === null ? null : firstLookAt(app, seriesId, vps.recent[0]),
  };
}

/** To the look, as long as that is kept; then to the hour, and to the day. */
function firstLookAt({ db }: App, seriesId: number, recent: Sample | undefined): Date | null {
  const sample = db
    .select({ at: min(healthSamples.at) })
    .from(healthSamples)
    .where(eq(healthSamples.seriesId, seriesId))
    .get()?.at;
  const kept = sample ?? (recent === undefined ? null : new Date(recent.atMs));
  const starts = (['hour', 'day'] as const).map((resolution) => {
    const first = db
      .select({ at: min(healthRollups.startsAt) })
      .from(healthRollups)
      .where(and(eq(healthRollups.seriesId, seriesId), eq(healthRollups.resolution, resolution)))
      .get()?.at;
    return { resolution, at: first ?? null };
  });
  return starts.reduce<Date | null>(
    // A finer time within that bucket is the same beginning, told better.
    (finer, { resolution, at }) =>
      finer === null || (at !== null && finer.getTime() - at.getTime() >= BUCKET_MS[resolution]) ? at : finer,
    kept,
  );
}

function sumRollups({ db }: App, seriesId: number, resolution: Resolution, fromMs: number, now: Date) {
  const total = db
    .select({
      upMs: sql<number>`coalesce(sum(${healthRollups.upMs}), 0)`,
      downMs: sql<number>`coalesce(sum(${healthRollups.downMs}), 0)`,
    })
    .from(healthRollups)
    .where(rollupsBetween(seriesId, resolution, fromMs, now))
    .get();
  return total ?? { upMs: 0, downMs: 0 };
}

/** Buckets that begin after `now` are of a clock that was set back since. */
export const rollupsBetween = (seriesId: number, resolution: Resolution, fromMs: number, now: Date) =>
  and(
    eq(healthRollups.seriesId, seriesId),
    eq(healthRollups.resolution, resolution),
    gte(healthRollups.startsAt, new Date(fromMs)),
    lte(healthRollups.startsAt, now),
  );

/** A day in UTC, `day` as `2026-06-15`. */
export type DailyBar = Uptime & { readonly day: string };

export const DAILY_BARS = 90;

/** The last 90 days in UTC, oldest first, today included as far as it has got. Undefined: no such VPS for this actor. */
export function readDailyBars(app: App, actor: Actor, vpsId: string, now: Date): DailyBar[] | undefined {
  const vps = findReadable(app, actor, vpsId);
  if (!vps) return undefined;
  const firstMs = bucketStart('day', now.getTime()) - (DAILY_BARS - 1) * DAY_MS;
  const known =
    vps.seriesId === null
      ? []
      : [
          ...app.db
            .select({ startsAt: healthRollups.startsAt, upMs: healthRollups.upMs, downMs: healthRollups.downMs })
            .from(healthRollups)
            .where(rollupsBetween(vps.seriesId, 'day', firstMs, now))
            .all()
            .map((row) => ({ ...row, startsAtMs: row.startsAt.getTime() })),
          ...runningPieces(app, vps, now).filter((piece) => piece.resolution === 'day'),
        ];
  return Array.from({ length: DAILY_BARS }, (_, index) => {
    const startsAtMs = firstMs + index * DAY_MS;
    return {
      day: new Date(startsAtMs).toISOString().slice(0, 10),
      ...sum(known.filter((time) => time.startsAtMs === startsAtMs)),
    };
  });
}
