import type { SSHFailureCode } from './ssh-failure.ts';
import { SSHCommandError } from './ssh-failure.ts';
import { SSHSession, type SSHCommandResult, type SSHTarget } from './ssh-session.ts';

/** Where and as whom to log in, and which unit to look at. */
export type VpsTarget = SSHTarget & {
  /** A unit name that matches `UNIT_NAME`: it becomes part of a command line. */
  readonly service: string;
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

/**
 * The one connection for a look at a VPS and all that follows from it. It is made for the first command and stays for the
 * next ones; one that broke, or was closed meanwhile, is made anew for the next. A kept connection that turns out to be
 * dead is no dead VPS: the command goes over a fresh one, once, but one that changes something only if it certainly has
 * not been sent. Never rejects. Whoever makes one closes it.
 */
export class VpsConnection {
  readonly target: VpsTarget;
  readonly limits: SSHLimits;
  #session: SSHSession | null = null;
  /** What it has shown at its first login: this host, and no other, is the one that is asked on. */
  #hostKey: string | null = null;

  constructor(target: VpsTarget, limits: SSHLimits) {
    this.target = target;
    this.limits = limits;
  }

  async run(order: Order): Promise<Answer> {
    const kept = this.#session;
    if (kept?.isOpen) {
      const answer = await settle(kept.run(order.command, order));
      if (answer.ok || !mayGoAgain(answer, order)) return answer;
    }
    const opened = await settle(this.#open(order.signal));
    if (!opened.ok) return opened;
    return settle(opened.session.run(order.command, order));
  }

  /** Closes the connection that is there, if there is one; a later command makes another. */
  async close(): Promise<void> {
    await this.#session?.close();
  }

  async #open(signal: AbortSignal | undefined): Promise<{ readonly session: SSHSession }> {
    const { connectTimeoutMs } = this.limits;
    const target = { ...this.target, hostKey: this.#hostKey ?? this.target.hostKey ?? null };
    const session = await SSHSession.open(target, { timeoutMs: connectTimeoutMs, signal });
    this.#session = session;
    this.#hostKey = session.hostKey;
    return { session };
  }
}

function mayGoAgain({ code, sent }: Extract<Answer, { ok: false }>, { reads }: Order): boolean {
  return OF_A_BROKEN_CONNECTION.includes(code) && (reads || !sent);
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
