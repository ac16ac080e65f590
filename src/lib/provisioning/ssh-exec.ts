import net from 'node:net';
import ssh2, { type ParsedKey, type PublicKeyAuthMethod } from 'ssh2';
import { algorithmsOf, formatHostKey, PREFERRED_ALGORITHMS } from './host-key.ts';
import { cleanRemoteText } from './remote-text.ts';

/** How far the attempt came: RFC 4253 (handshake), RFC 4252 (auth), RFC 4254 (channel, command). */
export type SSHPhase = 'connect' | 'handshake' | 'auth' | 'channel' | 'command';

export type SSHFailureCode =
  | 'refused'
  | 'timeout'
  | 'dns'
  | 'unreachable'
  | 'reset'
  | 'protocol'
  | 'auth_rejected'
  | 'host_key_changed'
  | 'output_limit'
  | 'no_exit_status'
  /** Our own faults: nothing is learned about the host. */
  | 'key_invalid'
  | 'target_invalid'
  | 'stalled'
  | 'aborted';

/** Why there is no exit code. The message is one clean line that says what was seen. */
export class SSHCommandError extends Error {
  override readonly name = 'SSHCommandError';
  readonly code: SSHFailureCode;
  readonly phase: SSHPhase;
  constructor(code: SSHFailureCode, phase: SSHPhase, message: string) {
    super(message);
    this.code = code;
    this.phase = phase;
  }
}

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
/** A timer this late means that this process slept or was blocked: the silence may have been ours. */
const STALL_TOLERANCE_MS = 2_000;
/** How long a polite goodbye may take before the socket is torn down. */
const GOODBYE_MS = 250;

/** Parses a private key; for text that is none, or one behind a passphrase, throws `SSHCommandError` `key_invalid`. */
export function parsePrivateKey(text: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(text);
  const key = Array.isArray(parsed) ? parsed[0] : parsed;
  if (key instanceof Error || key === undefined) {
    const reason =
      key && /passphrase|encrypted/i.test(key.message) ? 'it is protected by a passphrase' : 'it is malformed';
    throw new SSHCommandError('key_invalid', 'connect', `the private key cannot be used: ${reason}`);
  }
  if (!key.isPrivateKey())
    throw new SSHCommandError('key_invalid', 'connect', 'the private key cannot be used: it is a public key');
  return key;
}

/**
 * Runs one command on one host and gives its exit code and output (at most 64 KiB a stream). Rejects with
 * `SSHCommandError` and with nothing else. Whatever the peer does, it settles once and within `connectTimeoutMs` +
 * `commandTimeoutMs`, and leaves no socket, timer or listener behind: it settles after its socket has closed.
 */
