import { once } from 'node:events';
import { createServer } from 'node:http';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openFilesLimit } from '../provisioning/open-files.ts';
import { boundConnections, connectionLimits, type ConnectionLimits } from './connections.ts';

const ROOMY: ConnectionLimits = { total: 100, perAddress: 100, headersMs: 60_000, requestMs: 60_000 };

/** A real server; `dial` opens a connection from an address of loopback, which has millions. */
async function serve(limits: Partial<ConnectionLimits>) {
  const server = createServer((request, response) => {
    request.resume().on('end', () => response.end('served'));
  });
  boundConnections(server, { ...ROOMY, ...limits });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const sockets: Socket[] = [];
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    server.closeAllConnections();
    await once(server.close(), 'close');
  });
  const dial = (localAddress = '127.0.0.1'): Socket => {
    const socket = connect({ port: address.port, host: '127.0.0.1', localAddress });
    socket.on('error', () => undefined);
    sockets.push(socket);
    return socket;
  };
  const half = (from?: string): Socket =>
    dial(from)
      .setNoDelay()
      .on('connect', function (this: Socket) {
        this.write('GET / HTTP/1.1\r\nHost: x\r\n');
      });
  return { dial, half };
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n';

/** What the server sends until it hangs up; empty where it refuses. */
const answerTo = async (socket: Socket, request = REQUEST): Promise<string> => {
  let answer = '';
  socket.on('data', (chunk) => (answer += String(chunk)));
  const closed = new Promise((resolve) => socket.on('close', resolve));
  socket.write(request);
  await closed;
  return answer;
};

describe('connections of strangers', () => {
  it('are bounded for one address, while another one is served', async () => {
    const { dial, half } = await serve({ perAddress: 3 });
    const held = [half(), half(), half()];
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    expect(await answerTo(dial())).toBe('');
    expect(await answerTo(dial('127.0.0.2'))).toContain('served');
    // One that ends makes room.
    held[0]?.destroy();
    await expect.poll(() => answerTo(dial())).toContain('served');
  });

  it('are bounded in total', async () => {
    const { dial, half } = await serve({ total: 3 });
    const held = ['127.0.0.2', '127.0.0.3', '127.0.0.4'].map((from) => half(from));
    await Promise.all(held.map((socket) => once(socket, 'connect')));
    expect(await answerTo(dial())).toBe('');
    held[0]?.destroy();
    await expect.poll(() => answerTo(dial())).toContain('served');
  });

  it.each([
    ['headers that do not end', { headersMs: 300 }, 'GET / HTTP/1.1\r\nHost: x\r\n'],
    ['the headers of a second request', { headersMs: 300 }, 'GET / HTTP/1.1\r\nHost: x\r\n\r\nGET / HTTP/1.1\r\n'],
    [
      'a body that does not come',
      { headersMs: 300, requestMs: 400 },
      'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx',
    ],
  ])('end when they keep it waiting for %s', async (_, limits, begun) => {
    const { dial } = await serve(limits);
    expect(await answerTo(dial(), begun)).toContain('408 Request Timeout');
  });

  it.each([
    [
      { openFiles: 1_024, behindProxy: false },
      { total: 256, perAddress: 128 },
    ],
    [
      { openFiles: 1_024, behindProxy: true },
      { total: 256, perAddress: 256 },
    ],
    [
      { openFiles: 1_048_576, behindProxy: false },
      { total: 2_000, perAddress: 1_000 },
    ],
    [
      { openFiles: Infinity, behindProxy: false },
      { total: 2_000, perAddress: 1_000 },
    ],
    [
      { openFiles: 4, behindProxy: false },
      { total: 2, perAddress: 1 },
    ],
  ])('leave most of %o to the monitor', (given, limits) => {
    expect(connectionLimits(given)).toMatchObject(limits);
  });

  it('know how many files this process may have open', () => {
    expect(openFilesLimit()).toBeGreaterThan(100);
  });
});
