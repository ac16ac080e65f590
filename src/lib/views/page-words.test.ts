import fc from 'fast-check';
import { expect, it } from 'vitest';
import { pagesLinked } from './page-words.ts';

it.each([
  [1, 1, [1]],
  [3, 7, [1, 2, 3, 4, 5, 6, 7]],
  [1, 20, [1, 2, null, 20]],
  [4, 20, [1, 2, 3, 4, 5, null, 20]],
  [10, 20, [1, null, 9, 10, 11, null, 20]],
  [17, 20, [1, null, 16, 17, 18, 19, 20]],
  [20, 20, [1, null, 19, 20]],
])('on page %d of %d there are links to %j', (page, pages, linked) => {
  expect(pagesLinked(page, pages)).toEqual(linked);
});

it('this page and its neighbours are always there, in order, and the links are few', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 1, max: 5_000 }), (one, other) => {
      const [page, pages] = [Math.min(one, other), Math.max(one, other)];
      const linked = pagesLinked(page, pages).filter((number) => number !== null);
      expect(linked).toEqual(linked.toSorted((a, b) => a - b));
      for (const near of [page - 1, page, page + 1, 1, pages])
        if (near >= 1 && near <= pages) expect(linked).toContain(near);
      expect(linked.length).toBeLessThanOrEqual(7);
    }),
  );
});
