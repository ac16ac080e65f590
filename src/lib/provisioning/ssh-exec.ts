import net from 'node:net';
import ssh2, { type ClientChannel, type ParsedKey, type PublicKeyAuthMethod } from 'ssh2';
import { algorithmsOf, formatHostKey, parseHostKey, PREFERRED_ALGORITHMS } from './host-key.ts';
import { parsePrivateKey } from './private-key.ts';
import { cleanRemoteText } from '../facts/remote-text.ts';
import { describeSocketError, SSHCommandError, type SSHFailureCode, type SSHPhase } from './ssh-failure.ts';

export type SSHCommandOptions = {
  readonly host: string;
  readonly port?: number;
  readonly username?: string;
  /** OpenSSH or PEM text, or a key from `parsePrivateKey`. Publickey is the only login that is tried. */
  readonly privateKey: string | ParsedKey;
  readonly command: string;
  /** From the dial to the end of the login. */
  readonly connectTimeoutMs: number;
  /** From then on: opening the channel, running the command, its whole output. */
  readonly commandTimeoutMs: number;
  /** The pinned key, `ssh-ed25519 AAAA…`. Without one the host's key is accepted and reported, to be pinned. */
  readonly hostKey?: string | null;
  readonly signal?: AbortSignal;
};

export type SSHCommandResult = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The key the host has proved to own. */
  readonly hostKey: string;
};

const OUTPUT_LIMIT_BYTES = 64 * 1024;
/** A greeting, key exchange and login need about 8 KiB; an endless greeting would need a whole core. */
const PREAMBLE_LIMIT_BYTES = 256 * 1024;
/** Both streams up to their limit, even if each byte comes in a packet of its own. */
const CONNECTION_LIMIT_BYTES = 16 * 1024 * 1024;
/** A timer this late means that this process slept or was blocked: the silence may have been ours. */
const STALL_TOLERANCE_MS = 2_000;
/** How long a polite goodbye may take before the socket is torn down. */
const GOODBYE_MS = 250;

/** Disconnect reasons of a server that has seen enough of our logins. Source: RFC 4253, 11.1; OpenSSH sends the first. */
const LOGIN_ENDED_REASONS = [2, 14];

/**
 * Runs one command on one host and gives its exit code and output (at most 64 KiB a stream). Rejects with
 * `SSHCommandError` and with nothing else. Whatever the peer does, it settles once and within `connectTimeoutMs` +
 * `commandTimeoutMs`, and leaves no socket, timer or listener behind: it settles after its socket has closed.
 */
export async function execSSHCommand(options: SSHCommandOptions): Promise<SSHCommandResult> {
  const { host, port = 22, hostKey = null, privateKey } = options;
  const refuse = (message: string) => new SSHCommandError('target_invalid', 'connect', message);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw refuse(`port ${port} is not from 1 to 65535`);
  if (host === '' || host.length > 253 || /[\s\p{Cc}]/u.test(host)) throw refuse('the host name is empty or malformed');
  if (hostKey !== null && parseHostKey(hostKey) !== hostKey) throw refuse('the pinned host key is malformed');
  const key = typeof privateKey === 'string' ? parsePrivateKey(privateKey) : privateKey;
  return new Attempt(options, port, key).outcome;
}

/** One connection, from the dial to the closed socket. */
class Attempt {
  readonly outcome: Promise<SSHCommandResult>;
  readonly #options: SSHCommandOptions;
  readonly #client = new ssh2.Client();
  // Our own socket: `client.destroy()` can leave that of a half-open peer open. noDelay: ssh2 writes a packet in three
  // pieces, and Nagle holds the last one back for 40 ms and more.
  readonly #socket: net.Socket;
  readonly #stdout = new CappedText();
  readonly #stderr = new CappedText();
  #phase: SSHPhase = 'connect';
  #settled: SSHCommandResult | SSHCommandError | null = null;
  #deadline: NodeJS.Timeout | undefined;
  #goodbye: NodeJS.Timeout | undefined;
  #hostKey = '';
  #exitCode: number | null = null;
  #exitSignal: string | null = null;
  #ended = false;

