import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import ssh2, { type ClientChannel, type ParsedKey, type PublicKeyAuthMethod } from 'ssh2';
import type { Reach } from '../facts/address-reach.ts';
import { isOurFault } from '../facts/cause.ts';
import { cleanRemoteText } from '../facts/remote-text.ts';
import type { CertificateLogin } from './authority.ts';
import { presentCertificates, shownAsCertificate, type CertifiedKey } from './certified-key.ts';
import { CommandRecord } from './command-record.ts';
import {
  nameHostKey,
  pinnedFirst,
  formatHostKey,
  isOrdinaryHostKey,
  parseHostKey,
  PREFERRED_ALGORITHMS,
} from './host-key.ts';
import { dial } from './dial.ts';
import { KeptCommand, type KeptChannel, type KeptListener } from './kept-command.ts';
import { PacedSocket } from './paced-socket.ts';
import { PeerLimits } from './peer-limits.ts';
import { parsePrivateKey } from './private-key.ts';
import { ALGORITHMS } from './ssh-algorithms.ts';
import {
  describeSilence,
  describeSocketError,
  describeTurningAway,
  SSHCommandError,
  type SSHFailureCode,
  type SSHPhase,
} from './ssh-failure.ts';
import { guardClient } from './ssh2-guards.ts';

export type SSHTarget = {
  readonly host: string;
  readonly port?: number;
  readonly username?: string;
  /**
   * OpenSSH or PEM text, a key from `parsePrivateKey`, or what brings a key and a certificate for this one connection.
   * Publickey is the only login that is tried.
   */
  readonly privateKey: string | ParsedKey | CertificateLogin;
  /** The pinned key, `ssh-ed25519 AAAA…`. Without one the host's key is accepted and reported, to be pinned. */
  readonly hostKey?: string | null;
  /** What may be dialled: judged at each dial, whatever the name leads to by then. Anything, where it is left out. */
  readonly reach?: Reach;
};

export type SSHCommandResult = {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The key the host has proved to own. */
  readonly hostKey: string;
};

type Patience = { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined };

/** How far a login has come: where the host is, which address has answered, and the key that it has shown and that is taken. */
export type LoginProgress =
  | { readonly kind: 'found'; readonly addresses: readonly string[] }
  | { readonly kind: 'dialled'; readonly address: string }
  | { readonly kind: 'host_key'; readonly hostKey: string };
export type OnProgress = (progress: LoginProgress) => void;

const LONGEST_REMARK = 150;
/** How long a polite goodbye may take before the socket is torn down. */
const GOODBYE_MS = 250;
/** Disconnect reasons of a server that has seen enough of our logins. Source: RFC 4253, 11.1; OpenSSH sends the first. */
const LOGIN_ENDED_REASONS = [2, 14];

const GIVEN_UP = 'the check was given up because the monitor is stopping';

/** How long a kept connection may be silent before the system asks whether the host is still there. */
const KEEP_ALIVE_AFTER_MS = 20_000;

/** tcpmux: on no host does anybody listen there. */
const UNUSED_PORT = 1;
/** Prohibited; tried, and nobody there. By number and by the name that ssh2 gives them. Source: RFC 4254, 5.1. */
const FORWARD_ANSWERS = new Map<unknown, boolean>([
  [1, false],
  ['ADMINISTRATIVELY_PROHIBITED', false],
  [2, true],
  ['CONNECT_FAILED', true],
]);

/** Of what a host says before anything else, so much is read. */
const LONGEST_PREFACE = 128;

export const isCertificateLogin = (login: SSHTarget['privateKey']): login is CertificateLogin =>
  typeof login === 'object' && 'issue' in login;

/** Somebody who waits for the login (`null`), for a channel that is kept (`null`) or for the end of a command. */
type Waiter = {
  readonly resolve: (result: SSHCommandResult | null) => void;
  readonly reject: (error: SSHCommandError) => void;
  readonly signal: AbortSignal | undefined;
};

/**
 * One connection, from the dial to the closed socket, on which commands run one after the other, and beside them one that
 * is kept. Whatever the peer does, each call settles once and in its time, rejects with `SSHCommandError` and with nothing
 * else, and after the end no socket, timer or listener is left. The first failure ends the connection: the call that met it
 * rejects once the socket has closed. Who opens a session closes it.
 */
