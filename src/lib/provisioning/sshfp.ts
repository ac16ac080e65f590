import { createHash, randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import dns from 'node:dns';
import { isIP } from 'node:net';
import dnsPacket, { type DecodedPacket } from 'dns-packet';

/**
 * What the DNS says of a host's key (SSHFP, RFC 4255): this key, another one of its type, or nothing. `signed`: the name
 * server says that DNSSEC proved it, which is worth as much as the way to that server.
 */
export type SshfpAnswer = {
  readonly says: 'same' | 'other' | 'nothing';
  readonly signed: boolean;
};

export const NO_SSHFP: SshfpAnswer = { says: 'nothing', signed: false };

const PATIENCE_MS = 2_000;
/** By the type of a key. Source: IANA, SSHFP RR types for public key algorithms. */
const ALGORITHMS: Readonly<Record<string, number>> = {
  'ssh-rsa': 1,
  'ecdsa-sha2-nistp256': 3,
  'ecdsa-sha2-nistp384': 3,
  'ecdsa-sha2-nistp521': 3,
  'ssh-ed25519': 4,
};
/** SHA-1, the other kind, proves nothing any more. */
const SHA256 = 2;

/**
 * Asks the first of this machine's name servers, once, over UDP: Node knows no such records. Nothing, where it does not
 * answer within two seconds; never rejects. An address has no name to ask for.
 */
export async function lookUpSshfp(host: string, hostKey: string): Promise<SshfpAnswer> {
  const [server] = dns.getServers();
  if (isIP(host) !== 0 || server === undefined) return NO_SSHFP;
  const answer = await ask(server, host.replace(/\.$/, ''));
  return answer === null ? NO_SSHFP : readAnswer(answer, hostKey);
}

function readAnswer({ answers = [], flag_ad: signed }: DecodedPacket, hostKey: string): SshfpAnswer {
  const [type = '', blob = ''] = hostKey.split(' ');
  const digest = createHash('sha256').update(Buffer.from(blob, 'base64')).digest('hex');
  const records = answers
    .flatMap((answer) => (answer.type === 'SSHFP' ? [answer.data] : []))
    .filter(({ algorithm, hash }) => algorithm === ALGORITHMS[type] && hash === SHA256);
  if (records.length === 0) return NO_SSHFP;
  const isSame = records.some(({ fingerprint }) => fingerprint.toLowerCase() === digest);
  return { says: isSame ? 'same' : 'other', signed };
}

function ask(server: string, name: string): Promise<DecodedPacket | null> {
  const { address, port } = endpointOf(server);
  const socket = createSocket(isIP(address) === 6 ? 'udp6' : 'udp4');
  const id = randomInt(65_536);
  return new Promise<DecodedPacket | null>((resolve) => {
    const timer = setTimeout(() => resolve(null), PATIENCE_MS);
    socket.once('close', () => clearTimeout(timer));
    socket.on('error', () => resolve(null));
    socket.on('message', (message) => {
      const answer = decoded(message);
      if (answer?.id === id && answer.questions?.[0]?.name.toLowerCase() === name.toLowerCase()) resolve(answer);
    });
    // Nobody else is heard on a connected socket.
    socket.connect(port, address, () => {
      const flags = dnsPacket.RECURSION_DESIRED | dnsPacket.AUTHENTIC_DATA;
      socket.send(dnsPacket.encode({ type: 'query', id, flags, questions: [{ type: 'SSHFP', name }] }));
    });
  }).finally(() => socket.close());
}

/** `192.0.2.1`, `192.0.2.1:5353`, `[2001:db8::1]:5353`, as `getServers` has them. */
function endpointOf(server: string): { readonly address: string; readonly port: number } {
  if (isIP(server) !== 0) return { address: server, port: 53 };
  const at = server.lastIndexOf(':');
  return { address: server.slice(0, at).replaceAll(/[[\]]/g, ''), port: Number(server.slice(at + 1)) };
}

function decoded(message: Buffer): DecodedPacket | null {
  try {
    return dnsPacket.decode(message);
  } catch {
    return null;
  }
}
