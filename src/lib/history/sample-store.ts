import type { Transaction } from '../db/client.ts';
import { prepared } from '../db/prepared.ts';
import { changeProbes, type ProbeChange } from './rules/probe-histogram.ts';
import { closesAtMs, parseRecent, recentText, type StoredSample } from './rules/recent.ts';
import {
  BUCKET_MS,
  bucketStart,
  RESOLUTIONS,
  spanPieces,
  type Piece,
  type Resolution,
  type SampleState,
} from './rules/spans.ts';

/** One look at a VPS: what it was found to be, and how long the probe took (null: it never got that far). */
export type NewSample = {
  readonly userId: string;
  readonly at: Date;
  readonly state: SampleState;
  readonly probeMs: number | null;
};

type Sql = ReturnType<typeof statementsOf>;

/** An hour of looks a minute apart; of looks that are seconds apart, so many are kept together. */
const MOST_TEXT = 1_000;

/**
 * Writes down a look: beside the few before it, in the one row that holds them, or where it is the first of a new
 * bucket (or is not the newest: the clock was set back), after those are moved to where they stay. Nothing is left to do
 * for a later job, and a crash loses nothing but the caller's transaction.
 *
 * A second sample of the same millisecond replaces the first. One that is older than the newest takes its place between
 * its neighbours, and the time that they share is counted anew. Reads add the time for which the recent samples have
 * stood (see `uptime-read.ts`).
 */
export function recordSample(tx: Transaction, { userId, at, state, probeMs }: NewSample, sampleValidMs: number): void {
  const sql = statementsOf(tx.database);
  const sample: StoredSample = { atMs: at.getTime(), state, probeMs: probeMs === null ? null : Math.round(probeMs) };
  const { atMs } = sample;
  const text = recentText(sample);
  if (sql.append.run(atMs, atMs, text, userId, atMs, atMs, sampleValidMs).changes > 0) return;
  const series = findOrCreateSeries(sql, userId);
  moveRecent(sql, series);
  if (comesNext(sql, series, atMs))
    sql.begin.run(series, atMs, atMs, closesAtMs(series, atMs), sampleValidMs, `0${text}`);
  else rollUp(sql, series, [sample], sampleValidMs);
}

/** Moves the recent samples of this series to the others, with their share of the roll-ups. */
export function settleSeries(tx: Transaction, series: number): void {
  moveRecent(statementsOf(tx.database), series);
}

/** Forgets the history of a VPS that is removed; the next one of this user begins a new series. Some milliseconds. */
export function forgetHistory(tx: Transaction, userId: string): void {
  statementsOf(tx.database).deleteSeries.run(userId);
}

function findOrCreateSeries(sql: Sql, userId: string): number {
  return sql.series.get(userId) ?? Number(sql.createSeries.run(userId).lastInsertRowid);
}

function moveRecent(sql: Sql, series: number): void {
  const recent = sql.recent.get(series);
  if (recent === undefined) return;
  const [beganAtMs, validMs, samples] = recent;
  rollUp(sql, series, parseRecent({ beganAtMs, samples }), validMs);
  sql.forgetRecent.run(series);
}

/**
 * Whether a sample of this time is newer than all that are rolled up, and nothing keeps their buckets from taking what
 * is to come. The clock may have been set back over samples that are pruned: then some time is in a bucket twice, and
 * what is added to it has to be cut short, sample by sample.
 */
function comesNext(sql: Sql, series: number, atMs: number): boolean {
  const newest = storedOf(sql.newest.get(series));
  if (newest === undefined) return true;
  const isFull = (resolution: Resolution): boolean => {
    const startsAtMs = bucketStart(resolution, newest.atMs);
    const [upMs, downMs] = sql.rollup.get(series, resolution, startsAtMs) ?? EMPTY_ROLLUP;
    return upMs + downMs > newest.atMs - startsAtMs;
  };
  return newest.atMs < atMs && !RESOLUTIONS.some(isFull);
}

