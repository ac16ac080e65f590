import type { Client, ParsedKey } from 'ssh2';
import { CERTIFICATE_TYPE, namedSignature, sshString } from './rules/certificate.ts';

/** A key that was made for one connection, and what an authority says of it. */
export type CertifiedKey = {
  readonly key: ParsedKey;
  readonly certificate: Buffer;
  /** The instant in milliseconds since 1970 from which on no host takes it. */
  readonly validBefore: number;
};

/** The key as ssh2 is to show it to a host: the certificate stands for the public half. */
export const shownAsCertificate = ({ key, certificate }: CertifiedKey): ParsedKey =>
  Object.create(key, {
    type: { value: CERTIFICATE_TYPE },
    getPublicSSH: { value: () => certificate },
  }) as ParsedKey;

type Sign = (signed: Buffer, send: (signature: Buffer) => void) => void;
type AuthPK = (username: string, key: ParsedKey, algorithm: string | undefined, sign?: Sign) => void;

/** Of ssh2 1.17, and not part of what it publishes: another version has to be read again. */
type Protocol = {
  authPK: AuthPK;
  readonly _kex: { readonly sessionID: Buffer };
  readonly _packetRW: {
    readonly write: {
      readonly allocStart: number;
      alloc(bytes: number): Buffer;
      finalize(packet: Buffer): Buffer;
    };
  };
  readonly _authsQueue: string[];
  readonly _cipher: { encrypt(packet: Buffer): void };
  /** Set while keys are exchanged. */
  readonly _kexinit?: unknown;
  _queue?: Buffer[];
};

const USERAUTH_REQUEST = 50;

/**
 * Lets ssh2, once it has been told to connect, log in with a key of `shownAsCertificate`. It knows no certificates: in the
 * signed request it would call the signature by the certificate's type, and hosts want that of the key. Source: RFC 4252,
 * 7; PROTOCOL.certkeys of OpenSSH.
 */
export function presentCertificates(client: Client): void {
  const { _protocol: protocol } = client as unknown as { readonly _protocol: Protocol };
  const ask = protocol.authPK.bind(protocol);
  protocol.authPK = (username, key, algorithm, sign) => {
    if (sign === undefined) {
      ask(username, key, algorithm);
      return;
    }
    const request = Buffer.concat([
      Buffer.from([USERAUTH_REQUEST]),
      ...[username, 'ssh-connection', 'publickey'].map(sshString),
      Buffer.from([1]),
      sshString(CERTIFICATE_TYPE),
      sshString(key.getPublicSSH()),
    ]);
    sign(Buffer.concat([sshString(protocol._kex.sessionID), request]), (signature) => {
      protocol._authsQueue.push('publickey');
      send(protocol, Buffer.concat([request, sshString(namedSignature(signature))]));
    });
  };
}

function send(protocol: Protocol, payload: Buffer): void {
  const { write } = protocol._packetRW;
  const start = write.allocStart;
  const packet = write.alloc(payload.length);
  packet.set(payload, start);
  const whole = write.finalize(packet);
  if (protocol._kexinit === undefined) protocol._cipher.encrypt(whole);
  else (protocol._queue ??= []).push(whole);
}
