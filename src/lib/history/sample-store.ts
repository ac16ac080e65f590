import type { Transaction } from '../db/client.ts';
import { prepared } from '../db/prepared.ts';
import { addProbe, removeProbe } from './rules/probe-histogram.ts';
import {
  BUCKET_MS,
  bucketStart,
  RESOLUTIONS,
  spanPieces,
  type Piece,
  type Resolution,
  type Sample,
  type SampleState,
} from './rules/spans.ts';

/** One look at a VPS: what it was found to be, and how long the probe took (null: it never got that far). */
export type NewSample = {
  readonly userId: string;
  readonly at: Date;
  readonly state: SampleState;
  readonly probeMs: number | null;
};

type StoredSample = Sample & { readonly probeMs: number | null };
type Sql = ReturnType<typeof statementsOf>;

/**
 * Writes down a look and adds to the roll-ups what it completes: the time for which the sample before has stood. After
 * it, the roll-ups hold exactly the closed spans of all samples, whatever the order in which those came, so nothing is
 * left to do for a later job, and a crash loses nothing but the caller's transaction.
 *
 * The newest sample's own span is open until the next one; reads add it (see `uptime-read.ts`). A second sample of the
 * same millisecond replaces the first. One that is older than the newest (the clock was set back) takes its place
 * between its neighbours, and the time that they share is counted anew.
 */
export function recordSample(tx: Transaction, { userId, at, state, probeMs }: NewSample, sampleValidMs: number): void {
  const sql = statementsOf(tx.database);
  const sample: StoredSample = { atMs: at.getTime(), state, probeMs: probeMs === null ? null : Math.round(probeMs) };
  const series = findOrCreateSeries(sql, userId);
  const change = new RollupChange();

  const newest = storedOf(sql.newest.get(series));
  if (newest && newest.atMs < sample.atMs) change.add(spanPieces(newest, sample.atMs, sampleValidMs));
  else if (newest) insertBetween(sql, series, sample, sampleValidMs, change);
  if (sample.probeMs !== null) change.addProbe(sample.atMs, sample.probeMs);

  sql.putSample.run(series, sample.atMs, sample.state, sample.probeMs);
  change.apply(sql, series);
}

/** Forgets the history of a VPS that is removed; the next one of this user begins a new series. Some milliseconds. */
export function forgetHistory(tx: Transaction, userId: string): void {
  statementsOf(tx.database).deleteSeries.run(userId);
}

function findOrCreateSeries(sql: Sql, userId: string): number {
  return sql.series.get(userId) ?? Number(sql.createSeries.run(userId).lastInsertRowid);
}

/** What changes when a sample takes a place that is not the last one: the spans of its neighbours were closed without it. */
function insertBetween(sql: Sql, series: number, sample: StoredSample, validMs: number, change: RollupChange): void {
  const before = storedOf(sql.before.get(series, sample.atMs));
  const same = storedOf(sql.same.get(series, sample.atMs));
  const after = storedOf(sql.after.get(series, sample.atMs));
  if (same && same.probeMs !== null) change.removeProbe(same.atMs, same.probeMs);
  if (after) {
    const replaced = same ?? before;
    if (replaced) change.remove(spanPieces(replaced, after.atMs, validMs));
    change.add(spanPieces(sample, after.atMs, validMs));
  }
  if (before && !same) change.add(spanPieces(before, sample.atMs, validMs));
}

type BucketChange = { upMs: number; downMs: number; probes: ((text: string) => string)[] };

/** What one sample does to the buckets, gathered so that each row is written once. */
class RollupChange {
  readonly #buckets = new Map<string, Piece & BucketChange>();

