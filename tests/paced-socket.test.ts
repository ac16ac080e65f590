import { once } from 'node:events';
import net from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { PacedSocket } from '../src/lib/provisioning/paced-socket.ts';
import { tcpPeer } from './support/peers.ts';

/** What arrives from a peer, in the pieces in which it is handed on, and what is told at its end. */
async function connect(serve: (socket: net.Socket) => unknown) {
  const peer = await tcpPeer(serve);
  onTestFinished(peer.close);
  const socket = net.connect(peer.port, '127.0.0.1');
  await once(socket, 'connect');
  const stream = new PacedSocket(socket);
  const pieces: Buffer[] = [];
  const told: string[] = [];
  for (const name of ['end', 'error', 'close'])
    stream.on(name, () => told.push(`${name} after ${Buffer.concat(pieces).length}`));
  stream.on('data', (piece: Buffer) => pieces.push(piece));
  return { socket, stream, pieces, told };
}

it('hands on all that a peer has sent, a little at a time, and tells the end after the last byte', async () => {
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => index % 251));
  const { stream, pieces, told } = await connect((socket) => socket.end(sent));
  await once(stream, 'close');
  expect(Buffer.concat(pieces).equals(sent)).toBe(true);
  expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThanOrEqual(4 * 1024);
  expect(told).toEqual(['end after 300000', 'close after 300000']);
});

it('lets timers and others go on while a peer sends without end', async () => {
  const { stream } = await connect((socket) => {
    const pour = (): void => {
      while (socket.writable && socket.write(Buffer.alloc(64 * 1024)));
    };
    socket.on('drain', pour);
    pour();
  });
  // Each piece takes a millisecond, so that the socket is always full.
  stream.on('data', () => {
    const endMs = performance.now() + 1;
    while (performance.now() < endMs);
  });
  let pieces = 0;
  let mostAtOnce = 0;
  stream.on('data', () => (pieces += 1));
  for (let turn = 0; turn < 50; turn += 1) {
    const before = pieces;
    await new Promise((resolve) => setImmediate(resolve));
    mostAtOnce = Math.max(mostAtOnce, pieces - before);
  }
  stream.destroy();
  expect(pieces).toBeGreaterThan(50);
  expect(mostAtOnce).toBeLessThanOrEqual(9);
});

it('sends what is written in one go as one segment, and counts the pieces', async () => {
  const received: number[] = [];
  const got = Promise.withResolvers<undefined>();
  const { stream } = await connect((socket) =>
    socket.on('data', (chunk) => {
      received.push(chunk.length);
      got.resolve(undefined);
    }),
  );
  for (const piece of ['one', 'two', 'three']) stream.write(piece);
  await got.promise;
  expect(received).toEqual([11]);
  expect(stream.cost.writes).toBe(3);
  stream.destroy();
});

it('is closed only when its socket is', async () => {
  const { socket, stream, told } = await connect((peer) => peer.resume());
  const order: string[] = [];
  socket.on('close', () => order.push('socket'));
  stream.on('close', () => order.push('stream'));
  stream.destroy();
  await once(stream, 'close');
  expect(order).toEqual(['socket', 'stream']);
  expect(told).toEqual(['close after 0']);
});
