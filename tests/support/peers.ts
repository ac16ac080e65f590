import { once } from 'node:events';
import net from 'node:net';
import type { Writable } from 'node:stream';
import ssh2, { type Algorithms, type AuthContext, type Connection, type ServerChannel } from 'ssh2';

/** Somebody on 127.0.0.1 to dial, well behaved or not. */
export type Peer = {
  readonly port: number;
  readonly close: () => Promise<void>;
};

type KeyPair = { readonly privateKey: string; readonly publicKey: string };

/** `publicKey` is `ssh-ed25519 AAAA…`, as a host key is pinned. One of 200 keys that ssh2 makes it cannot read itself. */
export function newKey(type: 'ed25519' | 'ecdsa' | 'rsa' = 'ed25519'): KeyPair {
  for (;;) {
    const pair =
      type === 'ed25519'
        ? ssh2.utils.generateKeyPairSync('ed25519')
        : type === 'ecdsa'
          ? ssh2.utils.generateKeyPairSync('ecdsa', { bits: 256 })
          : ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 });
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error))
      return { privateKey: pair.private, publicKey: pair.public.trim() };
  }
}

const ignore = (): void => undefined;

/** A TCP server that treats every caller as `serve` does. Its `close` also breaks what is still open. */
export async function tcpPeer(serve: (socket: net.Socket) => unknown): Promise<Peer> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    // Callers that give up on such a peer do it with a reset.
    socket.on('error', ignore);
    socket.on('close', () => sockets.delete(socket));
    serve(socket);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    close: async () => {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** A port of 127.0.0.1 on which nobody listens. */
export async function deadPort(): Promise<number> {
  const peer = await tcpPeer(ignore);
  await peer.close();
  return peer.port;
}

/** What ssh2 can say on the wire but offers no method for. */
type Wire = {
  readonly _authsQueue: string[];
  readonly authSuccess: () => void;
  readonly channelOpenFail: (channel: number, reason: number, description: string) => void;
  readonly channelSuccess: (channel: number) => void;
  readonly exitStatus: (channel: number, exitCode: number) => void;
  readonly channelClose: (channel: number) => void;
};

/** One caller of an SSH peer, with the means to mistreat it. */
type Caller = {
  readonly connection: Connection;
  readonly socket: net.Socket;
  readonly wire: Wire;
};

export type Exec = Caller & {
  readonly command: string;
  readonly accept: () => ServerChannel;
  readonly reject: () => void;
};

export type SSHManners = {
  readonly hostKeys: readonly string[];
  /** Those of ssh2 unless given. */
  readonly algorithms?: Algorithms;
  /** The default lets every public key in. */
  readonly onLogin?: (context: AuthContext, caller: Caller) => unknown;
  /** The default opens the channel. */
  readonly onSession?: (caller: Caller & { readonly accept: () => void; readonly reject: () => void }) => unknown;
  readonly onExec?: (exec: Exec) => unknown;
};

/** An SSH server of ssh2 whose manners can be replaced step by step. */
export function sshPeer(manners: SSHManners): Promise<Peer> {
  const { hostKeys, algorithms, onLogin = letIn, onSession, onExec = sayHello } = manners;
  return tcpPeer((socket) => {
    // A server for each caller: that is how a caller is known to own this very socket.
    const server = new ssh2.Server({ hostKeys: [...hostKeys], ...(algorithms && { algorithms }) }, (connection) => {
      const { _protocol: wire } = connection as unknown as { readonly _protocol: Wire };
      const caller: Caller = { connection, socket, wire };
      connection.on('error', ignore);
      connection.on('authentication', (context) => onLogin(context, caller));
      connection.on('session', (acceptSession, rejectSession) => {
        if (onSession) {
          onSession({ ...caller, accept: acceptSession, reject: rejectSession });
          return;
        }
        acceptSession().on('exec', (accept, reject, { command }) => {
          const acceptQuietly = (): ServerChannel => {
            const channel = accept();
            channel.on('error', ignore);
            channel.stderr.on('error', ignore);
            return channel;
          };
          onExec({ ...caller, command, accept: acceptQuietly, reject });
        });
      });
    });
    server.injectSocket(socket);
  });
}

function letIn(context: AuthContext): void {
  if (context.method === 'publickey') context.accept();
  else context.reject(['publickey']);
}

/** Says "welcome" although nobody has asked. */
function letInAgain({ wire }: Caller): void {
  wire._authsQueue.push('publickey');
  wire.authSuccess();
}

/** What a healthy host does with a command: output on both streams, an exit code, end of the channel. */
export function answer(
  exec: Exec,
  { exitCode = 0, stdout = '', stderr = '' }: { exitCode?: number; stdout?: string | Buffer; stderr?: string | Buffer },
): void {
  const channel = exec.accept();
  if (stderr.length > 0) channel.stderr.write(stderr);
  if (stdout.length > 0) channel.write(stdout);
  channel.exit(exitCode);
  channel.end();
}

const sayHello = (exec: Exec): void => answer(exec, { stdout: `ran: ${exec.command}\n`, stderr: 'a warning\n' });

/** Everything that is written meanwhile leaves in one segment, and with it the end of the connection. */
function inOneBreath(socket: net.Socket, speak: () => void): void {
  socket.cork();
  speak();
  socket.end();
  socket.uncork();
}

/** Writes the same again and again, as fast as it is taken, until the stream is gone. */
function pourInto(stream: Writable, chunk: Buffer): void {
  const pour = (): void => {
    let taken = true;
    while (taken && stream.writable) taken = stream.write(chunk);
  };
  stream.on('drain', pour);
  pour();
}

const BANNER = 'SSH-2.0-OpenSSH_9.9\r\n';
const KIB_64 = 64 * 1024;
const SOME_OUTPUT = Buffer.alloc(1_000, 'x');
const GARBAGE = Buffer.alloc(512, 0xff);
/** Colour, window title, lines, the one-byte form of an escape, reversed direction. */
const ESCAPES = '\u001b[31mno\u001b]0;owned\u0007\r\nmore\u009b32m room\u202e';

/** Peers that never get as far as SSH. */
export const tcp = {
  hang: (socket) => socket.resume(),
  hangAfterBanner: (socket) => socket.resume().write(BANNER),
  closeAtOnce: (socket) => socket.resume().end(),
  closeAfterBanner: (socket) => socket.resume().end(BANNER),
  // Lines that are long enough to stay under the 1,024 that ssh2 itself allows.
  endlessGreeting: (socket) => pourInto(socket.resume(), Buffer.from(`${'welcome '.repeat(500)}\r\n`)),
  endlessLine: (socket) => pourInto(socket.resume(), SOME_OUTPUT),
  /** ssh2 reports this banner, and at the end of the connection the lack of one. */
  wrongBanner: (socket) => socket.resume().write('SSH-9.9-none\r\n'),
  garbageAfterBanner: (socket) => socket.resume().write(Buffer.concat([Buffer.from(BANNER), GARBAGE])),
  garbageThenReset: (socket) => {
    socket.write(BANNER);
    socket.once('data', () => socket.write(GARBAGE, () => socket.resetAndDestroy()));
  },
} satisfies Record<string, (socket: net.Socket) => unknown>;

/** Hosts with one fault, or one oddity, each. */
export const ssh = {
  rejectKey: { onLogin: (context) => context.reject(['publickey']) },
  neverAnswerLogin: { onLogin: ignore },
  floodLogin: {
    onLogin: (_context, { wire }) => {
      for (let sent = 0; sent < 20; sent += 1) wire.channelOpenFail(9, 1, 'x'.repeat(30_000));
    },
  },
  rejectKeyThenLetIn: {
    onLogin: (context, caller) =>
      inOneBreath(caller.socket, () => {
        context.reject();
        letInAgain(caller);
      }),
  },
  neverOpenChannel: { onSession: ignore },
  refuseChannel: { onSession: ({ reject }) => reject() },
  refuseChannelWithEscapes: { onSession: ({ wire }) => wire.channelOpenFail(0, 1, ESCAPES) },
  refuseCommand: { onExec: ({ reject }) => reject() },
  neverEnd: { onExec: ({ accept }) => accept().write('so far') },
  letInAtEveryCommand: {
    onExec: (exec) => {
      exec.accept();
      letInAgain(exec);
    },
  },
  endlessStdout: { onExec: ({ accept }) => pourInto(accept(), SOME_OUTPUT) },
  endlessStderr: { onExec: ({ accept }) => pourInto(accept().stderr, SOME_OUTPUT) },
  outputAtLimit: { onExec: (exec) => answer(exec, { stdout: 'o'.repeat(KIB_64), stderr: 'e'.repeat(KIB_64) }) },
  outputOverLimit: { onExec: (exec) => answer(exec, { stdout: 'o'.repeat(KIB_64 + 1) }) },
  noExitStatus: { onExec: ({ accept }) => accept().end() },
  killed: {
    onExec: ({ accept }) => {
      const channel = accept();
      channel.exit('KILL');
      channel.end();
    },
  },
  resetInCommand: {
    onExec: ({ accept, connection, socket }) => {
      accept().write('so far');
      // New keys are agreed on once the caller has read what came before; a reset would take that along.
      connection.rekey(() => socket.resetAndDestroy());
    },
  },
  closeInCommand: { onExec: ({ accept, socket }) => inOneBreath(socket, () => accept().write('so far')) },
  endWithExitStatus: { onExec: ({ accept, socket }) => inOneBreath(socket, () => accept().exit(4)) },
  /** Reads no more once it has answered, and so never learns that the caller wants to part. */
  halfOpen: {
    onExec: (exec) => {
      answer(exec, { exitCode: 5 });
      exec.socket.pause();
    },
  },
  /** Reads no command, and yet answers it. */
  deaf: {
    onSession: ({ accept, socket, wire }) => {
      socket.pause();
      accept();
      wire.channelSuccess(0);
      wire.exitStatus(0, 6);
      wire.channelClose(0);
    },
  },
  oneSegment: { onExec: (exec) => inOneBreath(exec.socket, () => answer(exec, { stdout: 'out', stderr: 'err' })) },
  byteByByte: {
    onExec: ({ accept }) => {
      const channel = accept();
      for (const byte of Buffer.from('läuft')) channel.write(Buffer.of(byte));
      channel.exit(0);
      channel.end();
    },
  },
  inactive: { onExec: (exec) => answer(exec, { exitCode: 3, stdout: 'inactive\n' }) },
} satisfies Record<string, Partial<SSHManners>>;