export class SSHSession {
  readonly #target: SSHTarget;
  readonly #onProgress: OnProgress;
  readonly #client = new ssh2.Client();
  readonly #limits = new PeerLimits();
  /** Ends the dialling. */
  readonly #over = new AbortController();
  readonly #closed = Promise.withResolvers<undefined>();
  // Our own socket: `client.destroy()` can leave that of a half-open peer open.
  #stream: PacedSocket | null = null;
  #isLookingUp = true;
  #phase: SSHPhase = 'connect';
  #waiter: Waiter | null = null;
  #failure: SSHCommandError | null = null;
  /** Of a command that had told its exit code before the connection broke. */
  #result: SSHCommandResult | null = null;
  #deadline: NodeJS.Timeout | undefined;
  #goodbye: NodeJS.Timeout | undefined;
  #hostKey = '';
  /** Why this address may be another machine's by now; null where it is known to be the host's. */
  #doubt: string | null = null;
  /** Set once the host has taken the key: what it has said since, of the account for one. */
  #remark: string | null = null;
  /** Whether it is one that the login is made with, and what a host may not like about it. */
  #certificate: { readonly principal: string; readonly validBefore: number } | null = null;
  #record = new CommandRecord();
  #kept: KeptCommand | null = null;
  /** The first that came, before the host has shown its key. */
  #preface = '';
  #isSent = false;
  #hasEnded = false;

  private constructor(target: SSHTarget, onProgress: OnProgress) {
    this.#target = target;
    this.#onProgress = onProgress;
  }

  /** Dials and logs in, all of it within `timeoutMs`. */
  static async open(
    target: SSHTarget,
    { onProgress = () => undefined, ...patience }: Patience & { readonly onProgress?: OnProgress | undefined },
  ): Promise<SSHSession> {
    const { host, port = 22, hostKey = null, privateKey } = target;
    const refuse = (message: string) => new SSHCommandError('target_invalid', 'connect', message);
    if (!Number.isInteger(port) || port < 1 || port > 65_535) throw refuse(`port ${port} is not from 1 to 65535`);
    if (host === '' || host.length > 253 || /[\s\p{Cc}]/u.test(host))
      throw refuse('the host name is empty or malformed');
    if (hostKey !== null && parseHostKey(hostKey) !== hostKey) throw refuse('the pinned host key is malformed');
    if (patience.signal?.aborted) throw new SSHCommandError('aborted', 'connect', GIVEN_UP);
    const session = new SSHSession(target, onProgress);
    let { timeoutMs } = patience;
    let key: ParsedKey;
    if (isCertificateLogin(privateKey)) {
      const startedAt = performance.now();
      key = session.#certified(privateKey.principal, await privateKey.issue(patience));
      timeoutMs = Math.max(1, Math.round(timeoutMs - (performance.now() - startedAt)));
    } else key = typeof privateKey === 'string' ? parsePrivateKey(privateKey) : privateKey;
    await session.#wait({ ...patience, timeoutMs }, () => void session.#dial(key, { host, port, timeoutMs }));
    return session;
  }

