import { CAUSE_NAMES, type Cause } from '../facts/cause.ts';
import type { IncidentFilter } from './incident-read.ts';

/** Which incidents a list shows, as it stands in an address. */
export type IncidentQuery = {
  /** Of one VPS; null: of any. */
  readonly vps: string | null;
  readonly state: 'all' | 'open' | 'ended';
  /** Null: any. */
  readonly cause: Cause | null;
  /** The first and the last day (UTC) on which they began, as `2026-11-24`; null: no limit. */
  readonly from: string | null;
  readonly to: string | null;
  /** From 1 on. */
  readonly page: number;
};

export const PAGE_ROWS = 25;
const DAY_MS = 24 * 60 * 60_000;
const LAST_PAGE = 100_000;

/** What an address asks for; what it says in another form is taken for not said. */
export function parseIncidentQuery(params: URLSearchParams): IncidentQuery {
  const state = params.get('state');
  const page = Number(params.get('page'));
  return {
    state: state === 'open' || state === 'ended' ? state : 'all',
    vps: params.get('vps') || null,
    cause: CAUSE_NAMES.find((name) => name === params.get('cause')) ?? null,
    from: parseDay(params.get('from')),
    to: parseDay(params.get('to')),
    page: Number.isInteger(page) && page >= 1 && page <= LAST_PAGE ? page : 1,
  };
}

function parseDay(text: string | null): string | null {
  if (text === null || !/^\d{4}-\d{2}-\d{2}$/.test(text)) return null;
  const at = Date.parse(`${text}T00:00:00Z`);
  // 30 February is a day that JavaScript understands and the calendar does not.
  return Number.isNaN(at) || new Date(at).toISOString().slice(0, 10) !== text ? null : text;
}

export const filterOf = ({ vps, state, cause, from, to }: IncidentQuery): IncidentFilter => ({
  ...(vps !== null && { vpsId: vps }),
  ...(state === 'open' && { open: true }),
  ...(state === 'ended' && { ended: true }),
  ...(cause !== null && { cause }),
  ...(from !== null && { since: new Date(`${from}T00:00:00Z`) }),
  ...(to !== null && { before: new Date(Date.parse(`${to}T00:00:00Z`) + DAY_MS) }),
});

/** The same as the search of an address, `?state=open`; empty where nothing is asked for. */
export function searchOf({ vps, state, cause, from, to, page }: IncidentQuery): string {
  const given = Object.entries({
    vps,
    state: state === 'all' ? null : state,
    cause,
    from,
    to,
    page: page === 1 ? null : page,
  });
  const params = new URLSearchParams(given.flatMap(([name, value]) => (value === null ? [] : [[name, String(value)]])));
  return params.size === 0 ? '' : `?${params}`;
}
