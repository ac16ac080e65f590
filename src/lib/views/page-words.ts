/** More pages than this and those in between are left out. */
const ALL_SHOWN = 7;

/** The pages that are linked, from 1 on: the first, the last and those around this one; null stands for what is left out. */
export function pagesLinked(page: number, pages: number): (number | null)[] {
  const all = Array.from({ length: pages }, (_, index) => index + 1);
  if (pages <= ALL_SHOWN) return all;
  // A single page that was left out would be no shorter than its gap.
  const isNear = (one: number): boolean => Math.abs(one - page) <= 1 || one === 1 || one === pages;
  const isLinked = (one: number): boolean => isNear(one) || (isNear(one - 1) && isNear(one + 1));
  return all.flatMap((one) => (isLinked(one) ? [one] : isLinked(one - 1) ? [null] : []));
}
