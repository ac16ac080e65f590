import type { Database, Transaction } from '../db/client.ts';

/**
 * What has changed, told after the commit that made it true. `vps`: the subscriptions with these ids; `monitor`: the job
 * as a whole (progress of a sweep, healing, an outage); `outbox`: something waits to be sent; `all`: nobody knows what,
 * so it may be anything.
 */
export type LiveEvent =
  | { readonly kind: 'vps'; readonly vpsIds: readonly string[] }
  | { readonly kind: 'monitor' }
  | { readonly kind: 'outbox' }
  | { readonly kind: 'all' };

const CHANGED = 'changed';

/** Tells whoever listens in this process once the transaction is committed. */
export const publish = (tx: Transaction, event: LiveEvent): void => tx.afterCommit(() => tell(tx.database, event));

/** The same, at once: for what stands in no table, such as how far a sweep is. */
export const tell = (db: Database, event: LiveEvent): void => {
  db.events.emit(CHANGED, event);
};

/** Calls `listener` for every change in this process. Returns how to stop that. */
export function subscribe(db: Database, listener: (event: LiveEvent) => void): () => void {
  db.events.on(CHANGED, listener);
  return () => db.events.off(CHANGED, listener);
}
