import { describe, expect, it } from 'vitest';
import {
  certificateBody,
  certificateInLine,
  MalformedCertificate,
  readCertificate,
  sealedCertificate,
  sshString,
  uint32,
  type CertificateFields,
} from './certificate.ts';

const FIELDS: CertificateFields = {
  nonce: Buffer.alloc(32, 1),
  key: Buffer.alloc(32, 2),
  serial: 0xffff_ffff_ffff_fffen,
  keyId: 'wardround vps-1',
  principals: ['wardround-vps-1', 'ünïcode'],
  validAfter: 1_700_000_000,
  validBefore: 1_700_000_180,
  forceCommand: "case $SSH_ORIGINAL_COMMAND in 'a') eval;; esac",
  sourceAddress: '203.0.113.9/32,2001:db8::/64',
  authority: Buffer.alloc(32, 3),
};
const made = (given: Partial<CertificateFields> = {}): Buffer =>
  sealedCertificate(certificateBody({ ...FIELDS, ...given }), Buffer.alloc(64, 4));

describe('a certificate', () => {
  it.each<Partial<CertificateFields>>([
    {},
    { forceCommand: null },
    { sourceAddress: null },
    { forceCommand: null, sourceAddress: null, principals: [] },
    { serial: 0n, validAfter: 0, validBefore: 4_102_444_800 },
  ])('says again what it was made of: %o', (given) => {
    expect(readCertificate(made(given))).toMatchObject({ ...FIELDS, ...given, extensions: [], otherOptions: [] });
  });

  it('that is cut off anywhere, or goes on after its end, is malformed', () => {
    const whole = made();
    for (let length = 0; length < whole.length; length++)
      expect(() => readCertificate(whole.subarray(0, length))).toThrow(MalformedCertificate);
    expect(() => readCertificate(Buffer.concat([whole, Buffer.alloc(1)]))).toThrow(MalformedCertificate);
  });

  it('with any byte changed is read or malformed, and nothing else', () => {
    const whole = made();
    for (let at = 0; at < whole.length; at++)
      for (const change of [1, 0x80, 0xff]) {
        const other = Buffer.from(whole);
        other[at] = (other[at] ?? 0) ^ change;
        try {
          readCertificate(other);
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedCertificate);
        }
      }
  });

  it.each([
    ['of another type', Buffer.concat([sshString('ssh-rsa-cert-v01@openssh.com'), Buffer.alloc(100)]), /another type/],
    ['too long', Buffer.alloc(32 * 1024 + 1), /32769 bytes/],
    ['with a length of four gigabytes', uint32(0xffff_ffff), /cut off/],
    ['that lists too much', made({ principals: Array.from({ length: 33 }, String) }), /more than 32/],
  ])('%s is refused', (_, blob, why) => {
    expect(() => readCertificate(blob)).toThrow(why);
  });

  it.each(['', 'ssh-ed25519 AAAA', 'ssh-ed25519-cert-v01@openssh.com', 'ssh-ed25519-cert-v01@openssh.com ?'])(
    'is no line such as %j',
    (line) => {
      expect(() => certificateInLine(line)).toThrow(MalformedCertificate);
    },
  );
});
