import { Column, getTableColumns, getTableName } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Database } from './client.ts';

export type Rows<Row> = {
  /** The row with this value in a column whose values are texts and differ; undefined: there is none. */
  readonly find: (by: keyof Row & string) => (value: string) => Row | undefined;
  /** Changes these columns, which the row has to have, where `by` has the value; says whether there is such a row. */
  readonly change: (
    columns: readonly (keyof Row & string)[],
    by: keyof Row & string,
  ) => (row: Partial<Row>, value: string) => boolean;
  readonly add: () => (row: Row) => void;
};

/**
 * A table, for the few statements that run for each check: what drizzle does with each column of each row takes several
 * times as long as SQLite takes for the row. For `prepared`.
 */
export function rowsOf<T extends SQLiteTable>({ $client }: Database, table: T): Rows<T['$inferSelect']> {
  type Row = T['$inferSelect'];
  const name = getTableName(table);
  const columnOf = getTableColumns(table);
  const keys = Object.keys(columnOf) as (keyof Row & string)[];
  const nameOf = (key: keyof Row & string): string => columnOf[key]?.name ?? '';
  const namesOf = (some: readonly (keyof Row & string)[]): string => some.map(nameOf).join(', ');

  const decoders = keys.map((key) => {
    const column = columnOf[key];
    // Most columns are read as they are.
    const isPlain = column?.mapFromDriverValue === Column.prototype.mapFromDriverValue;
    return isPlain ? null : (value: unknown): unknown => column?.mapFromDriverValue(value);
  });
  // An object that is put together key by key is a slow one for whoever reads it or makes another of it; a copy is not.
  const blank = JSON.parse(JSON.stringify(Object.fromEntries(keys.map((key) => [key, null])))) as Record<
    string,
    unknown
  >;
  const decoded = (values: readonly unknown[]): Row => {
    const row = { ...blank };
    for (let index = 0; index < keys.length; index++) {
      const value = values[index];
      const decode = decoders[index];
      row[keys[index] ?? ''] = value === null || !decode ? value : decode(value);
    }
    return row;
  };
  const encoderOf = (some: readonly (keyof Row & string)[]) => {
    const encoders = some.map((key) => [key, columnOf[key]] as const);
    return (row: Partial<Row>): unknown[] =>
      encoders.map(([key, column]) => (row[key] === null ? null : column?.mapToDriverValue(row[key])));
  };

  return {
    find: (by) => {
      const statement = $client
        .prepare<[string], unknown[]>(`SELECT ${namesOf(keys)} FROM ${name} WHERE ${nameOf(by)} = ?`)
        .raw();
      return (value) => {
        const values = statement.get(value);
        return values && decoded(values);
      };
    },
    change: (changing, by) => {
      const set = changing.map((key) => `${nameOf(key)} = ?`).join(', ');
      const statement = $client.prepare(`UPDATE ${name} SET ${set} WHERE ${nameOf(by)} = ?`);
      const encoded = encoderOf(changing);
      return (row, value) => statement.run(...encoded(row), value).changes > 0;
    },
    add: () => {
      const statement = $client.prepare(
        `INSERT INTO ${name} (${namesOf(keys)}) VALUES (${keys.map(() => '?').join(', ')})`,
      );
      const encoded = encoderOf(keys);
      return (row) => void statement.run(...encoded(row));
    },
  };
}
