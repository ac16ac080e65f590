import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { fingerprint, parseHostKey, pinnedFirst, PREFERRED_ALGORITHMS } from './host-key.ts';

// ssh-keygen -l says of it: 256 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU (ED25519). Source: GitHub's published keys.
const ED25519 = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl';

describe('host keys', () => {
  it('have the fingerprint that ssh-keygen shows', () => {
    expect(fingerprint(ED25519)).toBe('SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU');
  });

  it.each([ED25519, `${ED25519} a comment`, `github.com,1.2.3.4 ${ED25519}`, `  [10.0.0.1]:2222 ${ED25519}\n`])(
    'are read from %o',
    (line) => {
      expect(parseHostKey(line)).toBe(ED25519);
    },
  );

  it.each([
    '',
    'ssh-ed25519',
    'ssh-ed25519 AAAA',
    'AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnk',
    ED25519.replace('ssh-ed25519', 'ssh-rsa'),
  ])('are not read from %o', (line) => {
    expect(parseHostKey(line)).toBeNull();
  });

  it('are asked for by the type of the pinned one first, RSA with SHA-2 only', () => {
    const rsa = parseHostKey(ssh2.utils.generateKeyPairSync('rsa', { bits: 2048 }).public) ?? '';
    const ecdsa = parseHostKey(ssh2.utils.generateKeyPairSync('ecdsa', { bits: 384 }).public) ?? '';
    expect(pinnedFirst(rsa).slice(0, 3)).toEqual(['rsa-sha2-512', 'rsa-sha2-256', 'ssh-ed25519']);
    expect(pinnedFirst(ecdsa).slice(0, 2)).toEqual(['ecdsa-sha2-nistp384', 'ssh-ed25519']);
    for (const pinned of [rsa, ecdsa, ED25519])
      expect(pinnedFirst(pinned).toSorted()).toEqual(PREFERRED_ALGORITHMS.toSorted());
  });
});
