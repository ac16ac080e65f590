import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { CSV_HEAD, csvLines } from './incident-csv.ts';
import { listIncidentsBefore, type IncidentFilter, type IncidentRow } from './incident-read.ts';

const ROWS_AT_ONCE = 500;

/** The incidents that match as CSV, the latest first, piece by piece: years of them must not keep a sweep waiting. */
export async function* exportIncidents(app: App, actor: Actor, filter: IncidentFilter): AsyncGenerator<string> {
  yield CSV_HEAD;
  for (let last: IncidentRow | undefined; ;) {
    const rows = listIncidentsBefore(app, actor, filter, last, ROWS_AT_ONCE);
    yield csvLines(rows);
    if (rows.length < ROWS_AT_ONCE) return;
    last = rows.at(-1);
    await nextTurn();
  }
}
