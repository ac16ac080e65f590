import { linesApart } from './apart.ts';
import type { Facts, Failed } from './rules/checks.ts';

const GIVEN = `const given = JSON.parse(require('node:fs').readFileSync(0, 'utf8'));`;

/** The largest tables last. What SQLite throws is a fault of the table that it was reading. */
const CHECK_TABLES = `${GIVEN}
const { DatabaseSync } = require('node:sqlite');
const database = new DatabaseSync(given, { readOnly: true });
const tables = database
  .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name LIKE 'health_%' OR name LIKE 'notif%', name")
  .all();
console.log(tables.length);
try {
  for (const { name } of tables)
    console.log(Object.values(database.prepare('PRAGMA quick_check("' + name.replaceAll('"', '""') + '")').get())[0]);
} catch (error) {
  console.log(error.message);
}`;

/** SQLite's quick_check, table by table, as long as there is time. `report`: `ok`, or the first fault. */
export async function checkTables(path: string, deadline: AbortSignal): Promise<Facts['integrity']> {
  const [of, ...reports] = await linesApart(CHECK_TABLES, path, deadline);
  if (of === undefined) throw new Error('there was no time to read the database');
  const fault = reports.find((report) => report !== 'ok');
  return { report: fault ?? 'ok', tables: reports.length - (fault === undefined ? 0 : 1), of: Number(of) };
}

const TRY_NETWORK = `${GIVEN}
const { lookup } = require('node:dns');
const { connect } = require('node:net');
for (const { what, host, port } of given) {
  const say = (error) => console.log(JSON.stringify([what, error ? error.code || error.message : null]));
  if (port === null) lookup(host, say);
  else {
    const socket = connect({ host, port }, () => {
      say(null);
      socket.destroy();
    });
    socket.on('error', say);
  }
}`;

/** A name that is looked up, or with a port, a connection that is opened. */
export type Target = { readonly what: string; readonly host: string; readonly port: number | null };

/**
 * Tries all of them at once; what has not worked at the deadline has failed. Connections are closed at once and nothing is
 * said over them: one alone is no offence to a host (sshd_config(5), PerSourcePenalties).
 */
export async function tryNetwork(
  targets: readonly Target[],
  deadline: AbortSignal,
): Promise<{ readonly worked: readonly string[]; readonly failed: readonly Failed[] }> {
  const lines = targets.length === 0 ? [] : await linesApart(TRY_NETWORK, targets, deadline);
  const ends = new Map(lines.map((line) => JSON.parse(line) as [what: string, why: string | null]));
  const names = targets.map(({ what }) => what);
  return {
    worked: names.filter((what) => ends.get(what) === null),
    failed: names.flatMap((what) => {
      const why = ends.has(what) ? ends.get(what) : 'no answer in time';
      return why ? [{ what, why }] : [];
    }),
  };
}
