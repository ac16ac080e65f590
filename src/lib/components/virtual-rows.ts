/** Rows beyond the edges of the window, so that they are there before they are seen. */
const OVERSCAN = 8;
/** A list no longer than this is in the page as a whole, where the browser's own search and a printer find it. */
const SHORT = 100;

type View = {
  /** Where the list begins, from the upper edge of the window; pixels, like the rest. */
  readonly top: number;
  readonly viewHeight: number;
  readonly rowHeight: number;
  readonly total: number;
};

/** The rows that have to be in the page, from `first` up to but not including `last`. */
export function visibleRows({ top, viewHeight, rowHeight, total }: View): { first: number; last: number } {
  if (total <= SHORT) return { first: 0, last: total };
  const within = (row: number): number => Math.min(total, Math.max(0, row));
  return {
    first: within(Math.floor(-top / rowHeight) - OVERSCAN),
    last: within(Math.ceil((viewHeight - top) / rowHeight) + OVERSCAN),
  };
}

export type Entry<Row> = {
  readonly index: number;
  /** Null: not known yet. */
  readonly row: Row | null;
  readonly key: string;
};

/**
 * The rows from `first` up to but not including `last`, each with a key of its own: parts of the list that were read at
 * different times may both have a row that moved in between, and then the second place is not known.
 */
export function entriesOf<Row extends { readonly id: string }>(
  first: number,
  last: number,
  rowAt: (index: number) => Row | null,
): Entry<Row>[] {
  const seen = new Set<string>();
  return Array.from({ length: Math.max(0, last - first) }, (_, place) => {
    const index = first + place;
    const row = rowAt(index);
    if (row === null || seen.has(row.id)) return { index, row: null, key: `row ${index}` };
    seen.add(row.id);
    return { index, row, key: row.id };
  });
}

/** To which row a key leads from this one; null for a key that leads nowhere. */
export function keyTarget(key: string, from: number, total: number): number | null {
  switch (key) {
    case 'ArrowDown':
      return Math.min(from + 1, total - 1);
    case 'ArrowUp':
      return Math.max(from - 1, 0);
    case 'Home':
      return 0;
    case 'End':
      return total - 1;
    default:
      return null;
  }
}
