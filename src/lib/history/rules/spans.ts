import type { healthSamples } from '../../db/schema.ts';

export type SampleState = (typeof healthSamples.$inferSelect)['state'];
export type Resolution = '10min' | 'hour' | 'day';

/** Length of a bucket in milliseconds. Buckets start at whole multiples since 1970, so in UTC. */
export const BUCKET_MS: Readonly<Record<Resolution, number>> = {
  '10min': 10 * 60_000,
  hour: 60 * 60_000,
  day: 24 * 60 * 60_000,
};

export const RESOLUTIONS: readonly Resolution[] = ['10min', 'hour', 'day'];

/** Where the bucket starts that holds this time. */
export const bucketStart = (resolution: Resolution, atMs: number): number =>
  Math.floor(atMs / BUCKET_MS[resolution]) * BUCKET_MS[resolution];

/** Whether time in this state counts; null: neither up nor down, because nobody knows or nobody is to be blamed. */
export function countedAs(state: SampleState): 'up' | 'down' | null {
  switch (state) {
    case 'healthy':
      return 'up';
    case 'unhealthy':
    case 'down':
      return 'down';
    case 'maintenance':
    case 'unknown':
      return null;
    default:
      return state satisfies never;
  }
}

export type Sample = { readonly atMs: number; readonly state: SampleState };

/** Time in one bucket, in milliseconds; one of `upMs` and `downMs` is 0. */
export type Piece = {
  readonly resolution: Resolution;
  readonly startsAtMs: number;
  readonly upMs: number;
  readonly downMs: number;
};

/** Until when a sample stands, if the next one was taken at `endMs`: no longer than it is valid, never backwards. */
export const spanEnd = (sample: Sample, endMs: number, sampleValidMs: number): number =>
  Math.max(sample.atMs, Math.min(endMs, sample.atMs + sampleValidMs));

/**
 * The time for which a sample stands, as pieces for the buckets of all three resolutions. Empty where that time is
 * neither up nor down, and where the next sample is not later: the clock was set back, or it is the same millisecond.
 */
export function spanPieces(sample: Sample, endMs: number, sampleValidMs: number): Piece[] {
  const counted = countedAs(sample.state);
  if (counted === null) return [];
  const untilMs = spanEnd(sample, endMs, sampleValidMs);
  return RESOLUTIONS.flatMap((resolution) => {
    const pieces: Piece[] = [];
    for (let fromMs = sample.atMs; fromMs < untilMs;) {
      const startsAtMs = bucketStart(resolution, fromMs);
      const toMs = Math.min(untilMs, startsAtMs + BUCKET_MS[resolution]);
      const ms = toMs - fromMs;
      pieces.push({ resolution, startsAtMs, upMs: counted === 'up' ? ms : 0, downMs: counted === 'down' ? ms : 0 });
      fromMs = toMs;
    }
    return pieces;
  });
}

/** Up time / (up + down time), 0..1; null when nothing is known. */
export const uptime = ({ upMs, downMs }: { readonly upMs: number; readonly downMs: number }): number | null =>
  upMs + downMs === 0 ? null : upMs / (upMs + downMs);
