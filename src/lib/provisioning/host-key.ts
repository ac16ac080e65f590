import { createHash } from 'node:crypto';
import type { ServerHostKeyAlgorithm } from 'ssh2';
import { readBy } from '../parsing/fields.ts';

/** The name of a host key's type is its first field. Source: RFC 4253, 6.6. */
function typeOf(blob: Buffer): string {
  const length = blob.length >= 4 ? blob.readUInt32BE(0) : 0;
  return length > 0 && length <= 64 && blob.length >= 4 + length ? blob.toString('latin1', 4, 4 + length) : '';
}

const KEY_TYPE = /^(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521))$/;

/** RSA keys of 16,384 bits, the largest that OpenSSH makes, have 2,077. */
const LARGEST_HOST_KEY_BYTES = 2_200;

/** Whether a host may own this key: what is larger was made to cost time, or space where it is pinned. */
export const isOrdinaryHostKey = (blob: Buffer): boolean => blob.length <= LARGEST_HOST_KEY_BYTES;

/** A host key as it stands in known_hosts and is pinned: `ssh-ed25519 AAAA…`. */
export const formatHostKey = (blob: Buffer): string => `${typeOf(blob)} ${blob.toString('base64')}`;

/** The fingerprint that `ssh-keygen -l` prints: `SHA256:…`. */
export const fingerprint = (hostKey: string): string =>
  // A digest of 32 bytes ends in one `=`.
  `SHA256:${createHash('sha256')
    .update(Buffer.from(hostKey.split(' ')[1] ?? '', 'base64'))
    .digest('base64')
    .slice(0, -1)}`;

/**
 * The pin for what a person gave: a line of known_hosts or of a `.pub` file, with or without host name and comment.
 * Null when there is no host key in it.
 */
export function parseHostKey(text: string): string | null {
  const words = text.trim().split(/\s+/);
  const at = words.findIndex((word) => KEY_TYPE.test(word));
  const blob = Buffer.from(words[at + 1] ?? '', 'base64');
  return at >= 0 && typeOf(blob) === words[at] ? formatHostKey(blob) : null;
}

/** The same as a field of a form, or an option. */
export const hostKeyLine = readBy((text) => parseHostKey(text) ?? undefined, {
  title: 'host key',
  description: 'a line such as "ssh-ed25519 AAAA…", as ssh-keyscan prints it',
});

const typeOfPin = (pinned: string): string => pinned.split(' ')[0] ?? '';

/** What is asked of a host that is not pinned yet, the strongest first. */
export const PREFERRED_ALGORITHMS: ServerHostKeyAlgorithm[] = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
];

/**
 * What is asked of a host with this pinned key: its type before all others, so that no other key of the host comes in its
 * place. The others are for one that has lost it: what it has now is never accepted, but can be shown.
 */
export function pinnedFirst(pinned: string): ServerHostKeyAlgorithm[] {
  const type = typeOfPin(pinned);
  const own = (name: ServerHostKeyAlgorithm): boolean => (type === 'ssh-rsa' ? name.startsWith('rsa-') : name === type);
  return PREFERRED_ALGORITHMS.toSorted((a, b) => Number(own(b)) - Number(own(a)));
}

/** `ssh-ed25519 SHA256:…`. */
export const nameHostKey = (hostKey: string): string => `${typeOfPin(hostKey)} ${fingerprint(hostKey)}`;
