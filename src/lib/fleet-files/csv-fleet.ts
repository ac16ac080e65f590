import { CsvError, parse, type Info } from 'csv-parse/sync';
import {
  ALLOWED_FIELDS,
  fieldNamed,
  formulaProblem,
  labelText,
  MOST_ENTRIES,
  MOST_PROBLEMS,
  notUsed,
  tooMany,
  type EntryField,
  type FileProblem,
  type FleetEntry,
  type FleetFile,
} from './fleet-entry.ts';

const DELIMITERS = [',', ';', '\t'];
const LONGEST_RECORD = 64 * 1024;

type Row = { readonly record: readonly string[]; readonly info: Info };
type Column = {
  readonly index: number;
  readonly title: string;
  readonly field: EntryField | { readonly label: string };
};

/** A table with a line of titles, and commas, semicolons or tabs between the cells (RFC 4180). */
export function readCsv(text: string): FleetFile {
  const rows = readRows(text);
  if ('reason' in rows) return { problems: [rows] };
  const [titles, ...records] = rows;
  if (records.length > MOST_ENTRIES) return { problems: [tooMany(`more than ${MOST_ENTRIES} rows`)] };
  const columns = columnsOf(titles?.record ?? []);
  if ('reason' in columns) return { problems: [columns] };
  const width = titles?.record.length ?? 0;
  const problems: FileProblem[] = [];
  const entries: FleetEntry[] = [];
  for (const { record, info } of records) {
    const line = info.lines;
    if (record.length > width && record.slice(width).some((cell) => cell.trim() !== ''))
      problems.push({ line, reason: `there are ${record.length} cells, but the first line names ${width} columns` });
    const entry = entryOf(record, line, columns.used);
    problems.push(...entry.problems);
    entries.push(entry.entry);
    if (problems.length >= MOST_PROBLEMS) break;
  }
  return problems.length > 0 ? { problems } : { entries, notes: notUsed('Columns', columns.unused) };
}

/** The cells of each row, and where they stand; the first row has the titles. */
function readRows(text: string): readonly Row[] | FileProblem {
  const [first = ''] = text.split('\n', 1);
  const count = (sign: string): number => first.split(sign).length;
  const [delimiter = ','] = DELIMITERS.toSorted((a, b) => count(b) - count(a));
  try {
    return parse(text, {
      delimiter,
      info: true,
      relax_column_count: true,
      skip_empty_lines: true,
      skip_records_with_empty_values: true,
      max_record_size: LONGEST_RECORD,
      to: MOST_ENTRIES + 2,
    }) as unknown as readonly Row[];
  } catch (error) {
    if (!(error instanceof CsvError)) throw error;
    const line = typeof error.lines === 'number' ? error.lines : null;
    return { line, reason: `this is no table with commas: ${error.message.split('\n', 1)[0]?.slice(0, 200)}` };
  }
}

function columnsOf(
  titles: readonly string[],
): { readonly used: readonly Column[]; readonly unused: string[] } | FileProblem {
  const known = titles.map((title, index) => ({ index, title, field: fieldNamed(title) }));
  const used = known.filter((column): column is Column => column.field !== null);
  const unused = known.filter(({ field, title }) => field === null && title.trim() !== '').map(({ title }) => title);
  const keyOf = ({ field }: Column): string =>
    typeof field === 'string' ? field : `label:${field.label.toLowerCase()}`;
  const twice = used.find((column) => used.some((other) => other !== column && keyOf(other) === keyOf(column)));
  if (twice)
    return { line: 1, reason: `two columns stand for ${keyOf(twice)}: ${JSON.stringify(twice.title)} is one of them` };
  if (!used.some(({ field }) => field === 'host'))
    return { line: 1, reason: `the first line has to name the columns, "host" among them; allowed: ${ALLOWED_FIELDS}` };
  return { used, unused };
}

function entryOf(
  record: readonly string[],
  line: number,
  columns: readonly Column[],
): { readonly entry: FleetEntry; readonly problems: readonly FileProblem[] } {
  const given: { [field in EntryField]?: string } = {};
  const labels: string[] = [];
  const problems: FileProblem[] = [];
  for (const { index, title, field } of columns) {
    const cell = (record[index] ?? '').trim();
    if (cell === '') continue;
    const problem = formulaProblem(line, title, cell);
    if (problem) problems.push(problem);
    else if (typeof field === 'object') labels.push(labelText(field.label, cell));
    else if (field === 'labels') labels.push(cell);
    else given[field] = cell;
  }
  if (labels.length > 0) given.labels = labels.join(', ');
  return { entry: { line, alias: given.name ?? given.host ?? '', given }, problems };
}
