import type { Algorithms } from 'ssh2';

/**
 * What is offered to a host, the best first: what ssh2 offers by itself, without what lets a host keep this process busy.
 * Named here, so that another version of ssh2 adds nothing.
 */
export const ALGORITHMS = {
  // No group exchange: there the host sends the prime, and testing one of 10,000 bits for it takes minutes. No groups 15
  // to 18: of those 3,072 to 8,192 bits each exchange costs up to 0.1 s, before anybody has logged in.
  kex: [
    'curve25519-sha256',
    'curve25519-sha256@libssh.org',
    'ecdh-sha2-nistp256',
    'ecdh-sha2-nistp384',
    'ecdh-sha2-nistp521',
    'diffie-hellman-group14-sha256',
  ],
  cipher: [
    'aes128-gcm@openssh.com',
    'aes256-gcm@openssh.com',
    'aes128-ctr',
    'aes192-ctr',
    'aes256-ctr',
    'chacha20-poly1305@openssh.com',
  ],
  hmac: [
    'hmac-sha2-256-etm@openssh.com',
    'hmac-sha2-512-etm@openssh.com',
    'hmac-sha1-etm@openssh.com',
    'hmac-sha2-256',
    'hmac-sha2-512',
    'hmac-sha1',
  ],
  // 410 KB of compressed nothing become 432 MB.
  compress: ['none'],
} satisfies Algorithms;
