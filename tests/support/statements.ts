import type Sqlite from 'better-sqlite3';

/** A statement as it was sent, with what was bound to it the last time, and how often it was sent. */
export type Statement = { readonly sql: string; readonly bound: readonly unknown[]; readonly times: number };

export type Recording = {
  /** What was sent since the last call of this, each text once. */
  take(): Statement[];
};

const SENDING = ['run', 'get', 'all', 'iterate'] as const;

/** Keeps every statement that is sent over this connection, whoever prepares it. To begin before the first one is prepared. */
export function recordStatements(client: Sqlite.Database): Recording {
  const seen = new Map<string, Omit<Statement, 'sql'>>();
  const prepare = client.prepare.bind(client);
  client.prepare = ((sql: string) => {
    const statement = prepare(sql);
    for (const name of SENDING) {
      const send = statement[name].bind(statement) as (...bound: unknown[]) => unknown;
      Object.assign(statement, {
        [name]: (...bound: unknown[]) => {
          seen.set(sql, { bound, times: (seen.get(sql)?.times ?? 0) + 1 });
          return send(...bound);
        },
      });
    }
    return statement;
  }) as typeof client.prepare;
  return {
    take: () => {
      const taken = [...seen].map(([sql, sent]) => ({ sql: sql.replaceAll(/\s+/g, ' ').trim(), ...sent }));
      seen.clear();
      return taken;
    },
  };
}

/**
 * The steps that SQLite would take, `EXPLAIN QUERY PLAN`, each behind the one that it is a part of: `LIST SUBQUERY 2 > SCAN
 * incidents`. https://www.sqlite.org/eqp.html
 */
export function planOf(client: Sqlite.Database, { sql, bound }: Pick<Statement, 'sql' | 'bound'>): string[] {
  const steps = client
    .prepare<unknown[], { id: number; parent: number; detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)
    .all(...bound);
  const paths = new Map<number, string>();
  for (const { id, parent, detail } of steps) {
    const whole = paths.get(parent);
    paths.set(id, whole === undefined ? detail : `${whole} > ${detail}`);
  }
  return [...paths.values()];
}
