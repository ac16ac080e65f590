import net from 'node:net';
import { refusalOfAll, type Reach } from '../facts/address-reach.ts';
import { findAddresses, type Found } from './name-lookup.ts';
import { describeRefusedAddress, describeSocketError, type SSHFailureCode } from './ssh-failure.ts';

export type Dialled =
  /** `doubt`: why this may be another machine than the one of that name; null where it is known to be at that address. */
  | { readonly socket: net.Socket; readonly doubt: string | null }
  | { readonly failure: [SSHFailureCode, string]; readonly doubt: string | null };

type Order = {
  readonly host: string;
  readonly port: number;
  /** Whether the host can prove to be the one that is meant. */
  readonly isPinned: boolean;
  /** What may be dialled. */
  readonly reach: Reach;
  readonly timeoutMs: number;
  /** Ends it: what was begun is closed. */
  readonly signal: AbortSignal;
  /** The addresses are known now, and may be dialled. */
  readonly onFound: (addresses: readonly string[]) => void;
};

/** After so much of the time for connecting, the last known address stands in for a look-up that has not come back. */
const LOOKUP_SHARE = 0.3;

/**
 * A connected socket to a host, whose `error` somebody else has to listen to from then on. Never rejects, and knows no
 * deadline but that of `signal`. After a failure nothing is left but a look-up, which nobody can end.
 */
export async function dial({ host, port, isPinned, reach, timeoutMs, signal, onFound }: Order): Promise<Dialled> {
  const patience = { mayBeOld: isPinned, patienceMs: timeoutMs * LOOKUP_SHARE, signal };
  const found = await Promise.race([findAddresses(host, patience), aborted(signal)]);
  if ('failure' in found) return { ...found, doubt: null };
  const { addresses, doubt } = found;
  const known = addresses.map(({ address }) => address);
  const refusal = refusalOfAll(known, reach);
  if (refusal !== null) return { failure: ['address_refused', describeRefusedAddress(host, refusal)], doubt: null };
  onFound(known);
  const socket = net.connect({
    host,
    port,
    signal,
    // ssh2 writes a packet in pieces, and Nagle holds the last one back for 40 ms and more.
    noDelay: true,
    // A name may have several addresses. Node gives each but the last 250 ms and does not come back to it: one lost
    // packet, and a host would be down whose second address leads nowhere from here.
    autoSelectFamily: true,
    autoSelectFamilyAttemptTimeout: Math.ceil(timeoutMs / 2),
    // What was judged is what is dialled: nobody asks a second time.
    lookup: (_name, _options, done) => done(null, [...addresses]),
  });
  return new Promise((resolve) => {
    let failure: [SSHFailureCode, string] = ['reset', 'the connection was closed'];
    socket.once('connect', () => resolve({ socket, doubt }));
    socket.on('error', (error) => {
      failure = describeSocketError(error, 'connect');
    });
    socket.once('close', () => resolve({ failure, doubt }));
  });
}

/** Resolves when it is, and else never. */
async function aborted(signal: AbortSignal): Promise<Extract<Found, { failure: unknown }>> {
  const failure: [SSHFailureCode, string] = ['aborted', 'the dialling was given up'];
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  return { failure };
}
