import { BUCKET_MS, spanPieces, type Piece, type Sample, type SampleState } from './spans.ts';

/** A look as it is kept: `probeMs` in whole milliseconds, null where it came to no login. */
export type StoredSample = Sample & { readonly probeMs: number | null };

/** How a state is written in a row of many: one letter. */
export const STATE_LETTERS = {
  healthy: 'h',
  unhealthy: 'u',
  down: 'd',
  maintenance: 'm',
  unknown: '?',
} as const satisfies Record<SampleState, string>;

const STATES: ReadonlyMap<string, SampleState> = new Map(
  Object.entries(STATE_LETTERS).map(([state, letter]) => [letter, state as SampleState]),
);
const ENTRY = /(\d+)([a-z?])(\d*),/y;

/** The newest looks at a VPS as they are stored, in one row: see `recentSamples` in `db/schema.ts`. */
export type RecentRow = { readonly beganAtMs: number; readonly samples: string };

/** How long a row takes samples; then it is moved. */
const KEPT_MS = BUCKET_MS.hour;
/** Rows are moved at all times of an hour, rather than those of the whole fleet in the same minute. */
const SLOTS = 60;

/** When a row of this series that begins at `atMs` takes no more. */
export function closesAtMs(series: number, atMs: number): number {
  const shiftMs = ((series % SLOTS) * KEPT_MS) / SLOTS;
  return Math.floor((atMs - shiftMs) / KEPT_MS + 1) * KEPT_MS + shiftMs;
}

/** What is written of a look behind the time since the row began: `84` milliseconds and healthy is `h84,`. */
export const recentText = ({ state, probeMs }: StoredSample): string => `${STATE_LETTERS[state]}${probeMs ?? ''},`;

/** In order of time. Throws for text that was not put together of `recentText`. */
export function parseRecent({ beganAtMs, samples: text }: RecentRow): StoredSample[] {
  const samples: StoredSample[] = [];
  ENTRY.lastIndex = 0;
  for (let at = 0; at < text.length; at = ENTRY.lastIndex) {
    const [, offsetMs, letter = '', probeMs] = ENTRY.exec(text) ?? [];
    const state = STATES.get(letter);
    if (state === undefined) throw new Error(`not the recent samples of a VPS: ${JSON.stringify(text)}`);
    samples.push({ atMs: beganAtMs + Number(offsetMs), state, probeMs: probeMs === '' ? null : Number(probeMs) });
  }
  return samples;
}

/** The time for which each of these, in order of time, stands until the next one. */
export const closedPieces = (samples: readonly Sample[], validMs: number): Piece[] =>
  samples.slice(1).flatMap((next, index) => {
    const sample = samples[index];
    return sample ? spanPieces(sample, next.atMs, validMs) : [];
  });
