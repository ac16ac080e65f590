import type net from 'node:net';
import type { Connection } from 'ssh2';
import { answer, ssh, sshPeer, tcp, tcpPeer, type Exec, type Peer, type SSHManners } from './peers.ts';

/** What ssh2 writes packets with, below the messages that it knows. */
type Packets = {
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      readonly alloc: (length: number) => Buffer;
      readonly finalize: (packet: Buffer) => Buffer;
    };
  };
  readonly _cipher: { readonly encrypt: (packet: Buffer) => void };
};

const MESSAGE = {
  ignore: 2,
  extInfo: 7,
  kexInit: 20,
  kexReply: 31,
  gexGroup: 31,
  gexRequest: 34,
  banner: 53,
  pkOk: 60,
  globalRequest: 80,
  channelData: 94,
  channelRequest: 98,
} as const;

const byte = (...values: number[]): Buffer => Buffer.from(values);
function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}
const string = (content: string | Buffer): Buffer =>
  Buffer.concat([uint32(Buffer.byteLength(content)), Buffer.from(content as Buffer)]);
const message = (type: keyof typeof MESSAGE, ...fields: readonly Buffer[]): Buffer =>
  Buffer.concat([byte(MESSAGE[type]), ...fields]);

/** Sends this message as it is, whatever it says. */
function send({ _packetRW: { write }, _cipher }: Packets, payload: Buffer): void {
  const packet = write.alloc(payload.length);
  packet.set(payload, write.allocStart);
  _cipher.encrypt(write.finalize(packet));
}

const packetsOf = (connection: Connection): Packets =>
  (connection as unknown as { readonly _protocol: Packets })._protocol;

/** Shows a text during the login. */
export const showBanner = (connection: Connection, text: string): void =>
  send(packetsOf(connection), message('banner', string(text), string('')));

/** Sends the same message again and again, as fast as it is taken, until the connection is gone. */
function flood(connection: Connection, socket: net.Socket, payload: Buffer): void {
  const packets = packetsOf(connection);
  const atOnce = Math.ceil((1024 * 1024) / payload.length / 16);
  const pour = (): void => {
    socket.cork();
    for (let sent = 0; sent < atOnce && socket.writableLength < 1024 * 1024 && socket.writable; sent += 1)
      send(packets, payload);
    socket.uncork();
    if (socket.writable) setImmediate(pour);
  };
  pour();
}

const floodsCommand = (payload: Buffer): Partial<SSHManners> => ({
  onExec: ({ accept, connection, socket }) => {
    accept();
    flood(connection, socket, payload);
  },
});
const floodsLogin = (payload: Buffer): Partial<SSHManners> => ({
  onLogin: (context, { connection, socket }) => {
    if (context.method === 'publickey') flood(connection, socket, payload);
    else context.reject(['publickey']);
  },
});

// Before there are keys, a packet is written by hand. Source: RFC 4253, 6 and 7.1.
function plainPacket(payload: Buffer): Buffer {
  const toBlock = 8 - ((5 + payload.length) % 8);
  const padding = toBlock < 4 ? toBlock + 8 : toBlock;
  return Buffer.concat([uint32(1 + payload.length + padding), byte(padding), payload, Buffer.alloc(padding)]);
}
const BANNER = 'SSH-2.0-OpenSSH_9.9\r\n';
const COOKIE = Buffer.alloc(16);
type Offer = { readonly kex?: string; readonly hostKey?: string; readonly cipher?: string };
const kexInit = ({ kex = 'curve25519-sha256', hostKey = 'ssh-ed25519', cipher = 'aes128-ctr' }: Offer): Buffer =>
  message(
    'kexInit',
    COOKIE,
    ...[kex, hostKey, cipher, cipher, 'hmac-sha2-256', 'hmac-sha2-256', 'none', 'none', '', ''].map(string),
    byte(0),
    uint32(0),
  );

/** The messages of a caller that speaks in plain packets, as long as it does. */
function readPlain(socket: net.Socket, onMessage: (payload: Buffer) => void): void {
  let unread = Buffer.alloc(0);
  let hasBanner = false;
  socket.on('data', (chunk) => {
    unread = Buffer.concat([unread, chunk]);
    if (!hasBanner) {
      const end = unread.indexOf('\n');
      if (end < 0) return;
      hasBanner = true;
      unread = unread.subarray(end + 1);
    }
    while (unread.length >= 4 && unread.length >= 4 + unread.readUInt32BE(0)) {
      const length = unread.readUInt32BE(0);
      onMessage(unread.subarray(5, 4 + length - (unread[4] ?? 0)));
      unread = unread.subarray(4 + length);
    }
  });
}

/** A prime, of the size that the trial was made with; testing it takes minutes. */
const hugePrime = Buffer.from(((1n << 9_941n) - 1n).toString(16), 'hex');

/** Says only this for its part of the key exchange. */
const offers =
  (offer: Offer | Buffer, reply?: (payload: Buffer) => Buffer | null) =>
  (socket: net.Socket): void => {
    socket.write(BANNER);
    socket.write(plainPacket(Buffer.isBuffer(offer) ? offer : kexInit(offer)));
    readPlain(socket, (payload) => {
      const said = reply?.(payload) ?? null;
      if (said !== null) socket.write(plainPacket(said));
    });
  };

const KIB = 1024;
const sixtyFourKib = (text: string): Buffer => Buffer.alloc(64 * KIB, text);

