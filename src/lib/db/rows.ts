import { getTableColumns, getTableName, type Column } from 'drizzle-orm';
import type { SQLiteTable } from 'drizzle-orm/sqlite-core';
import type { Database } from './client.ts';

type Params = Readonly<Record<string, string | number>>;

export type Rows<Row> = {
  /** One row, or undefined; the condition is SQL with named parameters. */
  readonly find: (condition: string) => (params: Params) => Row | undefined;
  /** Changes these columns of rows; says of how many. */
  readonly change: (columns: readonly (keyof Row)[], condition: string) => (row: Partial<Row>) => number;
  readonly add: () => (row: Row) => void;
};

/**
 * A table, for the few statements that run for each check: what drizzle does with each column of each row takes several
 * times as long as SQLite takes for the row. For `prepared`.
 */
export function rowsOf<T extends SQLiteTable>({ $client }: Database, table: T): Rows<T['$inferSelect']> {
  type Row = T['$inferSelect'];
  const name = getTableName(table);
  const columns = Object.entries(getTableColumns(table)) as [keyof Row & string, Column][];
  const names = columns.map(([, column]) => column.name).join(', ');

  const decoded = (values: readonly unknown[]): Row => {
    const row: Record<string, unknown> = {};
    for (const [index, [key, column]] of columns.entries()) {
      const value = values[index];
      row[key] = value === null ? null : column.mapFromDriverValue(value);
    }
    return row;
  };
  const encoded = (row: Partial<Row>): Record<string, unknown> => {
    const values: Record<string, unknown> = {};
    for (const [key, column] of columns) {
      const value = row[key];
      if (value !== undefined) values[key] = value === null ? null : column.mapToDriverValue(value);
    }
    return values;
  };

  return {
    find: (condition) => {
      const statement = $client.prepare<[Params], unknown[]>(`SELECT ${names} FROM ${name} WHERE ${condition}`).raw();
      return (params) => {
        const values = statement.get(params);
        return values && decoded(values);
      };
    },
    change: (changing, condition) => {
      const set = columns.filter(([key]) => changing.includes(key)).map(([key, column]) => `${column.name} = @${key}`);
      const statement = $client.prepare(`UPDATE ${name} SET ${set.join(', ')} WHERE ${condition}`);
      return (row) => statement.run(encoded(row)).changes;
    },
    add: () => {
      const statement = $client.prepare(
        `INSERT INTO ${name} (${names}) VALUES (${columns.map(([key]) => `@${key}`).join(', ')})`,
      );
      return (row) => void statement.run(encoded(row));
    },
  };
}
