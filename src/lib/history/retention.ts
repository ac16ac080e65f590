import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { HistorySettings } from '../config.ts';
import { write, type Database, type Transaction } from '../db/client.ts';
import { createLog } from '../log.ts';
import { scheduleJob, type RunningJob } from '../schedule.ts';
import { BUCKET_MS, RESOLUTIONS, type Resolution } from './rules/spans.ts';
import { settleSeries } from './sample-store.ts';

const log = createLog('history-retention');

/** So many rows a transaction, so that a sweep that wants to write and a page that wants to be served hardly wait. */
export const CHUNK_ROWS = 500;
/** Looking at a series that has nothing to give takes time too. */
const CHUNK_SERIES = 50;
/** Each restart may take 16 KiB of evidence with it. */
const CHUNK_RESTARTS = 50;

export type PruneResult = { readonly rows: number; readonly chunks: number; readonly longestChunkMs: number };

/**
 * Deletes what is older than the settings keep, in transactions of at most `CHUNK_ROWS` rows, and lets the event loop
 * turn between them. What falls under a cut is gone as a whole or kept as a whole:
 * - samples, but never the newest of a VPS: the time for which it stands is not in the roll-ups yet;
 * - roll-ups whose bucket ended before the cut;
 * - incidents that ended before it; events and restarts (with their evidence) whose incident is gone or that had none;
 * - messages that need no more sending, unless their incident is still open: they tell what has been told.
 *
 * Ends early, with the rest left for the next time, when `stop` is aborted. Two of these at once do no harm.
 */
export async function pruneHistory(
  db: Database,
  now: Date,
  settings: HistorySettings,
  stop?: AbortSignal,
): Promise<PruneResult> {
  const total = { rows: 0, chunks: 0, longestChunkMs: 0 };
  const inChunk = async <T extends { rows: number }>(work: (tx: Transaction) => T): Promise<T> => {
    let startMs = 0;
    const done = await write(db, (tx) => {
      startMs = performance.now();
      return work(tx);
    });
    if (done.rows > 0) total.chunks++;
    total.rows += done.rows;
    total.longestChunkMs = Math.max(total.longestChunkMs, performance.now() - startMs);
    await nextTurn();
    return done;
  };

  const series = db.$client.prepare('SELECT id FROM history_series ORDER BY id').pluck().all() as number[];
  const pruneFrom = seriesPruner(db, series, seriesCuts(now.getTime(), settings));
  for (let first = 0; first < series.length && !stop?.aborted;) {
    const start = first;
    first = (await inChunk((tx) => pruneFrom(tx, start))).next;
  }
  for (const kind of agingTables(now.getTime(), settings)) {
    const find = db.$client.prepare(`SELECT t.id FROM ${kind.from} WHERE ${kind.due} LIMIT ${kind.chunkRows}`).pluck();
    for (let more = true; more && !stop?.aborted;) {
      // Found before the lock is taken; whether it is still due is asked again under it.
      const ids = find.all({ cut: kind.cutMs });
      if (ids.length === 0) break;
      const remove = db.$client.prepare(
        `DELETE FROM ${kind.table} AS t WHERE id IN (SELECT value FROM json_each(:ids)) AND ${kind.due}`,
      );
      const { rows } = await inChunk(() => ({
        rows: remove.run({ ids: JSON.stringify(ids), cut: kind.cutMs }).changes,
      }));
      more = rows > 0;
    }
  }
  return total;
}

type SeriesCuts = { readonly samplesMs: number; readonly rollups: readonly (readonly [Resolution, number])[] };

function seriesCuts(nowMs: number, { detailMs, tenMinutesMs, hourlyMs, dailyMs }: HistorySettings): SeriesCuts {
  const keptMs = { '10min': tenMinutesMs, hour: hourlyMs, day: dailyMs };
  return {
    samplesMs: nowMs - detailMs,
    // A bucket that reaches over the cut is kept: what looks back on the whole window needs it.
    rollups: RESOLUTIONS.map(
      (resolution) => [resolution, nowMs - keptMs[resolution] - BUCKET_MS[resolution] + 1] as const,
    ),
  };
}

