import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parsePrivateKey, tidyPrivateKey } from './private-key.ts';

const folder = mkdtempSync(join(tmpdir(), 'wardround-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));
const openssl = (...args: string[]): string => execFileSync('openssl', args, { encoding: 'utf8', stdio: 'pipe' });
const sshKeygen = (...args: string[]): string => {
  const file = join(folder, `key-${Math.random()}`);
  execFileSync('ssh-keygen', ['-q', ...args, '-C', '', '-f', file], { stdio: 'pipe' });
  return readFileSync(file, 'utf8');
};

const OPENSSH = sshKeygen('-t', 'ed25519', '-N', '');
const PKCS8 = openssl('genpkey', '-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048');
const curve = (name: string): string => openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${name}`);

/** The public key, as ssh-keygen reads it from the same text. */
function publicKeyOf(text: string): string {
  const file = join(folder, `public-${Math.random()}`);
  execFileSync('sh', ['-c', 'umask 077; cat >"$0"', file], { input: text });
  return execFileSync('ssh-keygen', ['-y', '-f', file], { encoding: 'utf8' }).split(' ').slice(0, 2).join(' ').trim();
}
const shown = (text: string): string => {
  const key = parsePrivateKey(text);
  return `${key.type} ${key.getPublicSSH().toString('base64')}`;
};

describe('a private key is taken', () => {
  it.each([
    ['as ssh-keygen writes it', OPENSSH],
    ['as ssh-keygen -m PEM writes it', sshKeygen('-t', 'rsa', '-b', '2048', '-m', 'PEM', '-N', '')],
    ['as ssh-keygen -m PKCS8 writes it', sshKeygen('-t', 'rsa', '-b', '2048', '-m', 'PKCS8', '-N', '')],
    ['as openssl genrsa writes it', openssl('genrsa', '2048')],
    ['as openssl genpkey writes it', PKCS8],
    ['as openssl genpkey writes an ed25519 key', openssl('genpkey', '-algorithm', 'ED25519')],
    ['as openssl genpkey writes an ECDSA key', curve('P-256')],
    ['on a larger curve', curve('P-521')],
    ['with the parameters of its curve before it', openssl('ecparam', '-name', 'prime256v1', '-genkey')],
  ])('%s', (_, text) => {
    const key = parsePrivateKey(text);
    const signature = key.sign(Buffer.from('this'));
    expect(key.verify(Buffer.from('this'), signature)).toBe(true);
    expect(key.verify(Buffer.from('that'), signature)).toBe(false);
    // What ssh-keygen itself cannot read is compared in the form that it can.
    expect(shown(text)).toBe(publicKeyOf(tidyPrivateKey(text)));
  });

  const lines = (text: string, change: (line: string) => string): string => text.split('\n').map(change).join('\n');
  it.each([
    ['whose lines are indented', (text: string) => lines(text, (line) => `    ${line}`)],
    ['whose lines are indented with tabs', (text: string) => lines(text, (line) => `\t${line}`)],
    ['whose lines end in spaces', (text: string) => lines(text, (line) => `${line}  `)],
    ['whose lines end in CRLF', (text: string) => lines(text, (line) => `${line}\r`)],
    ['whose lines end in CR', (text: string) => text.replaceAll('\n', '\r')],
    ['with CRLF in the middle only', (text: string) => text.replace(/\n(?=[^-]*$)/, '\r\n')],
    ['with empty lines in it', (text: string) => text.replaceAll('\n', '\n\n')],
    ['without an end of its last line', (text: string) => text.trimEnd()],
    ['after a byte order mark', (text: string) => `\ufeff${text}`],
    ['between other text', (text: string) => `Bag Attributes\n    friendlyName: x\n${text}\nthe end\n`],
  ])('%s', (_, change) => {
    for (const text of [OPENSSH, PKCS8]) expect(shown(change(text))).toBe(shown(text));
  });
});

describe('a private key is refused with its reason', () => {
  const sealed = ['-aes-128-cbc', '-pass', 'pass:secret'];
  it.each([
    ['sealed by ssh-keygen', sshKeygen('-t', 'ed25519', '-N', 'secret'), /protected by a passphrase/],
    ['sealed by ssh-keygen -m PEM', sshKeygen('-t', 'rsa', '-m', 'PEM', '-N', 'secret'), /protected by a passphrase/],
    [
      'sealed by ssh-keygen -m PKCS8',
      sshKeygen('-t', 'rsa', '-m', 'PKCS8', '-N', 'secret'),
      /protected by a passphrase/,
    ],
    ['sealed by openssl', openssl('genpkey', '-algorithm', 'ED25519', ...sealed), /protected by a passphrase/],
    ['public', execFileSync('openssl', ['pkey', '-pubout'], { input: PKCS8, encoding: 'utf8' }), /it is a public key/],
    ['of a kind that SSH does not know', openssl('genpkey', '-algorithm', 'ED448'), /no keys of the kind ed448/],
    ['on a curve that SSH does not know', curve('secp256k1'), /malformed/],
    ['cut short', PKCS8.slice(0, 400), /malformed/],
    ['with other text in it', PKCS8.replace('\n', '\nwhatever this is\n'), /malformed/],
    ['that is base64 and nothing else', '-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----', /malformed/],
    ['that is nothing', '', /malformed/],
  ])('%s', (_, text, reason) => {
    expect(() => parsePrivateKey(text)).toThrow(reason);
    expect(() => parsePrivateKey(text.replaceAll('\n', '\r\n'))).toThrow(reason);
  });

  it('at once, also where the patterns of ssh2 would never end', () => {
    const text = `-----BEGIN RSA PRIVATE KEY-----\n${'a: b\n'.repeat(10_000)}-----END RSA PRIVATE KEY-----\n`;
    const startedAt = performance.now();
    expect(() => parsePrivateKey(text)).toThrow(/malformed/);
    expect(performance.now() - startedAt).toBeLessThan(1_000);
  });
});