  #certified(principal: string, certified: CertifiedKey): ParsedKey {
    this.#certificate = { principal, validBefore: certified.validBefore };
    return shownAsCertificate(certified);
  }

  /** Of the key that was shown, after "the host refused the login": what else it may be than the key itself. */
  get #withKey(): string {
    if (this.#certificate === null) return 'with this key';
    const { principal, validBefore } = this.#certificate;
    const until = new Date(validBefore).toISOString().slice(11, 19);
    return `with a certificate for ${principal}, good until ${until} UTC: its clock may be off by minutes, or it does not trust this authority, allow that principal, or take it from this address`;
  }

  get #username(): string {
    return this.#target.username ?? 'root';
  }

  /** The key the host has proved to own. */
  get hostKey(): string {
    return this.#hostKey;
  }

  /** Whether a further command can be run. */
  get isOpen(): boolean {
    return this.#failure === null;
  }

  /** Whether a command of `keep` goes on. */
  get isKeeping(): boolean {
    return this.isOpen && this.#kept?.hasEnded === false;
  }

  /**
   * Runs a command and gives its exit code and output, at most 64 KiB a stream. `timeoutMs` covers opening the channel,
   * the command, and all it prints.
   */
  async run(command: string, patience: Patience): Promise<SSHCommandResult> {
    this.#beginCommand();
    if (this.#stream !== null) this.#limits.begin(this.#stream.cost);
    const result = await this.#wait(patience, () => this.#exec(command));
    if (result === null) throw new Error('a command ended as a login does');
    return result;
  }

  /**
   * Starts a command that goes on beside those of `run`, one at a time; resolves once its channel is open, within
   * `timeoutMs`. `begin` is called at that moment, before anything of what the command says. Its output is not kept here,
   * but counted (`PeerLimits`).
   */
  async keep(command: string, begin: (channel: KeptChannel) => KeptListener, patience: Patience): Promise<void> {
    if (this.#kept?.hasEnded === false) throw new Error('a command is kept on this connection already');
    this.#beginCommand();
    this.#beginKeptPeriod();
    this.keepAlive();
    await this.#wait(patience, () =>
      this.#openChannel(command, (channel) => {
        if (this.#failure !== null) return;
        const connection = {
          isOpen: () => this.#failure === null && !this.#hasEnded,
          onWrite: () => this.#beginKeptPeriod(),
          fail: (code: SSHFailureCode, message: string) => this.#fail(code, message),
        };
        this.#kept = new KeptCommand(channel, connection, begin);
        this.#isSent = false;
        this.#release()?.resolve(null);
      }),
    );
  }

  /**
   * Whether the host would pass this login on to elsewhere. What is asked for is a port of its own on which nobody listens:
   * where it may, it fails to connect. Null where the host says neither. Source: RFC 4254, 5.1.
   */
  async mayForward({ timeoutMs }: Patience): Promise<boolean | null> {
    if (this.#failure !== null) return null;
    const asked = new Promise<boolean | null>((resolve) => {
      const onAnswer = (error: (Error & { reason?: unknown }) | undefined, channel?: ClientChannel): void => {
        channel?.close();
        resolve(error === undefined ? true : (FORWARD_ANSWERS.get(error.reason) ?? null));
      };
      this.#guarded(() => this.#client.forwardOut('127.0.0.1', 0, '127.0.0.1', UNUSED_PORT, onAnswer));
    });
    const over = new AbortController();
    const nothing = sleep(timeoutMs, null, { signal: over.signal });
    return Promise.race([asked, nothing, this.#closed.promise.then(() => null)]).finally(() => over.abort());
  }

  /** Lets the system find out during long silences whether the host is still there. */
  keepAlive(): void {
    this.#stream?.keepAlive(KEEP_ALIVE_AFTER_MS);
  }

  /** Says goodbye; resolves once the socket has closed, at the latest after a quarter of a second. */
  close(): Promise<undefined> {
    if (this.#failure === null) {
      this.#failure = new SSHCommandError('aborted', this.#phase, 'the connection has been closed here');
      this.#client.end();
      this.#stream?.destroySoon();
      this.#goodbye = setTimeout(() => this.#stream?.destroy(), GOODBYE_MS);
    }
    return this.#closed.promise;
  }

  #beginCommand(): void {
    if (this.#failure !== null) throw new SSHCommandError(this.#failure.code, 'channel', this.#failure.message);
    this.#phase = 'channel';
    // Not that of the command before, whose exit code would be taken for an answer.
    this.#record = new CommandRecord();
  }

  #beginKeptPeriod(): void {
    if (this.#stream !== null) this.#limits.begin(this.#stream.cost, performance.now());
  }

  #wait({ timeoutMs, signal }: Patience, begin: () => void): Promise<SSHCommandResult | null> {
    return new Promise((resolve, reject) => {
      this.#waiter = { resolve, reject, signal };
      this.#armDeadline(timeoutMs);
      signal?.addEventListener('abort', this.#onAbort, { once: true });
      if (signal?.aborted) this.#onAbort();
      else begin();
    });
  }

  #release(): Waiter | null {
    const waiter = this.#waiter;
    this.#waiter = null;
    clearTimeout(this.#deadline);
    waiter?.signal?.removeEventListener('abort', this.#onAbort);
    return waiter;
  }

  #fail(code: SSHFailureCode, message: string, known: { sent?: boolean; offeredHostKey?: string } = {}): void {
    if (this.#failure !== null) return;
    this.#failure =
      this.#doubt === null || isOurFault(code)
        ? new SSHCommandError(code, this.#phase, message, { sent: this.#isSent, ...known })
        : new SSHCommandError('resolver', this.#phase, `${this.#doubt}; at its last known address: ${message}`);
    clearTimeout(this.#deadline);
    this.#over.abort();
    this.#stream?.destroy();
  }

  /** The last word: what was settled on, once nothing of it is left. */
  readonly #onClosed = (): void => {
    setImmediate(() => {
      clearTimeout(this.#goodbye);
      const waiter = this.#release();
      this.#failure ??= new SSHCommandError('reset', this.#phase, 'the connection was closed', { sent: this.#isSent });
      if (this.#result !== null) waiter?.resolve(this.#result);
      else waiter?.reject(this.#failure);
      this.#kept?.end(this.#failure);
      this.#closed.resolve(undefined);
    });
  };

  readonly #onAbort = (): void => this.#fail('aborted', GIVEN_UP);

  #armDeadline(timeoutMs: number): void {
    const dueAt = performance.now() + timeoutMs;
    this.#deadline = setTimeout(() => {
      const [code, message] = describeSilence(performance.now() - dueAt, timeoutMs, this.#phase);
      if (code === 'timeout' && this.#isLookingUp)
        this.#fail('resolver', `the look-up of the host name has not come back within ${timeoutMs / 1000} s`);
      else this.#fail(code, message);
    }, timeoutMs);
  }

  async #dial(
    key: ParsedKey,
    { host, port, timeoutMs }: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  ): Promise<void> {
    const dialled = await dial({
      host,
      port,
      isPinned: Boolean(this.#target.hostKey),
      reach: this.#target.reach ?? 'any',
      timeoutMs,
      signal: this.#over.signal,
      onFound: (addresses) => {
        this.#isLookingUp = false;
        this.#onProgress({ kind: 'found', addresses });
      },
    });
    this.#doubt = dialled.doubt;
    if ('failure' in dialled) {
      this.#fail(...dialled.failure);
      this.#onClosed();
    } else if (this.#failure === null) this.#logIn(dialled.socket, key);
    // Given up at the very moment at which it came about.
    else dialled.socket.once('close', this.#onClosed).destroy();
  }

  #logIn(socket: net.Socket, key: ParsedKey): void {
    const { hostKey: pinned = null } = this.#target;
    const username = this.#username;
    this.#phase = 'handshake';
    this.#onProgress({ kind: 'dialled', address: socket.remoteAddress ?? '' });
    const stream = new PacedSocket(socket);
    this.#stream = stream;
    // Before ssh2 adds its own listeners: a connection that ends says so before ssh2 guesses what it meant. Never removed:
    // a hung peer causes several errors, and one may come after the end.
    stream.on('error', (error) => this.#onEnd(...describeSocketError(error, this.#phase)));
    stream.on('end', () => this.#onEnd(...this.#describeEnd()));
    stream.once('close', () => {
      this.#onEnd(...this.#describeEnd());
      this.#onClosed();
    });
    this.#listenToClient();
    this.#guarded(() => {
      this.#client.connect({
        sock: stream,
        username,
        // Ours is the one deadline; this one also counts the time spent queueing in a busy process.
        readyTimeout: 0,
        algorithms: { ...ALGORITHMS, serverHostKey: pinned === null ? PREFERRED_ALGORITHMS : pinnedFirst(pinned) },
        // A parsed key, which the types do not know: text behind a passphrase would block for 190 ms at every login.
        authHandler: [{ type: 'publickey', username, key } as unknown as PublicKeyAuthMethod],
        // Synchronous, and a literal boolean: ssh2 takes any truthy value, a promise too, for consent.
        hostVerifier: (blob: Buffer): boolean => this.#accepts(blob, pinned),
      });
      if (this.#certificate !== null) presentCertificates(this.#client);
      guardClient(this.#client, {
        onSigned: () => {
          this.#remark = '';
        },
        onSecondPkOk: () => this.#fail('protocol', 'the host asks for one signature after the other'),
        onRemark: (text) => {
          this.#remark = cleanRemoteText(text, LONGEST_REMARK);
        },
      });
    });
    stream.on('data', (slice: Buffer) => {
      if (this.#phase === 'handshake' && this.#preface.length < LONGEST_PREFACE)
        this.#preface += slice.toString('latin1', 0, LONGEST_PREFACE);
      const now = { phase: this.#phase, nowMs: performance.now() };
      const why = this.#limits.onReceived(slice.length, stream.cost, now);
      if (why !== null) this.#fail('protocol', why);
    });
  }

  #accepts(blob: Buffer, pinned: string | null): boolean {
    if (!isOrdinaryHostKey(blob)) {
      this.#fail('protocol', 'the host shows a host key that is larger than any');
      return false;
    }
    const shown = formatHostKey(blob);
    // Keys can be exchanged anew at any time, and then by the same host only.
    const expected = pinned ?? (this.#hostKey || shown);
    if (shown === expected) {
      if (this.#hostKey === '') this.#onProgress({ kind: 'host_key', hostKey: shown });
      this.#hostKey = shown;
      return true;
    }
    this.#fail(
      'host_key_changed',
      `the host shows the key ${nameHostKey(shown)}, and not the pinned ${nameHostKey(expected)}: it was reinstalled, or someone is in between`,
      { offeredHostKey: shown },
    );
    return false;
  }

  /**
   * What it means that the host hangs up. sshd does so where PAM refuses the account after the key was good (expired,
   * nologin), after it has shown what PAM says. Source: OpenSSH, auth2.c, `userauth_finish`.
   */
  #describeEnd(): [SSHFailureCode, string] {
    const turnedAway = this.#phase === 'handshake' ? describeTurningAway(this.#preface) : null;
    if (turnedAway !== null) return ['reset', turnedAway];
    if (this.#phase !== 'auth' || this.#remark === null)
      return ['reset', `the host closed the connection (${this.#phase})`];
    const why = this.#remark === '' ? ' and does not say why' : `: ${this.#remark}`;
    return ['auth_rejected', `the host took the key and refused the login as ${this.#username}${why}`];
  }

  /** The end of the connection: an exit code that is known by then counts, else this failure. */
  #onEnd(code: SSHFailureCode, message: string): void {
    this.#hasEnded = true;
    // ssh2 may have parsed the end of the command in the same breath, and hands over what it printed a tick later.
    setImmediate(() => {
      if (this.#failure === null) this.#result = this.#readResult();
      this.#fail(code, message);
    });
  }

  #listenToClient(): void {
    this.#client.on('error', (error: Error & { level?: string; code?: unknown }) => {
      // Both have been told by the socket itself, and better.
      if (this.#hasEnded || error.level === 'client-socket') return;
      const loginEnded = this.#phase === 'auth' && LOGIN_ENDED_REASONS.includes(Number(error.code));
      if (error.level === 'client-authentication' || loginEnded)
        this.#fail('auth_rejected', `the host refused the login as ${this.#username} ${this.#withKey}`);
      else if (this.#target.hostKey && /no matching host key/i.test(error.message))
        this.#fail(
          'host_key_changed',
          `the host no longer offers its pinned ${this.#target.hostKey.split(' ')[0]} key`,
        );
      else this.#fail('protocol', `${cleanRemoteText(error.message)} (${this.#phase})`);
    });
    this.#client.on('handshake', () => {
      // The key is proved: this is the pinned host, wherever its address came from.
      this.#doubt = null;
      if (this.#phase === 'handshake') {
        this.#phase = 'auth';
        return;
      }
      const why = this.#limits.onKeyExchange(this.#phase);
      if (why !== null) this.#fail('protocol', why);
    });
    this.#client.on('ready', () => {
      // A host can say "welcome" as often as it likes.
      if (this.#failure !== null || this.#phase !== 'auth') return;
      this.#phase = 'channel';
      this.#release()?.resolve(null);
    });
  }

  #exec(command: string): void {
    this.#openChannel(command, (channel) => this.#listenToCommand(channel));
  }

  #openChannel(command: string, onOpen: (channel: ClientChannel) => void): void {
    this.#guarded(() => {
      this.#client.exec(command, (error, channel) => {
        // The end of the connection is told here, too; then nobody knows how far the command had come.
        if (this.#hasEnded) return;
        if (error) this.#onNoChannel(`the host opened no channel: ${cleanRemoteText(error.message)}`);
        else onOpen(channel);
      });
      this.#isSent = true;
    });
  }

  /** A host may allow one channel a connection: what is kept goes on. Source: MaxSessions in sshd_config(5). */
  #onNoChannel(why: string): void {
    if (!this.isKeeping) {
      this.#fail('protocol', why, { sent: false });
      return;
    }
    this.#isSent = false;
    this.#release()?.reject(new SSHCommandError('protocol', 'channel', why, { sent: false }));
  }

  #listenToCommand(channel: ClientChannel): void {
    // A login that starts something else than what it is told would wait for more.
    channel.end();
    const record = this.#record;
    this.#phase = 'command';
    channel.on('exit', (code: number | null, signalName?: string) => {
      record.exitCode = code;
      record.exitSignal = signalName ?? null;
    });
    channel.on('error', (error: Error) => this.#fail('protocol', cleanRemoteText(error.message)));
    // Unread output would keep the channel from ever closing.
    for (const [name, stream] of [
      ['stdout', channel],
      ['stderr', channel.stderr],
    ] as const)
      stream.on('data', (chunk: Buffer) => {
        const why = record.add(name, chunk);
        if (why !== null) this.#fail('output_limit', why);
      });
    channel.on('close', () => {
      if (this.#hasEnded || this.#failure !== null) return;
      const result = this.#readResult();
      if (result === null) {
        this.#fail('no_exit_status', record.whyNoExitCode());
        return;
      }
      this.#phase = 'channel';
      this.#isSent = false;
      this.#release()?.resolve(result);
    });
  }

  #readResult(): SSHCommandResult | null {
    const { exitCode } = this.#record;
    return exitCode === null ? null : { exitCode, ...this.#record.output(), hostKey: this.#hostKey };
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
