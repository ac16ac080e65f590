import type { Reach } from '../facts/address-reach.ts';
import type { SSHFailureCode } from './ssh-failure.ts';
import { SSHCommandError } from './ssh-failure.ts';
import { SSHSession, type OnProgress, type SSHCommandResult, type SSHTarget } from './ssh-session.ts';

/** Where and as whom to log in, and which unit to look at. */
export type VpsTarget = SSHTarget & {
  /** A unit name that matches `UNIT_NAME`: it becomes part of a command line. */
  readonly service: string;
  readonly reach: Reach;
};

export type SSHLimits = {
  readonly connectTimeoutMs: number;
  readonly commandTimeoutMs: number;
  readonly restartTimeoutMs: number;
  readonly restartSettleMs: number;
};

export type Answer =
  | ({ readonly ok: true } & SSHCommandResult)
  /** `sent`: the host may have begun with the command. */
  | (Pick<SSHCommandError, 'code' | 'message' | 'sent' | 'offeredHostKey'> & { readonly ok: false });

export type Order = {
  readonly command: string;
  readonly timeoutMs: number;
  /** Whether it only reads: the same command may then be sent once more. */
  readonly reads: boolean;
  readonly signal?: AbortSignal | undefined;
};

/** Of a kept connection: what may have come from its having been kept. */
const OF_A_BROKEN_CONNECTION: readonly SSHFailureCode[] = ['reset', 'protocol'];
/** The same of one that has rested: a network that has forgotten it drops what is sent, and nobody answers. */
const OF_A_FORGOTTEN_CONNECTION: readonly SSHFailureCode[] = [...OF_A_BROKEN_CONNECTION, 'timeout'];
/** So long a connection that has rested may take for its first answer before a fresh one is asked. */
export const RESTED_PATIENCE_MS = 5_000;

/**
 * The connection over which a VPS is sent commands. It is made for the first one and stays for the next ones; one that
 * broke, or was closed meanwhile, is made anew for the next. A kept connection that turns out to be dead is no dead VPS:
 * the command goes over a fresh one, once, but one that changes something only if it certainly has not been sent. Never
 * rejects. Whoever makes one closes it.
 */
export class VpsConnection {
  readonly target: VpsTarget;
  readonly limits: SSHLimits;
  #session: SSHSession | null = null;
  /** For commands, where the host allows no channel beside the one that is kept. */
  #side: SSHSession | null = null;
  #openedAtMs = -Infinity;
  #hasRested = false;
  /** What it has shown at its first login: this host, and no other, is the one that is asked on. */
  #hostKey: string | null = null;

  constructor(target: VpsTarget, limits: SSHLimits) {
    this.target = target;
    this.limits = limits;
  }

  get isOpen(): boolean {
    return this.#session?.isOpen ?? false;
  }

  /** When the connection that is there was made, by `performance.now()`; -Infinity: there never was one. */
  get openedAtMs(): number {
    return this.#openedAtMs;
  }

  /** The key the host has proved to own; null before the first login. */
  get hostKey(): string | null {
    return this.#hostKey;
  }

  async run(order: Order): Promise<Answer> {
    const kept = this.#side?.isOpen ? this.#side : this.#session;
    if (kept?.isOpen) {
      const hasRested = this.#hasRested;
      const timeoutMs = hasRested && order.reads ? Math.min(order.timeoutMs, RESTED_PATIENCE_MS) : order.timeoutMs;
      const answer = await settle(kept.run(order.command, { timeoutMs, signal: order.signal }));
      if (answer.ok) this.#hasRested = false;
      if (answer.ok || !mayGoAgain(answer, order, hasRested)) return answer;
    }
    const opened = this.#session?.isOpen ? await this.#openSide(order.signal) : await this.session(order.signal);
    if (!opened.ok) return opened;
    return settle(opened.session.run(order.command, order));
  }

  /** The session that is open, or a new one; `onProgress` hears how far that comes. */
  async session(signal: AbortSignal | undefined, onProgress?: OnProgress): Promise<Opened> {
    if (this.#session?.isOpen) return { ok: true, session: this.#session };
    const opened = await this.#open(signal, onProgress);
    if (!opened.ok) return opened;
    this.#session = opened.session;
    this.#openedAtMs = performance.now();
    this.#hasRested = false;
    return opened;
  }

  /** Keeps the connection for a later use: nothing is sent over it until then. */
  async rest(): Promise<void> {
    this.#session?.keepAlive();
    this.#hasRested = true;
    await this.#side?.close();
  }

  /** Closes the connection that is there, if there is one; a later command makes another. */
  async close(): Promise<void> {
    await Promise.all([this.#session?.close(), this.#side?.close()]);
  }

  async #openSide(signal: AbortSignal | undefined): Promise<Opened> {
    const opened = await this.#open(signal);
    if (opened.ok) this.#side = opened.session;
    return opened;
  }

  async #open(signal: AbortSignal | undefined, onProgress?: OnProgress): Promise<Opened> {
    const { connectTimeoutMs } = this.limits;
    const target = { ...this.target, hostKey: this.#hostKey ?? this.target.hostKey ?? null };
    const opened = await settle(
      SSHSession.open(target, { timeoutMs: connectTimeoutMs, signal, onProgress }).then((session) => ({ session })),
    );
    if (opened.ok) this.#hostKey = opened.session.hostKey;
    return opened;
  }
}

type Opened = { readonly ok: true; readonly session: SSHSession } | Extract<Answer, { ok: false }>;

function mayGoAgain({ code, sent }: Extract<Answer, { ok: false }>, { reads }: Order, hasRested: boolean): boolean {
  const codes = hasRested ? OF_A_FORGOTTEN_CONNECTION : OF_A_BROKEN_CONNECTION;
  return codes.includes(code) && (reads || !sent);
}

async function settle<T extends object>(
  call: Promise<T>,
): Promise<({ readonly ok: true } & T) | Extract<Answer, { ok: false }>> {
  try {
    return { ok: true, ...(await call) };
  } catch (error) {
    if (!(error instanceof SSHCommandError)) throw error;
    const { code, message, sent, offeredHostKey } = error;
    return { ok: false, code, message, sent, offeredHostKey };
  }
}
