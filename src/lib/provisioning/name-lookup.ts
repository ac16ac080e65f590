import dns, { type LookupAddress } from 'node:dns';
import { closeSync, openSync } from 'node:fs';
import { isIP } from 'node:net';
import { devNull } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeLookupError, type SSHFailureCode } from './ssh-failure.ts';

/** More names than any fleet has: a name that was changed is forgotten some day. */
const MOST_NAMES = 20_000;

/** What the last look-up of a name that worked has found. */
const lastKnown = new Map<string, readonly LookupAddress[]>();
const underWay = new Map<string, Promise<readonly LookupAddress[]>>();

/**
 * The addresses of a host name, as the system knows them (hosts file, resolver; getaddrinfo(3)). Rejects with Node's own
 * error. Nothing can cancel a look-up: who has no more patience goes on without it, and whoever asks for the same name
 * meanwhile waits for the one that is under way, since there are but a few threads for them.
 */
function lookUp(name: string): Promise<readonly LookupAddress[]> {
  const asked = underWay.get(name);
  if (asked !== undefined) return asked;
  const found = new Promise<readonly LookupAddress[]>((resolve, reject) => {
    dns.lookup(name, { all: true }, (error, addresses) => {
      underWay.delete(name);
      if (error !== null) {
        reject(outOfDescriptors(error) ?? error);
        return;
      }
      lastKnown.delete(name);
      lastKnown.set(name, addresses);
      if (lastKnown.size > MOST_NAMES) lastKnown.delete(lastKnown.keys().next().value ?? '');
      resolve(addresses);
    });
  });
  underWay.set(name, found);
  // Whoever had no more patience listens no more.
  found.catch(() => undefined);
  return found;
}

/** Without a descriptor left to ask with, getaddrinfo(3) says that there is no such name, of any name. */
function outOfDescriptors(error: NodeJS.ErrnoException): Error | null {
  if (error.code !== 'ENOTFOUND') return null;
  try {
    closeSync(openSync(devNull, 'r'));
    return null;
  } catch (reason) {
    return reason as Error;
  }
}

export type Found =
  /** `doubt`: why these are the last known addresses only; null when the look-up has just named them. */
  | { readonly addresses: readonly LookupAddress[]; readonly doubt: string | null }
  | { readonly failure: [SSHFailureCode, string] };

/**
 * Where `host` is: an address is there already, a name is looked up. With `mayBeOld` the last known addresses stand in
 * for a look-up that fails through no fault of the host's, or has not come back within `patienceMs`. Never rejects; may
 * take as long as the system's resolver does. `signal` ends what waits for the patience.
 */
export async function findAddresses(
  host: string,
  {
    mayBeOld,
    patienceMs,
    signal,
  }: { readonly mayBeOld: boolean; readonly patienceMs: number; readonly signal: AbortSignal },
): Promise<Found> {
  const family = isIP(host);
  if (family !== 0) return { addresses: [{ address: host, family }], doubt: null };
  const old = mayBeOld ? (lastKnown.get(host) ?? null) : null;
  const asked = lookUp(host).then(
    (addresses): Found => ({ addresses, doubt: null }),
    (error: unknown): Found => {
      const [code, message] = describeLookupError(error as NodeJS.ErrnoException);
      return old === null || code !== 'resolver' ? { failure: [code, message] } : { addresses: old, doubt: message };
    },
  );
  if (old === null) return asked;
  const answered = new AbortController();
  void asked.then(() => answered.abort());
  try {
    await sleep(patienceMs, undefined, { signal: AbortSignal.any([signal, answered.signal]) });
  } catch {
    return asked;
  }
  const doubt = `the look-up of the host name has not come back within ${patienceMs / 1000} s`;
  return { addresses: old, doubt };
}
