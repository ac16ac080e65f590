import { filterInWords, parseLabel, parseLabelFilter, type LabelFilter } from '../facts/label.ts';
import { beginningOf } from '../facts/shorten.ts';
import { FILTERS, type FleetFilter } from './fleet-words.ts';

/** How the list may be sorted; `checked`: the oldest check first, `response`: the slowest first. */
export type FleetSort = 'trouble' | 'customer' | 'host' | 'checked' | 'response';

export const SORT_WORDS: Readonly<Record<FleetSort, string>> = {
  trouble: 'Trouble first',
  customer: 'Customer',
  host: 'Host',
  checked: 'Longest unchecked',
  response: 'Slowest response',
};
export const SORTS = Object.keys(SORT_WORDS) as FleetSort[];

/** What is asked of the fleet: it stands in the address of the page, and nowhere else. */
export type FleetQuery = {
  readonly status: FleetFilter | null;
  /** A piece of customer, address of mail, host or id; empty: all. */
  readonly search: string;
  /** All of these. */
  readonly labels: readonly LabelFilter[];
  /** The name of the label whose values part the list; null: one list. */
  readonly group: string | null;
  readonly sort: FleetSort;
  /** The other way round than usual. */
  readonly reversed: boolean;
  /** How many rows come before the first one. */
  readonly offset: number;
};

/** Rows that are read at a time, and a page without scripts. */
export const WINDOW_ROWS = 100;
const LONGEST_SEARCH = 100;
const MOST_LABELS = 8;
const MOST_ROWS = 1_000_000;

/** Reads the parameters of an address; what makes no sense there is as if it was not given. */
export function parseFleetQuery(params: URLSearchParams): FleetQuery {
  const [, minus = '', name = ''] = /^(-?)(.*)$/.exec(params.get('sort') ?? '') ?? [];
  const sort = SORTS.find((one) => one === name) ?? 'trouble';
  const offset = Number(params.get('offset') ?? 0);
  return {
    status: FILTERS.find((filter) => filter === params.get('status')) ?? null,
    search: beginningOf((params.get('q') ?? '').trim(), LONGEST_SEARCH),
    labels: labelsIn(params.getAll('label')),
    group: parseLabel(params.get('group') ?? '')?.name ?? null,
    sort,
    reversed: minus !== '' && sort !== 'trouble',
    offset: Number.isInteger(offset) && offset > 0 && offset < MOST_ROWS ? offset : 0,
  };
}

function labelsIn(given: readonly string[]): LabelFilter[] {
  const labels = given.flatMap((text) => parseLabelFilter(text) ?? []);
  return [...new Map(labels.map((label) => [filterInWords(label), label])).values()].slice(0, MOST_LABELS);
}

/** The other way: `?status=down&q=nord`, empty where nothing differs from the usual. */
export function fleetSearch(query: FleetQuery, change: Partial<FleetQuery> = {}): string {
  const { status, search, labels, group, sort, reversed, offset } = { ...query, ...change };
  const params = new URLSearchParams();
  if (status !== null) params.set('status', status);
  if (search !== '') params.set('q', search);
  for (const label of labels) params.append('label', filterInWords(label));
  if (group !== null) params.set('group', group);
  if (sort !== 'trouble') params.set('sort', (reversed ? '-' : '') + sort);
  if (offset > 0) params.set('offset', String(offset));
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}
