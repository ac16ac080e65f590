import { EventEmitter } from 'node:events';

/**
 * What has changed, told after the commit that made it true. `vps`: the subscriptions with these ids; `monitor`: the job
 * as a whole (progress of a sweep, healing, an outage); `all`: nobody knows what, so it may be anything.
 */
export type LiveEvent =
  | { readonly kind: 'vps'; readonly vpsIds: readonly string[] }
  | { readonly kind: 'monitor' }
  | { readonly kind: 'all' };

const CHANGED = 'changed';
const BUS = Symbol.for('wardround.live-bus');
/** On globalThis: a stream that is open outlives a hot reload of this module. */
const shared = globalThis as { [BUS]?: EventEmitter };
const bus = (shared[BUS] ??= new EventEmitter().setMaxListeners(0));

/** Tells every open stream. To be called after the commit, never within the transaction. */
export const publish = (event: LiveEvent): void => {
  bus.emit(CHANGED, event);
};

/** Calls `listener` for every change in this process. Returns how to stop that. */
export function subscribe(listener: (event: LiveEvent) => void): () => void {
  bus.on(CHANGED, listener);
  return () => bus.off(CHANGED, listener);
}