/** Prunes series after series from `start` on until the chunk is full; `next` is where the following one begins. */
function seriesPruner(
  { $client }: Database,
  series: readonly number[],
  { samplesMs, rollups }: SeriesCuts,
): (tx: Transaction, start: number) => { rows: number; next: number } {
  const ofLongAgo = $client.prepare(HAS_OLD_RECENT).pluck();
  const newestCut = Math.max(samplesMs, ...rollups.map(([, cut]) => cut));
  const samples = $client.prepare(DELETE_SAMPLES);
  const rollupsOf = $client.prepare(DELETE_ROLLUPS);
  return (tx, start) => {
    const end = Math.min(start + CHUNK_SERIES, series.length);
    let rows = 0;
    for (let index = start; index < end; index++) {
      const id = series[index] ?? 0;
      if (ofLongAgo.get({ id, cut: newestCut }) !== undefined) {
        // A chunk of its own: an hour of looks, with their share of the roll-ups.
        if (index === start) settleSeries(tx, id);
        return { rows, next: index };
      }
      rows += samples.run({ id, cut: samplesMs, room: CHUNK_ROWS - rows }).changes;
      for (const [resolution, cut] of rollups)
        rows += rollupsOf.run({ id, resolution, cut, room: CHUNK_ROWS - rows }).changes;
      if (rows >= CHUNK_ROWS) return { rows, next: index };
    }
    return { rows, next: end };
  };
}

/** Recent samples of which some, or the one before them, are to go: of a VPS that has not been looked at for long. */
const HAS_OLD_RECENT = `
  SELECT 1 FROM recent_samples WHERE series_id = :id
    AND coalesce((SELECT max(at) FROM health_samples WHERE series_id = :id), began_at) < :cut`;
/** A range of the primary key; its end is the row that does not fit into the chunk any more, if there is one. */
const DELETE_SAMPLES = `
  DELETE FROM health_samples WHERE series_id = :id AND at < min(:cut,
    (SELECT max(at) FROM health_samples WHERE series_id = :id),
    coalesce((SELECT at FROM health_samples WHERE series_id = :id ORDER BY at LIMIT 1 OFFSET :room), :cut))`;
const DELETE_ROLLUPS = `
  DELETE FROM health_rollups WHERE series_id = :id AND resolution = :resolution AND starts_at < min(:cut,
    coalesce((SELECT starts_at FROM health_rollups WHERE series_id = :id AND resolution = :resolution
              ORDER BY starts_at LIMIT 1 OFFSET :room), :cut))`;

type AgingTable = {
  readonly table: string;
  /** Where to look, `t` being the table: along an index, so that nobody reads years to find the oldest day. */
  readonly from: string;
  readonly due: string;
  readonly cutMs: number;
  readonly chunkRows: number;
};

const INCIDENT_GONE = 'NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.id = t.incident_id)';
const INCIDENT_NOT_OPEN =
  'NOT EXISTS (SELECT 1 FROM incidents WHERE incidents.id = t.incident_id AND incidents.ended_at IS NULL)';

/** In this order: incidents first, then what belonged to them. */
function agingTables(nowMs: number, { incidentsMs, messagesMs }: HistorySettings): AgingTable[] {
  const incidentsCut = { cutMs: nowMs - incidentsMs, chunkRows: CHUNK_ROWS };
  return [
    { table: 'incidents', from: 'incidents t', due: 't.opened_at < :cut AND t.ended_at < :cut', ...incidentsCut },
    { table: 'health_events', from: 'health_events t', due: `t.at < :cut AND ${INCIDENT_GONE}`, ...incidentsCut },
    {
      table: 'restart_attempts',
      from: 'users CROSS JOIN restart_attempts t ON t.user_id = users.id',
      due: `t.intended_at < :cut AND ${INCIDENT_GONE}`,
      cutMs: nowMs - incidentsMs,
      chunkRows: CHUNK_RESTARTS,
    },
    {
      table: 'notifications',
      from: 'notifications t',
      due:
        `t.status IN ('sent', 'failed', 'collapsed', 'digested') AND t.next_attempt_at < :cut AND t.created_at < :cut ` +
        `AND ${INCIDENT_NOT_OPEN}`,
      cutMs: nowMs - messagesMs,
      chunkRows: CHUNK_ROWS,
    },
  ];
}

/** Starts the hourly job; it ends after the piece under way. */
export function startHistoryRetention({ db, settings }: App): RunningJob {
  const stopping = new AbortController();
  const job = scheduleJob('pruning history', settings.history.pruneCron, log, async () => {
    const { rows, chunks, longestChunkMs } = await pruneHistory(db, new Date(), settings.history, stopping.signal);
    if (rows > 0)
      log.info(`${rows} old rows deleted in ${chunks} pieces, the longest took ${longestChunkMs.toFixed(0)} ms`);
  });
  const stop = (): Promise<void> => {
    stopping.abort();
    return job.stop();
  };
  return { name: 'history retention', stop };
}
