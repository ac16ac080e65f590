import type { Database } from './client.ts';

/**
 * Statements that are built once for each database, and run a thousand times an hour: building one costs more than
 * running it. A connection has one transaction at a time, so they run inside the one of whoever asks.
 */
export function prepared<T>(build: (db: Database) => T): (db: Database) => T {
  const known = new WeakMap<Database, T>();
  return (db) => {
    const statements = known.get(db) ?? build(db);
    known.set(db, statements);
    return statements;
  };
}
