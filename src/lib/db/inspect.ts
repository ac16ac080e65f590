import Sqlite from 'better-sqlite3';
import { BUSY_TIMEOUT_MS } from './busy.ts';
import { readMigrations } from './migrations.ts';

/** A database as a stranger looks at it: changes nothing, needs no newest schema, and throws whatever SQLite says. */
export class Inspection {
  readonly client: Sqlite.Database;

  constructor(path: string) {
    this.client = new Sqlite(path, { readonly: true, fileMustExist: true, timeout: BUSY_TIMEOUT_MS });
    // Opening reads nothing.
    this.client.prepare('SELECT count(*) FROM sqlite_schema').get();
  }

  close(): void {
    this.client.close();
  }

  /** Rows of a statement without arguments but these. */
  rows<Row>(text: string, ...given: readonly (string | number)[]): Row[] {
    return this.client.prepare<(string | number)[], Row>(text).all(...given);
  }

  /** Migrations of this version that are still to come, and those that this version does not know. */
  migrations(migrationsDir: string): { readonly pending: number; readonly unknown: number } {
    const known = readMigrations(migrationsDir).map(({ when }) => when);
    const applied = this.rows<{ at: number }>('SELECT created_at AS at FROM __drizzle_migrations').map(({ at }) => at);
    return {
      pending: known.filter((when) => !applied.includes(when)).length,
      unknown: applied.filter((when) => !known.includes(when)).length,
    };
  }
}
