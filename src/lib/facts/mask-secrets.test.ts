import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maskSecrets, maskSecretsIn } from './mask-secrets.ts';
import { cleanRemoteLines } from './remote-text.ts';

const JOURNAL = '2026-11-24T14:03:07+0000 nordlys rachel8[812]: ';

describe('a secret in the log of a service', () => {
  it.each([
    ['PASSWORD=hunter2', 'PASSWORD=[masked]'],
    ['DB_PASSWORD=hunter2 DB_HOST=10.0.0.1', 'DB_PASSWORD=[masked] DB_HOST=10.0.0.1'],
    ['Environment=API_KEY=abc123 LEVEL=info', 'Environment=API_KEY=[masked] LEVEL=info'],
    ['AWS_SECRET_ACCESS_KEY=wJalr/XUtn+FEMI', 'AWS_SECRET_ACCESS_KEY=[masked]'],
    ['{"user":"ada","password":"hun\'ter 2","port":5432}', '{"user":"ada","password":[masked],"port":5432}'],
    ["config: {'apiKey': 'abc', 'x': 1}", "config: {'apiKey': [masked], 'x': 1}"],
    ['password: hunter2', 'password: [masked]'],
    ['password = "cut off in the mid', 'password = [masked]'],
    ['starting with --db-password=hunter2 -v', 'starting with --db-password=[masked] -v'],
    ['mysqld --password hunter2 --port 3306', 'mysqld --password [masked] --port 3306'],
    ['app --db-password hunter2 --verbose', 'app --db-password [masked] --verbose'],
    ['GET /hook?token=abc&x=1 200', 'GET /hook?token=[masked]&x=1 200'],
    ['https://h.example/?access_token=abc#frag', 'https://h.example/?access_token=[masked]'],
    ['connecting to postgres://app:hunter2@db:5432/x', 'connecting to postgres://app:[masked]@db:5432/x'],
    ['redis://:hunter2@cache', 'redis://:[masked]@cache'],
    ['> Authorization: Bearer abc.def-ghi', '> Authorization: [masked]'],
    ['"authorization": "Basic YWRhOmh1bnRlcjI="', '"authorization": [masked]'],
    ['sending bearer 0123456789abcdef', 'sending bearer [masked]'],
    ['Set-Cookie: sid=abc; HttpOnly', 'Set-Cookie: [masked]'],
    ['pushing with ghp_0123456789abcdefABCD', 'pushing with [masked]'],
    ['key AKIAIOSFODNN7EXAMPLE is used', 'key [masked] is used'],
    ['got eyJhbGciOiJI.eyJzdWIiOiIx.c2ln', 'got [masked]'],
    ['bot 123456789:AAtokenAAtokenAAtokenAAtokenAAtok01', 'bot [masked]'],
  ])('%j is masked', (line, masked) => {
    expect(maskSecretsIn(line)).toBe(masked);
  });

  it.each([
    'Started rachel8.service - Rachel.',
    'Main process exited, code=exited, status=1/FAILURE',
    'InvocationID=5f3c7a1b9d8e4f60a1b2c3d4e5f60718',
    'the password was wrong',
    'Authorized 3 users, author: Ada',
    'listening on http://127.0.0.1:8080/',
    'mail from ada@example.com at 14:03:07',
  ])('%j is none', (line) => {
    expect(maskSecretsIn(line)).toBe(line);
  });

  const body = ['MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7', 'VJTUt9Us8cKjMzEfYyjiWA4R4==', 'ab=='];
  const key = ['-----BEGIN RSA PRIVATE KEY-----', 'Proc-Type: 4,ENCRYPTED', ...body, '-----END RSA PRIVATE KEY-----'];
  const withPrefix = (lines: readonly string[]): string[] => lines.map((line) => JOURNAL + line);
  it.each([
    ['whole', ['before', ...key, 'after it.'], ['before', '[private key, masked]', 'after it.']],
    [
      'whole, in a journal',
      withPrefix(['before', ...key, 'after it.']),
      [`${JOURNAL}before`, `${JOURNAL}[private key, masked]`, `${JOURNAL}after it.`],
    ],
    ['without its end', key.slice(0, -1), ['[private key, masked]']],
    ['without its end, and a line after it', [...key.slice(0, 3), 'went on.'], ['[private key, masked]', 'went on.']],
    ['without its beginning', withPrefix(['a line.', ...key.slice(2)]), [`${JOURNAL}a line.`, '[private key, masked]']],
    [
      'in one line',
      [`KEY='-----BEGIN PRIVATE KEY-----\\nMIIE\\n-----END PRIVATE KEY-----' PORT=1`],
      [`KEY='[private key, masked]' PORT=1`],
    ],
    ['twice', [...key, ...key], ['[private key, masked]', '[private key, masked]']],
  ])('a private key that is %s becomes one line', (_, lines, masked) => {
    expect(maskSecrets(lines)).toEqual(masked);
  });

  it('is masked wherever lines of a host are cleaned, also behind escape sequences', () => {
    const text = `${JOURNAL}PASS\u001b[0mWORD=hunter2\n${withPrefix(key).join('\n')}\nleft`;
    expect(cleanRemoteLines(text, 16_384)).toBe(`${JOURNAL}PASSWORD=[masked]\n${JOURNAL}[private key, masked]\nleft`);
  });

  it('is looked for in linear time, whatever the host writes', () => {
    const pieces = [
      'password',
      'passwordpassword=',
      '--password ',
      '--',
      ':',
      '://',
      '://a:',
      '"',
      "'",
      '=',
      'token',
      'bearer ',
    ].concat([
      'authorization',
      'cookie:',
      'eyJaaaaaaaa.',
      '-----BEGIN ',
      '-----END ',
      'A',
      'a-',
      '1',
      ' ',
      '.',
      'AKIA',
    ]);
    for (const piece of pieces)
      for (const tail of ['', 'x', ' ', '"', '@']) {
        const costOf = (length: number): number => {
          const line = piece.repeat(Math.ceil(length / piece.length)) + tail;
          const beganAt = performance.now();
          maskSecretsIn(line);
          return performance.now() - beganAt;
        };
        // Far longer than a line can be: quadratic work would take a hundred times as long as the allowance.
        expect({ piece, tail, isQuick: Math.min(costOf(200_000), costOf(200_000)) < 500 }).toEqual({
          piece,
          tail,
          isQuick: true,
        });
      }
  });

  it('leaves no word of what it masks', () => {
    const name = fc.constantFrom('PASSWORD', 'db_passwd', 'apiKey', 'x-api-key', 'clientSecret', 'refresh_token');
    const secret = fc.string({ unit: fc.constantFrom(...'abcXYZ019+/.-_$%!'.split('')), minLength: 6, maxLength: 40 });
    fc.assert(
      fc.property(name, fc.constantFrom('=', ': ', '": "'), secret, (word, sign, value) => {
        expect(maskSecretsIn(`at ${word}${sign}${value}`)).not.toContain(value);
      }),
    );
  });
});
