/**
 * User certificates of OpenSSH for ed25519 keys, signed by an ed25519 authority: what is signed, byte by byte, and what
 * stands in one. Source: PROTOCOL.certkeys of OpenSSH; RFC 4251, 5; RFC 8709.
 */
export const CERTIFICATE_TYPE = 'ssh-ed25519-cert-v01@openssh.com';
export const ED25519 = 'ssh-ed25519';
const USER_CERTIFICATE = 1;
const KEY_BYTES = 32;
const SIGNATURE_BYTES = 64;
/** Far more than one of ours has: whatever is longer was made by somebody who means harm. */
const LONGEST = 32 * 1024;
const MOST_ENTRIES = 32;

export type CertificateFields = {
  /** Unguessable, fresh for each: it keeps what is signed from being foreseen. */
  readonly nonce: Buffer;
  /** The 32 bytes of the key that is vouched for. */
  readonly key: Buffer;
  readonly serial: bigint;
  /** What the host writes into its log. */
  readonly keyId: string;
  readonly principals: readonly string[];
  /** Seconds since 1970: from the first on, and before the second. */
  readonly validAfter: number;
  readonly validBefore: number;
  /** The command that runs, whatever is asked for; null: any. */
  readonly forceCommand: string | null;
  /** Addresses and networks in CIDR notation, with commas between; null: from anywhere. */
  readonly sourceAddress: string | null;
  /** The 32 bytes of the authority's key. */
  readonly authority: Buffer;
};

/** What the authority signs. No extensions: no terminal, no forwarding of any kind, no start files. */
export function certificateBody(fields: CertificateFields): Buffer {
  const options = [
    ['force-command', fields.forceCommand],
    ['source-address', fields.sourceAddress],
  ] as const;
  return Buffer.concat([
    sshString(CERTIFICATE_TYPE),
    sshString(fields.nonce),
    sshString(fields.key),
    uint64(fields.serial),
    uint32(USER_CERTIFICATE),
    sshString(fields.keyId),
    sshString(Buffer.concat(fields.principals.map((principal) => sshString(principal)))),
    uint64(BigInt(fields.validAfter)),
    uint64(BigInt(fields.validBefore)),
    // In the order of their names, each value a string within a string.
    sshString(
      Buffer.concat(
        options.flatMap(([name, value]) => (value === null ? [] : [sshString(name), sshString(sshString(value))])),
      ),
    ),
    sshString(''),
    sshString(''),
    sshString(publicBlob(fields.authority)),
  ]);
}

/** The whole certificate: what was signed, and its signature of 64 bytes. */
export const sealedCertificate = (body: Buffer, signature: Buffer): Buffer =>
  Buffer.concat([body, sshString(namedSignature(signature))]);

/** A signature as SSH writes it, with the name of how it was made. */
export const namedSignature = (signature: Buffer): Buffer => Buffer.concat([sshString(ED25519), sshString(signature)]);

/** An ed25519 key as SSH writes it. */
export const publicBlob = (key: Buffer): Buffer => Buffer.concat([sshString(ED25519), sshString(key)]);

export class MalformedCertificate extends Error {
  override readonly name = 'MalformedCertificate';
}

/** What a certificate that others have made says of itself; whether its signature is good is not judged here. */
export type CertificateRead = CertificateFields & {
  /** Names of critical options beyond the two that are known here. */
  readonly otherOptions: readonly string[];
  readonly extensions: readonly string[];
  readonly body: Buffer;
  /** 64 bytes. */
  readonly signature: Buffer;
};

