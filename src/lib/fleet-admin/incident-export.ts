import { setImmediate as nextTurn } from 'node:timers/promises';
import type { App } from '../app.ts';
import type { Actor } from '../auth/actor.ts';
import { CSV_HEAD, csvLines } from './incident-csv.ts';
import { listIncidents, type IncidentFilter } from './incident-read.ts';

const ROWS_AT_ONCE = 500;

/** The incidents that match as CSV, piece by piece: years of them must not keep a sweep waiting. */
export async function* exportIncidents(app: App, actor: Actor, filter: IncidentFilter): AsyncGenerator<string> {
  yield CSV_HEAD;
  for (let offset = 0; ; offset += ROWS_AT_ONCE) {
    const rows = listIncidents(app, actor, { ...filter, limit: ROWS_AT_ONCE, offset });
    yield csvLines(rows);
    if (rows.length < ROWS_AT_ONCE) return;
    await nextTurn();
  }
}