export function execSSHCommand(options: SSHCommandOptions): Promise<SSHCommandResult> {
  const { host, port = 22, username = 'root', command, hostKey: pinned = null, signal } = options;
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    return Promise.reject(new SSHCommandError('target_invalid', 'connect', `port ${port} is not from 1 to 65535`));
  if (host.trim() === '')
    return Promise.reject(new SSHCommandError('target_invalid', 'connect', 'the host name is empty'));
  let key: ParsedKey;
  try {
    key = typeof options.privateKey === 'string' ? parsePrivateKey(options.privateKey) : options.privateKey;
  } catch (error) {
    return Promise.reject(error);
  }

  return new Promise((resolve, reject) => {
    let phase: SSHPhase = 'connect';
    let outcome: SSHCommandResult | SSHCommandError | null = null;
    let seenHostKey = '';
    let receivedBytes = 0;
    let ended = false;
    let exitCode: number | null = null;
    let exitSignal: string | null = null;
    const stdout = new CappedText();
    const stderr = new CappedText();
    const timers: { deadline?: NodeJS.Timeout; goodbye?: NodeJS.Timeout } = {};

    const client = new ssh2.Client();
    // Our own socket: `client.destroy()` can leave that of a half-open peer open. noDelay: ssh2 writes a packet in three
    // pieces, and Nagle holds the last one back for 40 ms and more.
    const socket = net.connect({ host, port, noDelay: true });

    const settle = (result: SSHCommandResult | SSHCommandError): void => {
      if (outcome !== null) return;
      outcome = result;
      clearTimeout(timers.deadline);
      signal?.removeEventListener('abort', onAbort);
      if (result instanceof SSHCommandError) {
        socket.destroy();
        return;
      }
      client.end();
      socket.destroySoon();
      timers.goodbye = setTimeout(() => socket.destroy(), GOODBYE_MS);
    };
    const fail = (code: SSHFailureCode, message: string): void => settle(new SSHCommandError(code, phase, message));
    const succeed = (code: number): void =>
      settle({ exitCode: code, stdout: stdout.toString(), stderr: stderr.toString(), hostKey: seenHostKey });
    const onAbort = (): void => fail('aborted', 'the check was given up because the monitor is stopping');

    const armDeadline = (timeoutMs: number): void => {
      clearTimeout(timers.deadline);
      const dueAt = performance.now() + timeoutMs;
      timers.deadline = setTimeout(() => {
        const lateMs = performance.now() - dueAt;
        if (lateMs > STALL_TOLERANCE_MS)
          fail(
            'stalled',
            `the monitor itself stood still for ${Math.round(lateMs / 1000)} s, so the silence says nothing`,
          );
        else fail('timeout', `no answer within ${timeoutMs / 1000} s (${phase})`);
      }, timeoutMs);
    };
    armDeadline(options.connectTimeoutMs);
    if (signal?.aborted) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });

    // These listeners are never removed: a hung peer causes several errors, and one may come after the end. They stand
    // before those of ssh2, so that a connection that ends says so before ssh2 guesses what it meant.
    socket.on('connect', () => {
      phase = 'handshake';
    });
    socket.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
      const limit = phase === 'command' ? PREAMBLE_LIMIT_BYTES + 4 * OUTPUT_LIMIT_BYTES : PREAMBLE_LIMIT_BYTES;
      if (receivedBytes > limit) fail('protocol', `the host sent more than ${limit / 1024} KiB (${phase})`);
    });
    socket.on('error', (error: NodeJS.ErrnoException) => fail(...describeSocketError(error, phase)));
    // A connection may end in the same breath as the exit code: let ssh2 hand that over first.
    const onEnd = (): void => {
      ended = true;
      setImmediate(() =>
        exitCode === null ? fail('reset', `the host closed the connection (${phase})`) : succeed(exitCode),
      );
    };
    socket.on('end', onEnd);
    socket.on('close', () => {
      onEnd();
      setImmediate(() => {
        clearTimeout(timers.goodbye);
        if (outcome instanceof SSHCommandError) reject(outcome);
        else if (outcome !== null) resolve(outcome);
      });
    });
    client.on('error', (error: Error & { level?: string }) => {
      // Both have been told by the socket itself, and better.
      if (ended || error.level === 'client-socket') return;
      if (error.level === 'client-authentication')
        fail('auth_rejected', `the host refused the login as ${username} with this key`);
      else if (pinned !== null && /no matching host key/i.test(error.message))
        fail('host_key_changed', `the host no longer offers its pinned ${pinned.split(' ')[0]} key`);
      else fail('protocol', `${cleanRemoteText(error.message)} (${phase})`);
    });
    client.on('handshake', () => {
      if (phase === 'handshake') phase = 'auth';
    });
    client.on('ready', () => {
      phase = 'channel';
      armDeadline(options.commandTimeoutMs);
      try {
        client.exec(command, (error, channel) => {
          if (error) {
            fail('protocol', `the host opened no channel: ${cleanRemoteText(error.message)}`);
            return;
          }
          phase = 'command';
          channel.on('exit', (code: number | null, signalName?: string) => {
            exitCode = code;
            exitSignal = signalName ?? null;
          });
          channel.on('error', (channelError: Error) => fail('protocol', cleanRemoteText(channelError.message)));
          for (const [stream, text] of [
            [channel, stdout],
            [channel.stderr, stderr],
          ] as const)
            stream.on('data', (chunk: Buffer) => {
              if (!text.add(chunk))
                fail('output_limit', `the command printed more than ${OUTPUT_LIMIT_BYTES / 1024} KiB`);
            });
          channel.on('close', () => {
            if (exitCode !== null) succeed(exitCode);
            else if (exitSignal) fail('no_exit_status', `the command was killed by ${cleanRemoteText(exitSignal, 20)}`);
            else fail('no_exit_status', 'the command ended without an exit code');
          });
        });
      } catch (error) {
        fail('protocol', cleanRemoteText((error as Error).message));
      }
    });

    try {
      client.connect({
        sock: socket,
        username,
        // Ours is the one deadline; this one also counts the time spent queueing in a busy process.
        readyTimeout: 0,
        algorithms: { serverHostKey: pinned === null ? PREFERRED_ALGORITHMS : algorithmsOf(pinned) },
        // A parsed key, which the types do not know: text behind a passphrase would block for 190 ms at every login.
        authHandler: [{ type: 'publickey', username, key } as unknown as PublicKeyAuthMethod],
        // Synchronous, and a literal boolean: ssh2 takes any truthy value, a promise too, for consent.
        hostVerifier: (blob: Buffer): boolean => {
          seenHostKey = formatHostKey(blob);
          if (pinned === null || seenHostKey === pinned) return true;
          fail(
            'host_key_changed',
            'the host shows another key than the pinned one: it was reinstalled, or someone is in between',
          );
          return false;
        },
      });
    } catch (error) {
      fail('protocol', cleanRemoteText((error as Error).message));
    }
  });
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

function describeSocketError(error: NodeJS.ErrnoException, phase: SSHPhase): [SSHFailureCode, string] {
  switch (error.code) {
    case 'ECONNREFUSED':
      return ['refused', 'the host refused the connection'];
    case 'ETIMEDOUT':
      return ['timeout', `no answer from the host's network (${phase})`];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EAI_FAIL':
      return ['dns', 'the host name is not known'];
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
    case 'EHOSTDOWN':
    case 'ENETDOWN':
      return ['unreachable', 'there is no route to the host'];
    case 'ECONNRESET':
    case 'EPIPE':
    case 'ECONNABORTED':
      return ['reset', `the connection broke (${phase})`];
    default:
      return ['protocol', cleanRemoteText(`${error.code ?? 'unknown error'} (${phase})`)];
  }
}
