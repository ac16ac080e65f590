import { describe, expect, it } from 'vitest';
import { headersOf } from './asking.ts';
import { networkOf } from './network-of.ts';

describe('who asks', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:0:1::7', '2001:db8:0:1::/64'],
    ['2001:DB8:0:1:ffff:1:2:3', '2001:db8:0:1::/64'],
    ['2001:0db8::1', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    [null, 'unknown'],
  ])('%s counts as %s', (address, network) => {
    expect(networkOf(address)).toBe(network);
  });

  it('reaches better-auth with three headers, each in its length', () => {
    const headers = headersOf({ address: '192.0.2.7', userAgent: 'x'.repeat(5_000), cookie: 'a=b' });
    expect([...headers.keys()].toSorted()).toEqual(['cookie', 'user-agent', 'x-wardround-client-address']);
    expect(headers.get('user-agent')).toHaveLength(300);
    expect([...headersOf({ address: null, userAgent: '', cookie: '' }).keys()]).toEqual(['user-agent']);
  });
});
