import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { keyFromEnvironment } from './encryption-key.ts';

/**
 * Secrets at rest, as `v1.<key id>.<nonce>.<tag>.<ciphertext>` (base64url): AES-256-GCM with a random 96-bit nonce
 * (NIST SP 800-38D). The key id says which key wrote it; `boundTo` (table, column and row) is authenticated with it, so
 * that a ciphertext copied to another row does not open there.
 */
const VERSION = 'v1';
const NONCE_BYTES = 12;
const TAG_BYTES = 16;

/** A ciphertext that does not open; `code` says why. The message never holds key, ciphertext or plaintext. */
export class DecryptionError extends Error {
  override readonly name = 'DecryptionError';
  readonly code: 'malformed' | 'other_key' | 'tampered';
  constructor(code: DecryptionError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

/** Names a key without giving it away: the first 32 bits of its SHA-256. */
export const keyId = (key: Buffer): string => createHash('sha256').update(key).digest('hex').slice(0, 8);

const additionalData = (id: string, boundTo: string): Buffer => Buffer.from(`${VERSION}.${id}.${boundTo}`);

/** Encrypts `plaintext` for the place `boundTo`; without `key`, with the key of the environment. */
export function encryptToken(plaintext: string, boundTo = '', key: Buffer = keyFromEnvironment()): string {
  const nonce = randomBytes(NONCE_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  cipher.setAAD(additionalData(keyId(key), boundTo));
  const ciphertext = Buffer.concat([cipher.update(plaintext, 'utf8'), cipher.final()]);
  const parts = [nonce, cipher.getAuthTag(), ciphertext].map((part) => part.toString('base64url'));
  return [VERSION, keyId(key), ...parts].join('.');
}

/** The plaintext of what `encryptToken` made for the same place with the same key. Throws `DecryptionError`. */
export function decryptToken(ciphertext: string, boundTo = '', key: Buffer = keyFromEnvironment()): string {
  const parts = ciphertext.split('.');
  const [version, id, ...encoded] = parts;
  const [nonce, tag, body] = encoded.map((part) => Buffer.from(part, 'base64url'));
  // Node decodes leniently: two spellings of the same bytes would both open.
  const canonical = [nonce, tag, body].every((part, index) => part?.toString('base64url') === encoded[index]);
  if (!canonical || parts.length !== 5 || version !== VERSION || !id || !nonce || !tag || !body)
    throw new DecryptionError('malformed', 'the stored secret is not in the format v1.key.nonce.tag.ciphertext');
  if (id !== keyId(key))
    throw new DecryptionError(
      'other_key',
      `the stored secret was encrypted with key ${id}, the key in use is ${keyId(key)}`,
    );
  if (nonce.length !== NONCE_BYTES || tag.length !== TAG_BYTES)
    throw new DecryptionError('malformed', 'the stored secret has a nonce or tag of the wrong length');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, nonce, { authTagLength: TAG_BYTES });
    decipher.setAAD(additionalData(id, boundTo));
    decipher.setAuthTag(tag);
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8');
  } catch {
    throw new DecryptionError('tampered', 'the stored secret was changed, or belongs to another row');
  }
}

/** Where a secret lives: what its ciphertext is bound to. */
export const privateKeyPlace = (subscriptionId: string): string => `subscriptions.ssh_private_key:${subscriptionId}`;

/** The same for a key that several VPSs share. */
export const sharedKeyPlace = (keyId: string): string => `ssh_keys.private_key:${keyId}`;
