import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { takeTurn } from './turns.ts';

/**
 * So much of what a peer has sent is handed on at once. ssh2 works off all it is given in one go, and 64 KiB can be 1,800
 * packets, each with a cipher of its own: 30 ms and more, and Node reads up to 32 times before it looks after anything else.
 */
const SLICE_BYTES = 4 * 1024;
/** A slice that took longer was interrupted: the machine was busy, or this process suspended. */
const LONGEST_SLICE_MS = 20;

/**
 * A connected socket as ssh2 is to see it: what comes in is handed on a slice at a time, each in a turn (`takeTurn`) that
 * leaves the event loop to others, and what goes out in one go leaves as one segment (ssh2 writes each packet in three
 * pieces). The end of the connection is told after the last byte. Its `close` comes after that of the socket. Made for ssh2,
 * which lets it flow and never pauses it again.
 */
export class PacedSocket extends Duplex {
  readonly #socket: Socket;
  #unread: Buffer | null = null;
  #hasAskedForTurn = false;
  /** What is to be told once everything has been handed on. */
  readonly #last: (() => void)[] = [];
  #isRead = false;
  #isClosed = false;
  #isGathering = false;
  #writes = 0;
  #busyMs = 0;

  constructor(socket: Socket) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    const tellAtLast = (tell: () => void): void => {
      if (this.#unread === null) tell();
      else this.#last.push(tell);
    };
    socket.on('end', () => tellAtLast(() => this.push(null)));
    socket.on('error', (error) => tellAtLast(() => this.destroy(error)));
    socket.on('close', () => {
      this.#isClosed = true;
      tellAtLast(() => this.destroy());
    });
  }

  /** What the peer has cost so far: pieces that were written, and milliseconds that went into what it has sent. */
  get cost(): { readonly writes: number; readonly busyMs: number } {
    return { writes: this.#writes, busyMs: this.#busyMs };
  }

  /**
   * Lets the system ask, after so long a silence, whether the other side is still there: ten times, a second apart, before
   * the connection ends with ETIMEDOUT. Source: libuv, `uv_tcp_keepalive`.
   */
  keepAlive(afterMs: number): void {
    this.#socket.setKeepAlive(true, afterMs);
  }

  /** Ends the socket once all that was written has gone out. */
  destroySoon(): void {
    this.#socket.destroySoon();
  }

  #handOn(): void {
    if (this.#hasAskedForTurn || this.#unread === null) return;
    this.#hasAskedForTurn = true;
    takeTurn(() => {
      this.#hasAskedForTurn = false;
      if (this.#unread === null || this.destroyed) return;
      const slice = this.#unread.subarray(0, SLICE_BYTES);
      this.#unread = slice.length < this.#unread.length ? this.#unread.subarray(SLICE_BYTES) : null;
      if (this.#unread !== null) this.#socket.pause();
      const startedAt = performance.now();
      this.push(slice);
      this.#busyMs += Math.min(performance.now() - startedAt, LONGEST_SLICE_MS);
      if (this.#unread !== null) {
        this.#handOn();
        return;
      }
      this.#socket.resume();
      for (const tell of this.#last.splice(0)) tell();
    });
  }

  /** The first call says that somebody listens; from then on it is pushed. */
  override _read(): void {
    if (this.#isRead) return;
    this.#isRead = true;
    this.#socket.on('data', (chunk) => {
      this.#unread = this.#unread === null ? chunk : Buffer.concat([this.#unread, chunk]);
      this.#handOn();
    });
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#writes += 1;
    if (!this.#isGathering) {
      this.#isGathering = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isGathering = false;
        this.#socket.uncork();
      });
    }
    if (this.#socket.writable) this.#socket.write(chunk);
    done();
  }

  override _final(done: () => void): void {
    this.#socket.end();
    done();
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#unread = null;
    // Not its property `closed`, which says so before the descriptor is gone.
    if (this.#isClosed) done(error);
    else this.#socket.once('close', () => done(error)).destroy();
  }
}
