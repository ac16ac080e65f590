import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { DecryptionError, decryptToken, encryptToken, keyId, privateKeyPlace } from './encryption.ts';

const key = randomBytes(32);
const place = privateKeyPlace('vps-1');
const codeOf = (open: () => string): string => {
  try {
    return `opened: ${open()}`;
  } catch (error) {
    return error instanceof DecryptionError ? error.code : String(error);
  }
};

describe('a secret at rest', () => {
  it('opens for its own place with its own key', () => {
    expect(decryptToken(encryptToken('geheim ✓', place, key), place, key)).toBe('geheim ✓');
  });

  it('shows neither its text nor, twice, the same ciphertext', () => {
    const [one, two] = [encryptToken('geheim', place, key), encryptToken('geheim', place, key)];
    expect(one).not.toBe(two);
    expect(one).not.toContain('geheim');
    expect(one.split('.')[1]).toBe(keyId(key));
  });

  it('does not open in another row', () => {
    expect(codeOf(() => decryptToken(encryptToken('x', place, key), privateKeyPlace('vps-2'), key))).toBe('tampered');
  });

  it('says so when another key wrote it', () => {
    expect(codeOf(() => decryptToken(encryptToken('x', place, key), place, randomBytes(32)))).toBe('other_key');
  });

  it('does not open after the change of any one character', () => {
    const ciphertext = encryptToken('a private key', place, key);
    for (let index = 0; index < ciphertext.length; index++) {
      const other = ciphertext[index] === 'A' ? 'B' : 'A';
      const changed = ciphertext.slice(0, index) + other + ciphertext.slice(index + 1);
      expect(codeOf(() => decryptToken(changed, place, key))).toMatch(/^(malformed|other_key|tampered)$/);
    }
  });

  it.each(['', 'v1', 'plain text', 'v1.a.b.c.d', 'v2.00000000.AAAA.AAAA.AAAA'])('is not %o', (text) => {
    expect(codeOf(() => decryptToken(text, place, key))).toMatch(/^(malformed|other_key)$/);
  });

  it('uses the key of the environment where none is given', () => {
    process.env.ENCRYPTION_KEY = key.toString('hex');
    expect(decryptToken(encryptToken('x'))).toBe('x');
    expect(decryptToken(encryptToken('x'), '', key)).toBe('x');
    delete process.env.ENCRYPTION_KEY;
  });
});
