import { setTimeout as sleep } from 'node:timers/promises';
import type { Command } from 'commander';
import * as z from 'zod/mini';
import { LOCAL_OPERATOR } from '../src/lib/auth/actor.ts';
import { listIncidents, readIncident, type IncidentRow } from '../src/lib/views/incident-read.ts';
import { describeEvent } from '../src/lib/views/journal-words.ts';
import { count, shortDuration } from '../src/lib/facts/time-words.ts';
import { readJournal, type JournalRow } from '../src/lib/db/journal-store.ts';
import { FailedError, jsonOption, theVps, withApp, type JsonOption } from './context.ts';
import { readOptions, rowLimit } from './options.ts';
import { print, printJson } from './output.ts';
import { warnIfStale } from './watch.ts';

const FOLLOW_MS = 1_000;
const DEFAULT_LIMIT = '50';

const Rows = z.object({ limit: rowLimit });
const stamp = (at: Date): string => at.toISOString().slice(0, 19).replace('T', ' ');

const renderIncident = (row: IncidentRow): string => {
  const lasted = shortDuration((row.endedAt ?? new Date()).getTime() - row.openedAt.getTime());
  const end =
    row.endedAt === null ? `open for ${lasted}` : `ended after ${lasted}, ${row.endedBy?.replaceAll('_', ' ')}`;
  const seen = row.acknowledgedBy === null ? '' : `, acknowledged by ${row.acknowledgedBy}`;
  return `${row.id}  ${stamp(row.openedAt)}  ${row.host ?? 'a removed VPS'} (${row.customer}): ${row.firstError}; ${end}, ${count(row.failedChecks, 'failed check')}, ${count(row.restarts, 'restart')}${seen}`;
};

const renderEvent = ({ id, at, kind, vpsId, actor, detail }: JournalRow): string =>
  `${String(id).padStart(6)}  ${stamp(at)}  ${vpsId ?? 'fleet'}  ${describeEvent(kind, detail)}${actor === 'monitor' ? '' : ` (by ${actor})`}`;

/** `wardround incidents …`. */
export function fillIncidents(incidents: Command): void {
  incidents
    .command('list')
    .description('open incidents, then the latest')
    .option('--open', 'open ones only')
    .option('--vps <host|id>', 'of this VPS only')
    .option('--limit <n>', 'at most so many', DEFAULT_LIMIT)
    .addOption(jsonOption())
    .action((options: JsonOption & { open?: true; vps?: string; limit: string }) => {
      const { limit } = readOptions(Rows, options);
      return withApp((app) => {
        const vps = options.vps === undefined ? {} : { vpsId: theVps(app, options.vps).id };
        const filter = { ...vps, open: options.open === true, limit };
        const rows = listIncidents(app, LOCAL_OPERATOR, filter);
        warnIfStale(app, new Date());
        if (options.json) printJson(rows);
        else print(rows.length === 0 ? 'No incident.' : rows.map(renderIncident).join('\n'));
      });
    });

  incidents
    .command('show')
    .description('one incident: its timeline, and what the host said before each restart')
    .argument('<incident>', 'its id')
    .addOption(jsonOption())
    .action((id: string, { json }: JsonOption) =>
      withApp((app) => {
        const found = readIncident(app, LOCAL_OPERATOR, id);
        if (!found)
          throw new FailedError(`there is no incident ${JSON.stringify(id)}; "wardround incidents list" shows them`);
        if (json) {
          printJson(found);
          return;
        }
        print(renderIncident(found.incident));
        for (const event of found.events) print(renderEvent(event));
        for (const { intendedAt, outcome, detail, unit, journal } of found.restarts) {
          print(`\nRestart of ${stamp(intendedAt)}: ${outcome ?? 'never recorded'}${detail ? `, ${detail}` : ''}`);
          print(`  The unit before:\n${indent(unit || 'nothing could be read')}`);
          print(`  Its journal:\n${indent(journal || 'nothing could be read')}`);
        }
      }),
    );

  incidents
    .command('ack')
    .description('say that somebody sees to it: no more reminders until it ends; the recovery is told all the same')
    .argument('<incident>', 'its id')
    .addOption(jsonOption())
    .action((id: string, { json }: JsonOption) =>
      withApp(async (app) => {
        const { acknowledgeIncident } = await import('../src/lib/fleet-admin/incident-admin.ts');
        await acknowledgeIncident(app, LOCAL_OPERATOR, id, new Date());
        if (json) printJson(readIncident(app, LOCAL_OPERATOR, id)?.incident);
        else print(`Acknowledged ${id}.`);
      }),
    );
}

/** `wardround events`. */
export function fillEvents(events: Command): void {
  events
    .option('--vps <host|id>', 'of this VPS only')
    .option('--follow', 'go on with what happens from now on, until Ctrl-C')
    .option('--limit <n>', 'the latest so many to begin with', DEFAULT_LIMIT)
    .addOption(jsonOption())
    .action((options: JsonOption & { vps?: string; follow?: true; limit: string }) => {
      const { limit } = readOptions(Rows, options);
      return withApp(async (app) => {
        const vpsId = options.vps === undefined ? null : theVps(app, options.vps).id;
        const first = readJournal(app.db, { afterId: 0, vpsId, limit, latest: true });
        if (options.json && !options.follow) {
          printJson(first);
          return;
        }
        const stop = new AbortController();
        if (options.follow) process.once('SIGINT', () => stop.abort()).once('SIGTERM', () => stop.abort());
        // A stream has no end at which one document could close: with --follow, a line of JSON for each event.
        const show = (row: JournalRow): void => print(options.json ? JSON.stringify(row) : renderEvent(row));
        if (first.length === 0 && !options.follow && !options.json) print('Nothing has happened yet.');
        first.forEach(show);
        let lastId = first.at(-1)?.id ?? 0;
        while (options.follow && !stop.signal.aborted) {
          await sleep(FOLLOW_MS, undefined, { signal: stop.signal }).catch(() => undefined);
          const rows = readJournal(app.db, { afterId: lastId, vpsId, limit: 1_000, latest: false });
          rows.forEach(show);
          lastId = rows.at(-1)?.id ?? lastId;
        }
      });
    });
}

const indent = (text: string): string => text.replaceAll(/^/gm, '    ');
