/** Rows that one statement takes: SQLite binds 32,766 values at most. */
export const ROWS_AT_ONCE = 200;

/** A long list in pieces of this many. */
export const chunksOf = <Item>(items: readonly Item[], size = ROWS_AT_ONCE): Item[][] =>
  Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
