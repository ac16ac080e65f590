import ssh2 from 'ssh2';
import { describe, expect, it } from 'vitest';
import { newKeyPair } from '../../../demo/key-pair.ts';
import { inForm, inTerminal } from '../parsing/problems.ts';
import { parseVps, type VpsDescription } from './new-vps.ts';

const login = newKeyPair();
const GOOD: VpsDescription = { customer: 'a@example.test', host: '10.4.1.7', privateKey: login.private };
const problemsOf = (given: Partial<VpsDescription>): readonly string[] => {
  const parsed = parseVps({ ...GOOD, ...given });
  return 'problems' in parsed ? inTerminal(parsed.problems) : [];
};

describe('the description of a VPS', () => {
  it('needs no more than customer, host and key', () => {
    expect(parseVps(GOOD)).toEqual({
      vps: {
        email: 'a@example.test',
        name: null,
        host: '10.4.1.7',
        port: 22,
        user: 'root',
        privateKey: login.private,
        service: null,
        hostKey: null,
        note: null,
      },
    });
  });

  it.each(['10.4.1.7', 'vps-1.example.test', 'localhost', '2001:db8::7', '[2001:db8::7]', 'xn--bcher-kva.example'])(
    'takes %s for a host',
    (host) => {
      expect(problemsOf({ host })).toEqual([]);
    },
  );

  it.each([
    '',
    ' ',
    '10.4.1.999',
    '10.4.1',
    'a b',
    'root@host',
    'host:22',
    'http://host',
    '-oProxyCommand=x',
    'a..b',
    'host\n'.repeat(2),
  ])('refuses %o as a host', (host) => {
    expect(problemsOf({ host })).toHaveLength(1);
  });

  it.each(['0', '65536', '99999', '-1', '22x', '', '1e3'])('refuses %o as a port', (port) => {
    expect(problemsOf({ port })).toEqual([`port is ${JSON.stringify(port)}; allowed: a whole number from 1 to 65535`]);
  });

  it.each([
    ['customer', 'a@b', 'customer is "a@b"; allowed: an e-mail address such as name@example.com'],
    ['name', '\u202eAnna', 'name is "\u202eAnna"; allowed: up to 100 printable characters'],
  ])('refuses as %s what could not sign in, or turns the text around it: %j', (field, value, problem) => {
    expect(problemsOf({ [field]: value })).toEqual([problem]);
  });

  it('names everything that is wrong at once, and never shows the key', () => {
    const problems = problemsOf({
      customer: 'nobody',
      host: '?',
      port: 'x',
      user: 'a b',
      service: 'x;y',
      hostKey: 'no key',
      name: 'a\nb',
      privateKey: 'SECRET',
    });
    expect(problems).toHaveLength(8);
    expect(problems.join('\n')).not.toContain('SECRET');
  });

  it('says in a form what is wrong with a key, and not the key', () => {
    const parsed = parseVps({ ...GOOD, privateKey: login.public, port: 'x' });
    if (!('problems' in parsed)) throw new Error('taken');
    expect(inForm(parsed.problems)).toEqual({
      privateKey:
        'Paste an unencrypted private key in OpenSSH, PEM or PKCS #8 format (ssh-keygen -p removes a passphrase). ' +
        'The private key cannot be used: it is a public key.',
      port: 'Enter a whole number from 1 to 65535.',
    });
  });

  it('keeps the key as every check can read it, however it was pasted', () => {
    const pasted = login.private.replaceAll('\n', ' \r\n   ');
    expect(parseVps({ ...GOOD, privateKey: pasted })).toMatchObject({ vps: { privateKey: login.private } });
  });

  it.each([
    'rachel8',
    'app@1.service',
    String.raw`app@foo\x2dbar.service`,
    String.raw`\x2dodd\x20name.service`,
    'a'.repeat(255),
  ])('takes %s for a unit', (service) => {
    expect(problemsOf({ service })).toEqual([]);
  });

  it.each([
    '',
    '-H evil.example',
    '-Hevil.example',
    '--help',
    'x;y',
    'x y',
    "x'y",
    'x"y',
    'x`y`',
    'x$(y)',
    'x\ny',
    'x/y',
    String.raw`x\y`,
    String.raw`x\x2Dy`,
    String.raw`x\x2`,
    'x\\',
    'x*',
    'a'.repeat(256),
  ])('refuses %o as a unit', (service) => {
    expect(problemsOf({ service })).toHaveLength(1);
  });

  it.each([
    ['a public key', login.public, 'it is a public key'],
    [
      'a key behind a passphrase',
      ssh2.utils.generateKeyPairSync('ed25519', { passphrase: 'x', cipher: 'aes256-cbc', rounds: 16 }).private,
      'it is protected by a passphrase',
    ],
    [
      'no key at all',
      '-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n',
      'it is malformed',
    ],
  ])('refuses %s', (_, privateKey, reason) => {
    expect(problemsOf({ privateKey })[0]).toContain(reason);
  });
});
