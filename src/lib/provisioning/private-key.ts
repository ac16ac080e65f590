import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import ssh2, { type ParsedKey } from 'ssh2';
import { SSHCommandError } from './ssh-failure.ts';

/**
 * Parses a private key, in any form that `tidyPrivateKey` takes; for text that is none, or one behind a passphrase, throws
 * `SSHCommandError` `key_invalid`.
 */
export function parsePrivateKey(text: string): ParsedKey {
  // A file with several keys gives a list, of which the types do not speak.
  const [key] = [ssh2.utils.parseKey(tidyPrivateKey(text))].flat();
  if (key instanceof Error || key === undefined)
    throw unusable(key && /passphrase|encrypted/i.test(key.message) ? BEHIND_PASSPHRASE : 'it is malformed');
  if (!key.isPrivateKey()) throw unusable('it is a public key');
  return key;
}

const unusable = (reason: string): SSHCommandError =>
  new SSHCommandError('key_invalid', 'connect', `the private key cannot be used: ${reason}`);
const BEHIND_PASSPHRASE = 'it is protected by a passphrase';

/** A fresh ed25519 key, as it is stored. */
export const makePrivateKey = (): string => openSSHText(generateKeyPairSync('ed25519').privateKey);

/** The public half of a key as it stands in `authorized_keys`: `ssh-ed25519 AAAA…`. */
export function publicHalf(key: ParsedKey): string {
  const blob = key.getPublicSSH();
  return `${blob.toString('latin1', 4, 4 + blob.readUInt32BE(0))} ${blob.toString('base64')}`;
}

const BEGIN = '-----BEGIN ';
const END = '-----END ';
const DASHES = '-----';

/**
 * The same key as ssh2 reads it: lines that were indented, end in spaces or in CRLF are tidied, text around the key is
 * dropped, and PKCS #8 (`BEGIN PRIVATE KEY`, what `openssl genrsa` and `genpkey` write) is put into the older forms.
 * Throws as `parsePrivateKey` does; may give text that is no key either.
 */
export function tidyPrivateKey(text: string): string {
  const lines = text
    .replace(/^\ufeff/, '')
    .split(/\r\n|\r|\n/)
    .map((line) => line.trim());
  const labels = lines.filter((line) => line.startsWith(BEGIN)).map((line) => line.slice(BEGIN.length, -DASHES.length));
  // Parameters of a curve may stand before its key.
  const label = labels.find((one) => one.endsWith('PRIVATE KEY'));
  if (label === undefined) {
    if (labels.some((one) => one.endsWith('PUBLIC KEY'))) throw unusable('it is a public key');
    return lines.join('\n').trim();
  }
  const begin = lines.indexOf(`${BEGIN}${label}${DASHES}`);
  const end = lines.indexOf(`${END}${label}${DASHES}`, begin);
  const body = lines.slice(begin + 1, end).filter(Boolean);
  if (label.startsWith('ENCRYPTED ') || body.some((line) => line.includes('ENCRYPTED')))
    throw unusable(BEHIND_PASSPHRASE);
  // Also since the pattern with which ssh2 looks for headers backtracks over whatever else stands there.
  if (end < 0 || !body.every((line) => /^[A-Za-z0-9+/=]+$/.test(line))) throw unusable('it is malformed');
  const pem = [`${BEGIN}${label}${DASHES}`, ...body, `${END}${label}${DASHES}`, ''].join('\n');
  return label === 'PRIVATE KEY' ? fromPkcs8(pem) : pem;
}

function fromPkcs8(pem: string): string {
  const key = readPem(pem);
  const kind = key.asymmetricKeyType;
  if (kind === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString();
  if (kind === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString();
  if (kind === 'ed25519') return openSSHText(key);
  throw unusable(`SSH knows no keys of the kind ${kind ?? 'unknown'}; make an ed25519, ECDSA or RSA key`);
}

function readPem(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw unusable('it is malformed');
  }
}

/** An ed25519 key in OpenSSH's own form, which is the only one that ssh2 reads them in. Source: PROTOCOL.key of OpenSSH. */
function openSSHText(key: KeyObject): string {
  const { d = '', x = '' } = key.export({ format: 'jwk' });
  const [seed, point] = [Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')];
  const type = string('ssh-ed25519');
  const check = number(0);
  const secret = Buffer.concat([check, check, type, string(point), string(Buffer.concat([seed, point])), string('')]);
  // To a multiple of eight bytes, with 1, 2, 3 …
  const padding = Buffer.from(Array.from({ length: -secret.length & 7 }, (_, index) => index + 1));
  const blob = Buffer.concat([
    Buffer.from('openssh-key-v1\0'),
    ...['none', 'none', ''].map(string),
    number(1),
    string(Buffer.concat([type, string(point)])),
    string(Buffer.concat([secret, padding])),
  ]);
  const text = blob.toString('base64');
  const lines = Array.from({ length: Math.ceil(text.length / 70) }, (_, line) => text.slice(line * 70, line * 70 + 70));
  const body = lines.join('\n');
  return `${BEGIN}OPENSSH PRIVATE KEY${DASHES}\n${body}\n${END}OPENSSH PRIVATE KEY${DASHES}\n`;
}

function number(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const string = (content: string | Buffer): Buffer =>
  Buffer.concat([number(Buffer.byteLength(content)), Buffer.from(content as Buffer)]);
