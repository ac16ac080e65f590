import type { Server } from 'node:http';
import type { Socket } from 'node:net';
import { networkOf } from '../auth/network-of.ts';

export type ConnectionLimits = {
  /** How many connections the web server has open at the same time. */
  readonly total: number;
  /** How many of them for one address (IPv6: one /64). */
  readonly perAddress: number;
  /** From the connection, or from the first byte of a further request, to the end of the headers. */
  readonly headersMs: number;
  /** The same to the end of the body. */
  readonly requestMs: number;
};

const HEADERS_MS = 10_000;
const REQUEST_MS = 60_000;
/** As many as one process can serve with open pages; each costs memory. */
const MOST = 2_000;

/**
 * A quarter of the files that this process may have open is for strangers: what is left, the monitor needs for SSH, the
 * database and messages. One address gets half of that, as one office may sit behind it; but a proxy, behind which
 * everybody sits, gets all.
 */
export function connectionLimits({
  openFiles,
  behindProxy,
}: {
  readonly openFiles: number;
  readonly behindProxy: boolean;
}): ConnectionLimits {
  const total = Math.max(2, Math.min(Math.floor(openFiles / 4), MOST));
  return {
    total,
    perAddress: behindProxy ? total : Math.ceil(total / 2),
    headersMs: HEADERS_MS,
    requestMs: REQUEST_MS,
  };
}

/**
 * Keeps strangers from taking every file descriptor: what is over a limit is closed at once, and whoever does not end a
 * request in time is too. To be called before the server listens, or right after `listen()` in the same turn.
 */
export function boundConnections(server: Server, limits: ConnectionLimits): void {
  server.maxConnections = limits.total;
  server.headersTimeout = limits.headersMs;
  server.requestTimeout = limits.requestMs;
  // An option of createServer() that is read when the server begins to listen: otherwise a look comes each 30 s.
  Object.assign(server, { connectionsCheckingInterval: Math.min(1_000, limits.headersMs) });

  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const network = networkOf(socket.remoteAddress ?? null);
    const count = (open.get(network) ?? 0) + 1;
    if (count > limits.perAddress) {
      socket.destroy();
      return;
    }
    open.set(network, count);
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1;
      if (left > 0) open.set(network, left);
      else open.delete(network);
    });
  });
}
