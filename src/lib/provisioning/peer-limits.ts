import type { PacedSocket } from './paced-socket.ts';
import type { SSHPhase } from './ssh-failure.ts';

type Cost = PacedSocket['cost'];

/** A greeting, key exchange and login need about 8 KiB; an endless greeting would need a whole core. */
const PREAMBLE_BYTES = 256 * 1024;
/** Both streams of a command up to their limit, even if each byte comes in a packet of its own. */
const COMMAND_BYTES = 16 * 1024 * 1024;
/** A login takes some forty pieces, a command ten; a host may ask for an answer to each packet it sends. */
const MOST_WRITES = 2_000;
/** A look costs some five milliseconds; 16 MiB in the smallest of packets would cost four seconds. */
const MOST_BUSY_MS = 1_000;
/** Unasked, while one command runs: hosts exchange keys anew after a gigabyte or an hour. */
const MOST_KEY_EXCHANGES = 1;

/** While a channel is kept, so long a time counts like a command. */
const KEPT_PERIOD_MS = 60_000;

/**
 * What a host may send and cost: until it has let us in, with each command and, while a channel is kept, with each message
 * to it and in each minute in which there was none.
 */
export class PeerLimits {
  #bytes = 0;
  #keyExchanges = 0;
  #before: Cost = { writes: 0, busyMs: 0 };
  #beganAtMs = Infinity;

  /** Another command begins, or another message goes out to a channel that is kept: `keptAtMs` is the time of it. */
  begin(cost: Cost, keptAtMs = this.#beganAtMs): void {
    this.#beganAtMs = keptAtMs;
    this.#bytes = 0;
    this.#keyExchanges = 0;
    this.#before = cost;
  }

  /** Why the host goes too far with what it has sent now; null where it does not. */
  onReceived(bytes: number, cost: Cost, { phase, nowMs }: { phase: SSHPhase; nowMs: number }): string | null {
    if (nowMs - this.#beganAtMs >= KEPT_PERIOD_MS) this.begin(cost, nowMs);
    const { writes, busyMs } = cost;
    this.#bytes += bytes;
    const limit = phase === 'command' ? COMMAND_BYTES : PREAMBLE_BYTES;
    if (this.#bytes > limit) return `the host sent more than ${limit / 1024} KiB (${phase})`;
    if (writes - this.#before.writes > MOST_WRITES) return `the host asks for one answer after the other (${phase})`;
    if (busyMs - this.#before.busyMs > MOST_BUSY_MS) return `the host keeps the monitor busy without end (${phase})`;
    return null;
  }

  /** The same for keys that it has exchanged without being asked. */
  onKeyExchange(phase: SSHPhase): string | null {
    this.#keyExchanges += 1;
    return this.#keyExchanges > MOST_KEY_EXCHANGES ? `the host exchanges keys again and again (${phase})` : null;
  }
}
