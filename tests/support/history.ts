import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { openApp, type App } from '../../src/lib/app.ts';
import { write } from '../../src/lib/db/client.ts';
import { historySeries, users } from '../../src/lib/db/schema.ts';
import { recordSample, settleSeries, type NewSample } from '../../src/lib/history/sample-store.ts';
import type { SampleState } from '../../src/lib/history/rules/spans.ts';

export type HistoryApp = {
  readonly app: App;
  /** As a restart of the server does. */
  reopen(): Promise<void>;
  close(): void;
};

/** A real app on a database of its own, without waiting for the disk. */
export async function openHistoryApp(): Promise<HistoryApp> {
  const folder = mkdtempSync(join(tmpdir(), 'wardround-history-'));
  const open = async (): Promise<App> => {
    const opened = await openApp(
      {
        DATABASE_URL: join(folder, 'w.db'),
        ENCRYPTION_KEY_FILE: join(folder, 'key'),
        MIGRATIONS_DIR: resolve('drizzle'),
      },
      'server',
    );
    opened.db.$client.pragma('synchronous = OFF');
    return opened;
  };
  let app = await open();
  return {
    get app() {
      return app;
    },
    reopen: async () => {
      app.close();
      app = await open();
    },
    close: () => {
      app.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A customer with a VPS; both are called by `name`. */
export function addWatched({ db }: App, name: string): { userId: string; vpsId: string } {
  const vps = { userId: `user-${name}`, vpsId: `vps-${name}` };
  db.insert(users)
    .values({ id: vps.userId, email: `${name}@example.test` })
    .run();
  // No more columns than that: a database of an older version has no others.
  db.$client
    .prepare("INSERT INTO subscriptions (id, user_id, vps_provisioned, provisioning_status) VALUES (?, ?, 1, 'ready')")
    .run(vps.vpsId, vps.userId);
  return vps;
}

/** Records these looks in the order given, in one transaction. */
export const record = (app: App, samples: readonly NewSample[]): Promise<void> =>
  write(app.db, (tx) => {
    for (const sample of samples) recordSample(tx, sample, app.settings.history.sampleValidMs);
  });

/** Moves the recent samples of all VPSs to the others, so that the tables hold everything. */
export const settleAll = (app: App): Promise<void> =>
  write(app.db, (tx) => {
    for (const { id } of tx.select().from(historySeries).all()) settleSeries(tx, id);
  });

/** Looks a minute apart from `from` on. */
export const everyMinute = (userId: string, from: Date, states: readonly SampleState[]): NewSample[] =>
  states.map((state, minute) => ({
    userId,
    at: new Date(from.getTime() + minute * 60_000),
    state,
    probeMs: state === 'down' ? null : 40 + (minute % 7) * 10,
  }));
