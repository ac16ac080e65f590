import { expect, it } from 'vitest';
import { hostAndPort, shortAddress, withoutBrackets } from './host-words.ts';

it.each([
  ['10.4.1.7', 22, '10.4.1.7:22', '10.4.1.7'],
  ['vps.example', 2222, 'vps.example:2222', 'vps.example:2222'],
  ['2001:db8::7', 22, '[2001:db8::7]:22', '2001:db8::7'],
  ['2001:db8::7', 2222, '[2001:db8::7]:2222', '[2001:db8::7]:2222'],
])('%s port %d is %s, or %s', (host, port, whole, short) => {
  expect([hostAndPort(host, port), shortAddress(host, port)]).toEqual([whole, short]);
});

it.each([
  ['[::1]', '::1'],
  ['[fe80::1%eth0]', 'fe80::1%eth0'],
  ['[::ffff:10.4.1.7]', '::ffff:10.4.1.7'],
  ['::1', '::1'],
  ['[10.4.1.7]', '[10.4.1.7]'],
  ['[host]', '[host]'],
])('%s without brackets is %s', (text, bare) => {
  expect(withoutBrackets(text)).toBe(bare);
});
