import { setTimeout as sleep } from 'node:timers/promises';
import type { App } from '../app.ts';
import { refusalOfAll } from '../facts/address-reach.ts';
import { findAddresses } from '../provisioning/name-lookup.ts';
import { describeRefusedAddress } from '../provisioning/ssh-failure.ts';
import { RefusedError } from './the-vps.ts';

/** Nobody who saves a form waits longer for name servers. */
const PATIENCE_MS = 3_000;

/**
 * Throws `RefusedError` for a host that may not be dialled, as far as is known when it is saved: what a name leads to is
 * judged again at each dial, and one that cannot be looked up now is judged then.
 */
export async function refuseForbiddenAddress({ settings }: Pick<App, 'settings'>, host: string): Promise<void> {
  const patience = { mayBeOld: false, patienceMs: PATIENCE_MS, signal: new AbortController().signal };
  const over = new AbortController();
  const nothing = sleep(PATIENCE_MS, { failure: null }, { signal: over.signal });
  const found = await Promise.race([findAddresses(host, patience), nothing]).finally(() => over.abort());
  if ('failure' in found) return;
  const known = found.addresses.map(({ address }) => address);
  const refusal = refusalOfAll(known, settings.allowedAddresses);
  if (refusal !== null) throw new RefusedError(describeRefusedAddress(host, refusal));
}