/**
 * Adds samples, in order of time, to the roll-ups: each completes the time for which the one before it has stood. After
 * it, the roll-ups hold exactly the closed spans of all samples in `health_samples`, whatever the order in which those
 * came. The span of the newest is open until the next one.
 */
function rollUp(sql: Sql, series: number, samples: readonly StoredSample[], validMs: number): void {
  const change = new RollupChange();
  let newest = storedOf(sql.newest.get(series));
  for (const sample of samples) {
    if (newest && newest.atMs < sample.atMs) change.add(spanPieces(newest, sample.atMs, validMs));
    else if (newest) insertBetween(sql, series, sample, validMs, change);
    if (sample.probeMs !== null) change.changeProbe(sample.atMs, sample.probeMs, 1);
    sql.putSample.run(series, sample.atMs, sample.state, sample.probeMs);
    if (newest === undefined || newest.atMs <= sample.atMs) newest = sample;
  }
  change.apply(sql, series);
}

/** What changes when a sample takes a place that is not the last one: the spans of its neighbours were closed without it. */
function insertBetween(sql: Sql, series: number, sample: StoredSample, validMs: number, change: RollupChange): void {
  const before = storedOf(sql.before.get(series, sample.atMs));
  const same = storedOf(sql.same.get(series, sample.atMs));
  const after = storedOf(sql.after.get(series, sample.atMs));
  if (same && same.probeMs !== null) change.changeProbe(same.atMs, same.probeMs, -1);
  if (after) {
    const replaced = same ?? before;
    if (replaced) change.remove(spanPieces(replaced, after.atMs, validMs));
    change.add(spanPieces(sample, after.atMs, validMs));
  }
  if (before && !same) change.add(spanPieces(before, sample.atMs, validMs));
}

type BucketChange = { upMs: number; downMs: number; probes: ProbeChange[] };

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

  changeProbe(atMs: number, ms: number, count: ProbeChange['count']): void {
    for (const resolution of RESOLUTIONS)
      this.#bucket(resolution, bucketStart(resolution, atMs)).probes.push({ ms, count });
  }

  apply(sql: Sql, series: number): void {
    for (const { resolution, startsAtMs, upMs, downMs, probes } of this.#buckets.values()) {
      const known = sql.rollup.get(series, resolution, startsAtMs);
      const [knownUpMs, knownDownMs, knownProbes] = known ?? EMPTY_ROLLUP;
      // Samples that are pruned no longer tell which of their time was counted already. So a clock that is set back by
      // more than the detail that is kept could count time twice: a bucket never takes more than it is long.
      const up = clamp(knownUpMs + upMs, BUCKET_MS[resolution]);
      const down = clamp(knownDownMs + downMs, BUCKET_MS[resolution] - up);
      const put = known ? sql.changeRollup : sql.addRollup;
      put.run(up, down, changeProbes(knownProbes, probes), series, resolution, startsAtMs);
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
    append: $client.prepare<[number, number, string, string, number, number, number]>(
      `UPDATE recent_samples SET newest_at = ?, samples = samples || CAST(? - began_at AS INTEGER) || ?
       WHERE series_id = (SELECT id FROM history_series WHERE user_id = ?)
         AND newest_at < ? AND closes_at > ? AND valid_ms = ? AND length(samples) < ${MOST_TEXT}`,
    ),
    begin: $client.prepare<[number, number, number, number, number, string]>(
      `INSERT INTO recent_samples (series_id, began_at, newest_at, closes_at, valid_ms, samples) VALUES (?, ?, ?, ?, ?, ?)`,
    ),
    recent: $client
      .prepare<[number], [beganAtMs: number, validMs: number, samples: string]>(
        'SELECT began_at, valid_ms, samples FROM recent_samples WHERE series_id = ?',
      )
      .raw(),
    forgetRecent: $client.prepare<[number]>('DELETE FROM recent_samples WHERE series_id = ?'),
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
