import { describe, expect, it } from 'vitest';
import { entriesOf, keyTarget, visibleRows } from './virtual-rows.ts';

const view = { viewHeight: 640, rowHeight: 64, total: 5_000 };

describe('the rows of a long list that are in the page', () => {
  it.each([
    ['at the beginning, below a header', { ...view, top: 320 }, { first: 0, last: 13 }],
    ['in the middle', { ...view, top: -64_000 }, { first: 992, last: 1_018 }],
    ['at the end', { ...view, top: 640 - 5_000 * 64 }, { first: 4_982, last: 5_000 }],
    ['of a short list, which are all', { ...view, top: 9_000, total: 100 }, { first: 0, last: 100 }],
    ['of a list far below the window', { ...view, top: 9_000 }, { first: 0, last: 0 }],
  ])('%s', (_, given, rows) => {
    expect(visibleRows(given)).toEqual(rows);
  });
});

describe('a key', () => {
  it.each([
    ['ArrowDown', 3, 4],
    ['ArrowDown', 9, 9],
    ['ArrowUp', 0, 0],
    ['ArrowUp', 3, 2],
    ['Home', 7, 0],
    ['End', 0, 9],
    ['Enter', 3, null],
  ] as const)('%s in row %i of ten leads to row %s', (key, from, to) => {
    expect(keyTarget(key, from, 10)).toBe(to);
  });
});

it('a row that moved while the list was read is there once', () => {
  const rows = ['a', 'b', 'a'].map((id) => ({ id }));
  expect(entriesOf(0, 4, (index) => rows[index] ?? null)).toEqual([
    { index: 0, row: { id: 'a' }, key: 'a' },
    { index: 1, row: { id: 'b' }, key: 'b' },
    { index: 2, row: null, key: 'row 2' },
    { index: 3, row: null, key: 'row 3' },
  ]);
});
