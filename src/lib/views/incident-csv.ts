import type { IncidentRow } from './incident-read.ts';

type Cell = string | number | null;

const COLUMNS: readonly (readonly [string, (row: IncidentRow) => Cell])[] = [
  ['id', ({ id }) => id],
  ['opened_at', ({ openedAt }) => openedAt.toISOString()],
  ['ended_at', ({ endedAt }) => endedAt && endedAt.toISOString()],
  ['duration_s', ({ openedAt, endedAt }) => endedAt && Math.round((endedAt.getTime() - openedAt.getTime()) / 1000)],
  ['ended_by', ({ endedBy }) => endedBy],
  ['customer', ({ customer }) => customer],
  ['vps_id', ({ vpsId }) => vpsId],
  ['host', ({ host }) => host],
  ['port', ({ port }) => port],
  ['cause', ({ cause }) => cause],
  ['first_error', ({ firstError }) => firstError],
  ['failed_checks', ({ failedChecks }) => failedChecks],
  ['restarts', ({ restarts }) => restarts],
  ['circuit_opened_at', ({ circuitOpenedAt }) => circuitOpenedAt && circuitOpenedAt.toISOString()],
  ['acknowledged_at', ({ acknowledgedAt }) => acknowledgedAt && acknowledgedAt.toISOString()],
  ['acknowledged_by', ({ acknowledgedBy }) => acknowledgedBy],
];

/**
 * A cell of RFC 4180. Text that a spreadsheet would take for a formula gets an apostrophe in front: names and errors
 * come from customers and from their hosts. Source: OWASP, CSV Injection.
 */
function cellOf(value: Cell): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const lineOf = (cells: readonly Cell[]): string => `${cells.map(cellOf).join(',')}\r\n`;

export const CSV_HEAD = lineOf(COLUMNS.map(([name]) => name));

/** A line for each incident, in the order of `CSV_HEAD`. */
export const csvLines = (rows: readonly IncidentRow[]): string =>
  rows.map((row) => lineOf(COLUMNS.map(([, of]) => of(row)))).join('');