/** Reads a user certificate for an ed25519 key from an ed25519 authority. Throws `MalformedCertificate` for all else. */
export function readCertificate(blob: Buffer): CertificateRead {
  if (blob.length > LONGEST) throw new MalformedCertificate(`it has ${blob.length} bytes, allowed are ${LONGEST}`);
  const reader = new Reader(blob);
  const type = reader.text();
  if (type !== CERTIFICATE_TYPE)
    throw new MalformedCertificate(
      `it is of another type than ${CERTIFICATE_TYPE}: only ed25519 keys are certified here`,
    );
  const nonce = reader.string();
  const key = reader.string();
  const serial = reader.uint64();
  if (reader.uint32() !== USER_CERTIFICATE) throw new MalformedCertificate('it is for a host, not for a login');
  const keyId = reader.text();
  const principals = list(reader.string(), (inner) => inner.text());
  const [validAfter, validBefore] = [reader.uint64(), reader.uint64()].map(Number) as [number, number];
  const critical = list(reader.string(), pairOf);
  const extensions = list(reader.string(), pairOf).map(([name]) => name);
  reader.string();
  const authority = keyOf(reader.string());
  const body = blob.subarray(0, reader.offset);
  const signature = keyOf(reader.string(), SIGNATURE_BYTES);
  if (!reader.isAtEnd || key.length !== KEY_BYTES) throw new MalformedCertificate('it is malformed');
  const valueOf = (name: string): string | null => critical.find(([one]) => one === name)?.[1] ?? null;
  const known = ['force-command', 'source-address'];
  return {
    ...{ nonce, key, serial, keyId, principals, validAfter, validBefore, authority, extensions, body, signature },
    forceCommand: valueOf('force-command'),
    sourceAddress: valueOf('source-address'),
    otherOptions: critical.map(([name]) => name).filter((name) => !known.includes(name)),
  };
}

/** The certificate in a line as ssh-keygen prints it: `ssh-ed25519-cert-v01@openssh.com AAAA… comment`. */
export function certificateInLine(text: string): Buffer {
  const [type, encoded = ''] = text.trim().split(/\s+/, 2);
  if (type !== CERTIFICATE_TYPE || !/^[A-Za-z0-9+/]+={0,2}$/.test(encoded))
    throw new MalformedCertificate(`it is no line that begins with ${CERTIFICATE_TYPE}`);
  return Buffer.from(encoded, 'base64');
}

/** Name and value of an option; one without a value has an empty one. */
function pairOf(reader: Reader): readonly [string, string] {
  const name = reader.text();
  const data = reader.string();
  return [name, data.length === 0 ? '' : new Reader(data).text()];
}

/** The bytes in a key, or in a signature, of the kind ed25519. */
function keyOf(blob: Buffer, bytes = KEY_BYTES): Buffer {
  const reader = new Reader(blob);
  const type = reader.text();
  const content = type === ED25519 ? reader.string() : Buffer.alloc(0);
  if (content.length !== bytes || !reader.isAtEnd)
    throw new MalformedCertificate('its authority has no ed25519 key: only those are known here');
  return content;
}

function list<Entry>(content: Buffer, read: (reader: Reader) => Entry): Entry[] {
  const reader = new Reader(content);
  const entries: Entry[] = [];
  while (!reader.isAtEnd) {
    if (entries.length === MOST_ENTRIES) throw new MalformedCertificate(`it lists more than ${MOST_ENTRIES} things`);
    entries.push(read(reader));
  }
  return entries;
}

class Reader {
  readonly #content: Buffer;
  #offset = 0;
  constructor(content: Buffer) {
    this.#content = content;
  }

  get offset(): number {
    return this.#offset;
  }

  get isAtEnd(): boolean {
    return this.#offset === this.#content.length;
  }

  uint32(): number {
    return this.#take(4).readUInt32BE();
  }

  uint64(): bigint {
    return this.#take(8).readBigUInt64BE();
  }

  string(): Buffer {
    return this.#take(this.uint32());
  }

  text(): string {
    return this.string().toString('utf8');
  }

  #take(bytes: number): Buffer {
    if (bytes > this.#content.length - this.#offset) throw new MalformedCertificate('it is cut off');
    this.#offset += bytes;
    return this.#content.subarray(this.#offset - bytes, this.#offset);
  }
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

function uint64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

/** A string as SSH writes it: its length in front. */
export const sshString = (content: string | Buffer): Buffer =>
  Buffer.concat([uint32(Buffer.byteLength(content)), Buffer.from(content as Buffer)]);
