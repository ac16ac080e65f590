import type { LookupAddress } from 'node:dns';
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
for (const { what, host, port, addresses } of given) {
  const say = (error, found = []) =>
    console.log(JSON.stringify([what, error ? error.code || error.message : null, found]));
  if (port === null) lookup(host, { all: true }, say);
  else {
    const known = addresses && { lookup: (name, options, done) => done(null, addresses) };
    const socket = connect({ host, port, ...known }, () => {
      say(null);
      socket.destroy();
    });
    socket.on('error', say);
  }
}`;

/** A name that is looked up, or with a port, a connection that is opened, to these addresses where they are known. */
export type Target = {
  readonly what: string;
  readonly host: string;
  readonly port: number | null;
  readonly addresses?: readonly LookupAddress[];
};

/** `worked`: with the addresses that a look-up has found. */
export type Tried = {
  readonly worked: readonly { readonly what: string; readonly addresses: readonly LookupAddress[] }[];
  readonly failed: readonly Failed[];
};

/**
 * Tries all of them at once; what has not worked at the deadline has failed. Connections are closed at once and nothing is
 * said over them: one alone is no offence to a host (sshd_config(5), PerSourcePenalties).
 */
export async function tryNetwork(targets: readonly Target[], deadline: AbortSignal): Promise<Tried> {
  const lines = targets.length === 0 ? [] : await linesApart(TRY_NETWORK, targets, deadline);
  const ends = lines.map(
    (line) => JSON.parse(line) as [what: string, why: string | null, addresses: readonly LookupAddress[]],
  );
  const ended = new Set(ends.map(([what]) => what));
  return {
    worked: ends.flatMap(([what, why, addresses]) => (why === null ? [{ what, addresses }] : [])),
    failed: [
      ...ends.flatMap(([what, why]) => (why === null ? [] : [{ what, why }])),
      ...targets.flatMap(({ what }) => (ended.has(what) ? [] : [{ what, why: 'no answer in time' }])),
    ],
  };
}
