import { hkdfSync } from 'node:crypto';

/**
 * A secret for one purpose, made of the encryption key (HKDF, RFC 5869) as 64 characters of hex: another purpose gives
 * another secret, and none of them leads back to the key.
 */
export const derivedSecret = (encryptionKey: Buffer, purpose: string): string =>
  Buffer.from(hkdfSync('sha256', encryptionKey, '', `wardround ${purpose}`, 32)).toString('hex');