  constructor(options: SSHCommandOptions, port: number, key: ParsedKey) {
    this.#options = options;
    this.#socket = net.connect({
      host: options.host,
      port,
      noDelay: true,
      // A name may have several addresses. Node gives each but the last 250 ms and does not come back to it: one lost
      // packet, and a host would be down whose second address leads nowhere from here.
      autoSelectFamilyAttemptTimeout: Math.ceil(options.connectTimeoutMs / 2),
    });
    this.#armDeadline(options.connectTimeoutMs);
    this.outcome = new Promise((resolve, reject) => {
      // The last word: what was settled on, once nothing of it is left.
      this.#socket.once('close', () => {
        this.#onEnd();
        setImmediate(() => {
          clearTimeout(this.#goodbye);
          if (this.#settled instanceof SSHCommandError) reject(this.#settled);
          else if (this.#settled !== null) resolve(this.#settled);
        });
      });
    });
    // Before ssh2 adds its own listeners: a connection that ends says so before ssh2 guesses what it meant.
    this.#listenToSocket();
    this.#listenToClient();
    if (options.signal?.aborted) this.#onAbort();
    else options.signal?.addEventListener('abort', this.#onAbort, { once: true });
    this.#logIn(key);
  }

  #settle(result: SSHCommandResult | SSHCommandError): void {
    if (this.#settled !== null) return;
    this.#settled = result;
    clearTimeout(this.#deadline);
    this.#options.signal?.removeEventListener('abort', this.#onAbort);
    if (result instanceof SSHCommandError) {
      this.#socket.destroy();
      return;
    }
    this.#client.end();
    this.#socket.destroySoon();
    this.#goodbye = setTimeout(() => this.#socket.destroy(), GOODBYE_MS);
  }

  #fail(code: SSHFailureCode, message: string): void {
    this.#settle(new SSHCommandError(code, this.#phase, message));
  }

  /** The end of the command or of the connection: what is known of the exit counts, else this failure. */
  #conclude(code: SSHFailureCode, message: string): void {
    if (this.#exitCode !== null)
      this.#settle({
        exitCode: this.#exitCode,
        stdout: this.#stdout.toString(),
        stderr: this.#stderr.toString(),
        hostKey: this.#hostKey,
      });
    else if (this.#exitSignal !== null)
      this.#fail('no_exit_status', `the command was killed by ${cleanRemoteText(this.#exitSignal, 20)}`);
    else this.#fail(code, message);
  }

  readonly #onAbort = (): void => this.#fail('aborted', 'the check was given up because the monitor is stopping');

  #armDeadline(timeoutMs: number): void {
    clearTimeout(this.#deadline);
    const dueAt = performance.now() + timeoutMs;
    this.#deadline = setTimeout(() => {
      const lateMs = performance.now() - dueAt;
      if (lateMs <= STALL_TOLERANCE_MS)
        this.#fail('timeout', `no answer within ${timeoutMs / 1000} s (${this.#phase})`);
      else
        this.#fail(
          'stalled',
          `the monitor itself stood still for ${Math.round(lateMs / 1000)} s, so the silence says nothing`,
        );
    }, timeoutMs);
  }

  /** These listeners are never removed: a hung peer causes several errors, and one may come after the end. */
  #listenToSocket(): void {
    let receivedBytes = 0;
    this.#socket.on('connect', () => {
      this.#phase = 'handshake';
    });
    this.#socket.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
      const limit = this.#phase === 'command' ? CONNECTION_LIMIT_BYTES : PREAMBLE_LIMIT_BYTES;
      if (receivedBytes > limit) this.#fail('protocol', `the host sent more than ${limit / 1024} KiB (${this.#phase})`);
    });
    this.#socket.on('error', (error: NodeJS.ErrnoException) =>
      this.#conclude(...describeSocketError(error, this.#phase)),
    );
    this.#socket.on('end', this.#onEnd);
  }

  readonly #onEnd = (): void => {
    this.#ended = true;
    // ssh2 may have parsed the end of the command in the same breath, and hands it over a tick later.
    setImmediate(() => this.#conclude('reset', `the host closed the connection (${this.#phase})`));
  };

  #listenToClient(): void {
    this.#client.on('error', (error: Error & { level?: string; code?: unknown }) => {
      // Both have been told by the socket itself, and better.
      if (this.#ended || error.level === 'client-socket') return;
      const loginEnded = this.#phase === 'auth' && LOGIN_ENDED_REASONS.includes(Number(error.code));
      if (error.level === 'client-authentication' || loginEnded)
        this.#fail('auth_rejected', `the host refused the login as ${this.#options.username ?? 'root'} with this key`);
      else if (this.#options.hostKey && /no matching host key/i.test(error.message))
        this.#fail(
          'host_key_changed',
          `the host no longer offers its pinned ${this.#options.hostKey.split(' ')[0]} key`,
        );
      else this.#fail('protocol', `${cleanRemoteText(error.message)} (${this.#phase})`);
    });
    this.#client.on('handshake', () => {
      if (this.#phase === 'handshake') this.#phase = 'auth';
    });
    this.#client.on('ready', () => {
      // A host can say "welcome" as often as it likes; each time would be a new deadline and one more command.
      if (this.#settled !== null || this.#phase !== 'auth') return;
      this.#phase = 'channel';
      this.#armDeadline(this.#options.commandTimeoutMs);
      this.#guarded(() =>
        this.#client.exec(this.#options.command, (error, channel) => {
          if (error) this.#fail('protocol', `the host opened no channel: ${cleanRemoteText(error.message)}`);
          else this.#listenToCommand(channel);
        }),
      );
    });
  }

  #listenToCommand(channel: ClientChannel): void {
    this.#phase = 'command';
    channel.on('exit', (code: number | null, signalName?: string) => {
      this.#exitCode = code;
      this.#exitSignal = signalName ?? null;
    });
    channel.on('error', (error: Error) => this.#fail('protocol', cleanRemoteText(error.message)));
    // Unread output would keep the channel from ever closing.
    for (const [stream, text] of [
      [channel, this.#stdout],
      [channel.stderr, this.#stderr],
    ] as const)
      stream.on('data', (chunk: Buffer) => {
        if (!text.add(chunk))
          this.#fail('output_limit', `the command printed more than ${OUTPUT_LIMIT_BYTES / 1024} KiB`);
      });
    channel.on('close', () => this.#conclude('no_exit_status', 'the command ended without an exit code'));
  }

  #logIn(key: ParsedKey): void {
    const { username = 'root', hostKey: pinned = null } = this.#options;
    this.#guarded(() =>
      this.#client.connect({
        sock: this.#socket,
        username,
        // Ours is the one deadline; this one also counts the time spent queueing in a busy process.
        readyTimeout: 0,
        algorithms: { serverHostKey: pinned === null ? PREFERRED_ALGORITHMS : algorithmsOf(pinned) },
        // A parsed key, which the types do not know: text behind a passphrase would block for 190 ms at every login.
        authHandler: [{ type: 'publickey', username, key } as unknown as PublicKeyAuthMethod],
        // Synchronous, and a literal boolean: ssh2 takes any truthy value, a promise too, for consent.
        hostVerifier: (blob: Buffer): boolean => {
          this.#hostKey = formatHostKey(blob);
          if (pinned === null || this.#hostKey === pinned) return true;
          this.#fail(
            'host_key_changed',
            'the host shows another key than the pinned one: it was reinstalled, or someone is in between',
          );
          return false;
        },
      }),
    );
  }

  /** ssh2 throws where it could have called back: for a malformed option, or a client that has just died. */
  #guarded(call: () => unknown): void {
    try {
      call();
    } catch (error) {
      this.#fail('protocol', cleanRemoteText((error as Error).message));
    }
  }
}

/** Text of a remote stream, up to the limit. */
class CappedText {
  readonly #chunks: Buffer[] = [];
  #bytes = 0;
  /** False when this chunk goes over the limit. */
  add(chunk: Buffer): boolean {
    this.#bytes += chunk.length;
    if (this.#bytes > OUTPUT_LIMIT_BYTES) return false;
    this.#chunks.push(chunk);
    return true;
  }
  toString(): string {
    return Buffer.concat(this.#chunks).toString('utf8');
  }
}
