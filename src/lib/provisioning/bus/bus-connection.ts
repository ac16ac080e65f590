import { cleanRemoteText } from '../../facts/remote-text.ts';
import { describeSilence, type SSHCommandError, type SSHFailureCode } from '../ssh-failure.ts';
import type { KeptChannel } from '../kept-command.ts';
import { BRIDGE } from '../rules/contract-commands.ts';
import type { SSHSession } from '../ssh-session.ts';
import { takeTurn } from '../turns.ts';
import { type BusCall, type BusMessage, writeCall } from './rules/message.ts';
import { BusWire } from './rules/wire.ts';

/** Calls without an answer; a look at a unit that is not active makes eleven at once. */
const MOST_CALLS = 32;
/** So much is heard in one turn, or one message if that is longer. */
const SLICE_BYTES = 4 * 1024;
/** Where the bus itself answers. */
export const BUS = 'org.freedesktop.DBus';
export const AT_BUS = { destination: BUS, path: '/org/freedesktop/DBus', interface: BUS };
/** The key of the login among the calls, whose serial numbers begin with 1. */
const LOGIN = 0;

export type BusPatience = { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined };

export type BusListener = {
  readonly onSignal: (message: BusMessage) => void;
  /** The last word, once. */
  readonly onEnd: (why: SSHCommandError) => void;
};

/** The other side has understood a call and says no. */
export class BusRefusal extends Error {
  override readonly name = 'BusRefusal';
  /** `org.freedesktop.DBus.Error.AccessDenied`, for one. */
  readonly errorName: string;
  constructor(errorName: string, message: string) {
    super(message);
    this.errorName = errorName;
  }
}

/** For `catch`: what is refused is as good as nothing. */
export function nothingWhereRefused(error: unknown): undefined {
  if (!(error instanceof BusRefusal)) throw error;
}

type Pending = Pick<PromiseWithResolvers<BusMessage>, 'resolve' | 'reject'>;

/**
 * A host's system bus over one channel of an SSH connection. Each call settles once and in its time: with the answer, with
 * `BusRefusal`, or with `SSHCommandError` when there is none; the connection has ended then. It also ends when the other
 * side sends what is no message of a bus, or answers what was not asked.
 */
export class BusConnection {
  readonly #wire = new BusWire();
  readonly #calls = new Map<number, Pending>();
  readonly #listener: BusListener;
  #channel: KeptChannel | null = null;
  #failure: SSHCommandError | null = null;
  #isGivenUp = false;
  #serial = 0;

  private constructor(listener: BusListener) {
    this.#listener = listener;
  }

  /** Starts the bridge, logs in and says hello, each within `timeoutMs`. Rejects with `SSHCommandError` or `BusRefusal`. */
  static async open(session: SSHSession, listener: BusListener, patience: BusPatience): Promise<BusConnection> {
    const bus = new BusConnection(listener);
    await session.keep(
      BRIDGE,
      (channel) => {
        bus.#channel = channel;
        return { onOutput: (chunk) => bus.#hear(chunk), onEnd: (why) => bus.#onEnd(why) };
      },
      patience,
    );
    await bus.#wait(LOGIN, patience, BusWire.GREETING);
    await bus.call({ ...AT_BUS, member: 'Hello' }, patience);
    return bus;
  }

  get isOpen(): boolean {
    return this.#failure === null;
  }

  async call(call: BusCall, patience: BusPatience): Promise<BusMessage> {
    if (this.#calls.size >= MOST_CALLS) throw new Error(`more than ${MOST_CALLS} calls at once`);
    // As long as 32 bits; 0 is none.
    this.#serial = (this.#serial % 0xffff_ffff) + 1;
    return this.#wait(this.#serial, patience, writeCall(this.#serial, call));
  }

  /** Ends the connection: something that came over it, or did not come, says that it is of no more use. */
  fail(code: SSHFailureCode, message: string): void {
    this.#isGivenUp = true;
    this.#channel?.fail(code, message);
  }

  #wait(serial: number, { timeoutMs, signal }: BusPatience, bytes: Buffer | string): Promise<BusMessage> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    const { promise, ...pending } = Promise.withResolvers<BusMessage>();
    const dueAt = performance.now() + timeoutMs;
    const onDue = (): void => this.fail(...describeSilence(performance.now() - dueAt, timeoutMs, 'channel'));
    const onAbort = (): void => this.fail('aborted', 'the call was given up');
    const deadline = setTimeout(onDue, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#calls.set(serial, pending);
    if (signal?.aborted) onAbort();
    else this.#channel?.write(bytes);
    return promise.finally(() => {
      clearTimeout(deadline);
      signal?.removeEventListener('abort', onAbort);
    });
  }

  /** An SSH packet is handed over as a whole: what is in it is worked off like what comes from the network. */
  #hear(chunk: Buffer): void {
    for (let at = 0; at < chunk.length; at += SLICE_BYTES)
      takeTurn(() => {
        if (this.#failure === null && !this.#isGivenUp) this.#hearSlice(chunk.subarray(at, at + SLICE_BYTES));
      });
  }

  #hearSlice(chunk: Buffer): void {
    const { messages, fault } = this.#wire.receive(chunk);
    if (this.#wire.isLoggedIn) this.#settle(LOGIN)?.resolve(NOTHING);
    const wrong = messages.reduce<string | null>((found, message) => found ?? this.#take(message), null) ?? fault;
    if (wrong !== null) this.fail('protocol', `the host's bus sends what it must not: ${wrong}`);
  }

  /** What is wrong with it. */
  #take(message: BusMessage): string | null {
    if (message.type === 'signal') this.#listener.onSignal(message);
    if (message.type === 'call') return 'a call';
    if (message.type !== 'return' && message.type !== 'error') return null;
    const call = this.#settle(message.replySerial ?? LOGIN);
    if (message.type === 'return') call?.resolve(message);
    else call?.reject(refusal(message));
    return call === null ? 'an answer to nothing' : null;
  }

  #settle(serial: number): Pending | null {
    const call = this.#calls.get(serial) ?? null;
    this.#calls.delete(serial);
    return call;
  }

  #onEnd(why: SSHCommandError): void {
    this.#failure = why;
    for (const serial of [...this.#calls.keys()]) this.#settle(serial)?.reject(why);
    this.#listener.onEnd(why);
  }
}

const NOTHING: BusMessage = { type: 'unknown', serial: 0, body: [] };

function refusal({ errorName = '', body: [text] }: BusMessage): BusRefusal {
  return new BusRefusal(cleanRemoteText(errorName, 100), cleanRemoteText(typeof text === 'string' ? text : ''));
}
