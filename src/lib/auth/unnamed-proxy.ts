import { partOf, type App } from '../app.ts';
import { isPublicAddress } from '../facts/address-reach.ts';
import type { Log } from '../log.ts';

/** What proxies write, the usual ones first. */
const HEADERS = ['x-forwarded-for', 'forwarded', 'x-real-ip'];

/**
 * The header in which a proxy says who asks, where there seems to be one: whoever connects comes from within, and says so.
 * Null otherwise, above all for strangers on the internet, who may claim anything. `peer`: who connects.
 */
export const headerOfProxy = (headers: Headers, peer: string | null): string | null =>
  peer === null || isPublicAddress(peer) ? null : (HEADERS.find((name) => headers.has(name)) ?? null);

const stateOf = (app: App) => partOf(app, 'unnamed proxy', () => ({ header: null as string | null }));

/**
 * Notices a proxy that `ADDRESS_HEADER` does not name: all who come through it share one limit and one count of
 * connections. Says so in the log, once; for the settings page, see `unnamedProxy`.
 */
export function noticeProxy(app: App, headers: Headers, peer: string | null, log: Log): void {
  const state = stateOf(app);
  if (app.settings.addressHeader !== null || state.header !== null) return;
  state.header = headerOfProxy(headers, peer);
  if (state.header === null) return;
  log.error(
    `requests come through a proxy (header ${state.header}, from ${peer}), but ADDRESS_HEADER is not set: all who come that way share the limits of one address. Set ADDRESS_HEADER=${state.header} if that proxy sets the header itself`,
  );
}

/** The header that `ADDRESS_HEADER` should name; null as long as no such proxy was noticed. */
export const unnamedProxy = (app: App): string | null => stateOf(app).header;