/** Answers every command with 64 KiB of the same on both streams, and the looks so that a restart follows. */
const saysOfEverything = (text: string): Partial<SSHManners> => ({
  onExec: (exec: Exec) => {
    const flooded = sixtyFourKib(text);
    if (exec.command.includes('is-active')) answer(exec, { exitCode: 3, stdout: 'inactive\n', stderr: flooded });
    else if (exec.command.includes('restart')) answer(exec, { exitCode: 1, stderr: flooded });
    else answer(exec, { stdout: flooded, stderr: flooded });
  },
});
const saysInsteadOfState = (text: string): Partial<SSHManners> => ({
  onExec: (exec: Exec) => answer(exec, { exitCode: 1, stdout: sixtyFourKib(text), stderr: sixtyFourKib(text) }),
});

const HEADERS = `-----BEGIN RSA PRIVATE KEY-----\n${'a: b\n'.repeat(5_000)}`;

/** Each by what it does to a caller that lets it. */
export const hostile = {
  'sends a huge prime to test': offers({ kex: 'diffie-hellman-group-exchange-sha256' }, (payload) =>
    payload[0] === MESSAGE.gexRequest ? message('gexGroup', string(hugePrime), string(byte(2))) : null,
  ),
  'offers nothing but the largest groups': offers({
    kex: 'diffie-hellman-group18-sha512,diffie-hellman-group16-sha512',
  }),
  'names 34,000 ciphers': offers({ cipher: ','.repeat(17_000) }),
  'lies about the lengths of its lists': offers(
    message('kexInit', COOKIE, uint32(0xffff_ffff), Buffer.alloc(30_000, ',')),
  ),
  'lies about the length of its packet': (socket: net.Socket) => {
    socket.resume().write(BANNER);
    socket.write(Buffer.alloc(32, 0x7f));
  },
  'shows a host key of 30 KiB': offers({ hostKey: 'rsa-sha2-512' }, (payload) =>
    payload[0] === 30
      ? message(
          'kexReply',
          string(
            Buffer.concat([string('ssh-rsa'), string(Buffer.alloc(15_000, 0x7f)), string(Buffer.alloc(15_000, 0x7f))]),
          ),
          string(Buffer.alloc(32, 9)),
          string(Buffer.concat([string('rsa-sha2-512'), string(Buffer.alloc(512, 1))])),
        )
      : null,
  ),
  'greets without end': tcp.endlessGreeting,
  'shows banners without end': floodsLogin(message('banner', string('x'.repeat(30 * KIB)), string(''))),
  'asks for signatures without end': floodsLogin(message('pkOk', string('ssh-ed25519'), string(''))),
  'claims four billion extensions': floodsLogin(message('extInfo', uint32(0xffff_ffff), Buffer.alloc(30 * KIB))),
  'exchanges keys without end': {
    onExec: ({ accept, connection }) => {
      accept();
      const again = (): void => {
        connection.rekey(again);
      };
      again();
    },
  },
  'prints to stdout without end': ssh.endlessStdout,
  'prints to stderr without end': ssh.endlessStderr,
  'sends small packets without end': floodsCommand(message('ignore', string(''))),
  'sends large packets without end': floodsCommand(message('ignore', string(Buffer.alloc(34_000)))),
  'asks for answers without end': floodsCommand(message('globalRequest', string('keepalive@openssh.com'), byte(1))),
  'asks for answers on its channel without end': floodsCommand(
    message('channelRequest', uint32(0), string('keepalive@openssh.com'), byte(1)),
  ),
  'shows host keys that no pattern gets through': floodsCommand(
    message('globalRequest', string('hostkeys-00@openssh.com'), byte(0), string(HEADERS)),
  ),
  'shows a thousand host keys': floodsCommand(
    message(
      'globalRequest',
      string('hostkeys-00@openssh.com'),
      byte(0),
      ...Array.from({ length: 500 }, () => string(Buffer.concat([string('ssh-ed25519'), string(Buffer.alloc(32, 7))]))),
    ),
  ),
  'lies about the length of its output': floodsCommand(
    message('channelData', uint32(0), uint32(0xffff_ffff), Buffer.alloc(30 * KIB)),
  ),
  'sends compressed nothing without end': {
    algorithms: { compress: ['zlib@openssh.com', 'zlib'] },
    ...floodsCommand(message('ignore', string(Buffer.alloc(16 * KIB * KIB)))),
  },
  'says ": Unit " to everything': saysOfEverything('Failed to restart : Unit '),
  'says "sudo: " to everything': saysInsteadOfState('sudo: '),
  'says line feeds to everything': saysOfEverything('\n'),
  'says blanks to everything': saysInsteadOfState(' '),
  'says beginnings of escape sequences to everything': saysOfEverything('\u001b[0;\u001b]'),
  'says equal signs to everything': saysOfEverything('LoadState='),
  'says letters of three bytes to everything': saysInsteadOfState('\u202e'),
} satisfies Record<string, ((socket: net.Socket) => unknown) | Partial<SSHManners>>;

export type HostileManners = ((socket: net.Socket) => unknown) | Partial<SSHManners>;

export const startHostilePeer = (manners: HostileManners, hostKey: string): Promise<Peer> =>
  typeof manners === 'function' ? tcpPeer(manners) : sshPeer({ hostKeys: [hostKey], ...manners });
