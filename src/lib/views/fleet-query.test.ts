import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fleetSearch, parseFleetQuery, SORTS, type FleetQuery } from './fleet-query.ts';
import { FILTERS } from './fleet-words.ts';

const USUAL: FleetQuery = {
  status: null,
  search: '',
  labels: [],
  group: null,
  sort: 'trouble',
  reversed: false,
  offset: 0,
};
const parse = (search: string): FleetQuery => parseFleetQuery(new URLSearchParams(search));

describe('what an address asks of the fleet', () => {
  it.each([
    ['', USUAL],
    ['?status=down&q=%20nord%20', { ...USUAL, status: 'down', search: 'nord' }],
    [
      '?label=Region%3Dfsn1&label=canary&label=region=fsn1&label=a=b=c&label=role%3D&group=provider',
      {
        ...USUAL,
        labels: [
          { name: 'region', value: 'fsn1' },
          { name: 'canary', value: null },
          { name: 'role', value: '' },
        ],
        group: 'provider',
      },
    ],
    ['?group=a+b&label=', USUAL],
    ['?sort=-host&offset=200', { ...USUAL, sort: 'host', reversed: true, offset: 200 }],
    ['?status=broken&sort=-trouble&offset=-3', USUAL],
    ['?sort=toString&offset=1.5', USUAL],
    [`?q=${'x'.repeat(500)}`, { ...USUAL, search: 'x'.repeat(100) }],
  ] as [string, FleetQuery][])('%s', (search, query) => {
    expect(parse(search)).toEqual(query);
  });

  it('says the same when it is written and read again', () => {
    const query = fc.record({
      status: fc.option(fc.constantFrom(...FILTERS)),
      search: fc.string({ maxLength: 100 }).map((text) => text.trim()),
      labels: fc.uniqueArray(
        fc.record({ name: fc.constantFrom('a', 'b-c'), value: fc.constantFrom(null, '', 'x:1') }),
        { maxLength: 6, selector: ({ name, value }) => `${name} ${value}` },
      ),
      group: fc.constantFrom(null, 'region'),
      sort: fc.constantFrom(...SORTS),
      reversed: fc.boolean(),
      offset: fc.nat(999_999),
    });
    fc.assert(
      fc.property(query, (asked) => {
        const expected = { ...asked, reversed: asked.reversed && asked.sort !== 'trouble' };
        expect(parse(fleetSearch(asked))).toEqual(expected);
      }),
    );
  });
});
