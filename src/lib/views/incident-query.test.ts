import { describe, expect, it } from 'vitest';
import { filterOf, parseIncidentQuery, searchOf } from './incident-query.ts';

const parse = (search: string) => parseIncidentQuery(new URLSearchParams(search));
const ALL = { vps: null, state: 'all', cause: null, from: null, to: null, page: 1 };

describe('the address of a list of incidents', () => {
  it.each([
    ['', ALL],
    ['?vps=vps-1', { ...ALL, vps: 'vps-1' }],
    ['?state=open&cause=timeout', { ...ALL, state: 'open', cause: 'timeout' }],
    ['?from=2026-11-01&to=2026-11-24&page=3', { ...ALL, from: '2026-11-01', to: '2026-11-24', page: 3 }],
  ])('%j is read and written the same', (search, query) => {
    expect(parse(search)).toEqual(query);
    expect(searchOf(parse(search))).toBe(search);
  });

  it.each(['?state=x', '?cause=', '?from=2026-02-30', '?to=yesterday', '?page=0', '?page=1e9', '?page=-1', '?page=x'])(
    '%s asks for nothing',
    (search) => {
      expect(parse(search)).toEqual(ALL);
    },
  );

  it('means whole days in UTC, the last one included', () => {
    expect(filterOf(parse('?from=2026-11-01&to=2026-11-24&state=ended&cause=dns&vps=vps-1'))).toEqual({
      vpsId: 'vps-1',
      ended: true,
      cause: 'dns',
      since: new Date('2026-11-01T00:00:00Z'),
      before: new Date('2026-11-25T00:00:00Z'),
    });
    expect(filterOf(parse(''))).toEqual({});
  });
});