  #bucket(resolution: Piece['resolution'], startsAtMs: number): BucketChange {
    const key = `${resolution} ${startsAtMs}`;
    const known = this.#buckets.get(key);
    if (known) return known;
    const fresh = { resolution, startsAtMs, upMs: 0, downMs: 0, probes: [] };
    this.#buckets.set(key, fresh);
    return fresh;
  }

  add(pieces: readonly Piece[], sign = 1): void {
    for (const { resolution, startsAtMs, upMs, downMs } of pieces) {
      const bucket = this.#bucket(resolution, startsAtMs);
      bucket.upMs += sign * upMs;
      bucket.downMs += sign * downMs;
    }
  }

  remove(pieces: readonly Piece[]): void {
    this.add(pieces, -1);
  }

  addProbe(atMs: number, probeMs: number): void {
    this.#changeProbes(atMs, (text) => addProbe(text, probeMs));
  }

  removeProbe(atMs: number, probeMs: number): void {
    this.#changeProbes(atMs, (text) => removeProbe(text, probeMs));
  }

  #changeProbes(atMs: number, change: (text: string) => string): void {
    for (const resolution of RESOLUTIONS) this.#bucket(resolution, bucketStart(resolution, atMs)).probes.push(change);
  }

  apply(sql: Sql, series: number): void {
    for (const { resolution, startsAtMs, upMs, downMs, probes } of this.#buckets.values()) {
      const known = sql.rollup.get(series, resolution, startsAtMs);
      const [knownUpMs, knownDownMs, knownProbes] = known ?? EMPTY_ROLLUP;
      // Samples that are pruned no longer tell which of their time was counted already. So a clock that is set back by
      // more than the detail that is kept could count time twice: a bucket never takes more than it is long.
      const up = clamp(knownUpMs + upMs, BUCKET_MS[resolution]);
      const down = clamp(knownDownMs + downMs, BUCKET_MS[resolution] - up);
      const text = probes.reduce((before, change) => change(before), knownProbes);
      const put = known ? sql.changeRollup : sql.addRollup;
      put.run(up, down, text, series, resolution, startsAtMs);
    }
  }
}

const clamp = (ms: number, mostMs: number): number => Math.max(0, Math.min(ms, mostMs));

type RollupRow = readonly [upMs: number, downMs: number, probes: string];
const EMPTY_ROLLUP: RollupRow = [0, 0, ''];

type SampleRow = readonly [atMs: number, state: SampleState, probeMs: number | null];
const storedOf = (row: SampleRow | undefined): StoredSample | undefined =>
  row && { atMs: row[0], state: row[1], probeMs: row[2] };

/** Rows as lists: half of what reading one costs is to make an object of it. */
const statementsOf = prepared(({ $client }) => {
  const sample = (rest: string) =>
    $client
      .prepare<number[], SampleRow>(`SELECT at, state, probe_ms FROM health_samples WHERE series_id = ? ${rest}`)
      .raw();
  const rollup = 'series_id = ? AND resolution = ? AND starts_at = ?';
  type Rollup = [series: number, resolution: Resolution, startsAtMs: number];
  type Put = [...RollupRow, ...Rollup];
  return {
    series: $client.prepare<[string], number>('SELECT id FROM history_series WHERE user_id = ?').pluck(),
    createSeries: $client.prepare<[string]>('INSERT INTO history_series (user_id) VALUES (?)'),
    deleteSeries: $client.prepare<[string]>('DELETE FROM history_series WHERE user_id = ?'),
    newest: sample('ORDER BY at DESC LIMIT 1'),
    before: sample('AND at < ? ORDER BY at DESC LIMIT 1'),
    same: sample('AND at = ?'),
    after: sample('AND at > ? ORDER BY at LIMIT 1'),
    putSample: $client.prepare<[number, ...SampleRow]>(
      'INSERT OR REPLACE INTO health_samples (series_id, at, state, probe_ms) VALUES (?, ?, ?, ?)',
    ),
    rollup: $client
      .prepare<Rollup, RollupRow>(`SELECT up_ms, down_ms, probes FROM health_rollups WHERE ${rollup}`)
      .raw(),
    changeRollup: $client.prepare<Put>(`UPDATE health_rollups SET up_ms = ?, down_ms = ?, probes = ? WHERE ${rollup}`),
    addRollup: $client.prepare<Put>(
      'INSERT INTO health_rollups (up_ms, down_ms, probes, series_id, resolution, starts_at) VALUES (?, ?, ?, ?, ?, ?)',
    ),
  };
});
