import { describe, expect, it } from 'vitest';
import { isPublicAddress, kindOfAddress, refusalOf, refusalOfAll, type AddressKind } from './address-reach.ts';

const KINDS: Readonly<Record<AddressKind, readonly string[]>> = {
  public: ['8.8.8.8', '1.1.1.1', '::ffff:8.8.8.8', '2001:4860:4860::8888', '2A00:1450::1', '64:ff9b::808:808'],
  private: [
    '10.1.2.3',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '::ffff:10.0.0.1',
    'fc00::1',
  ].concat([
    'fd00::1',
    'fd12:3456::1%eth0',
    'fec0::1',
    '64:ff9b::a01:203',
    '64:ff9b:1::a00:1',
    '::a00:1',
    '2002:a00:1::',
  ]),
  reserved: [
    '192.0.0.1',
    '192.0.2.1',
    '198.18.0.1',
    '198.51.100.7',
    '203.0.113.7',
    '240.0.0.1',
    '2001:db8::1',
    '100::1',
  ].concat([
    '3fff::1',
    '4000::1',
    '2002:808:808::',
    '2001:0:808:808:8000:ffff:f7f7:f7f7',
    '::808:808',
    '::ffff:0:8.8.8.8',
  ]),
  loopback: [
    '127.0.0.1',
    '127.255.255.254',
    '::1',
    '0:0:0:0:0:0:0:1',
    '::1%lo',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '::7f00:1',
  ].concat([
    '::ffff:0:127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::127.0.0.1',
    '2002:7f00:1::',
    '2001:0:1:1:0:0:80ff:fffe',
  ]),
  link_local: ['169.254.0.1', 'fe80::1', 'FE80::1%eth0', 'febf::1', '::ffff:169.254.1.1', '64:ff9b::a9fe:101'],
  metadata: [
    '169.254.169.254',
    '169.254.170.2',
    '::ffff:169.254.169.254',
    '100.100.100.200',
    '168.63.129.16',
    '192.0.0.192',
  ].concat(['fd00:ec2::254', 'fd00:0ec2:0:0:0:0:0:0254', 'fd20:ce::254', '64:ff9b::a9fe:a9fe', '2002:a9fe:a9fe::']),
  unspecified: ['0.0.0.0', '0.1.2.3', '::', '0::0', '::ffff:0.0.0.0', '::ffff:0:0', '64:ff9b::'],
  multicast: ['224.0.0.1', '239.255.255.255', '255.255.255.255', 'ff02::1', 'ff05::2%eth0', '::ffff:224.0.0.1'],
};

describe('an address', () => {
  it.each(Object.entries(KINDS).flatMap(([kind, all]) => all.map((address) => [address, kind])))(
    '%s is %s',
    (address, kind) => {
      expect(kindOfAddress(address)).toBe(kind);
      expect(isPublicAddress(address)).toBe(kind === 'public');
    },
  );

  it.each(['', 'no address', '127.1', '0x7f.1', '0177.0.0.1', '2130706433', '127.0.0.1.', '1.2.3', '::g', '%eth0'])(
    '%j is none, and nothing connects to it',
    (text) => {
      expect(kindOfAddress(text)).toBeNull();
      expect(refusalOf(text, 'any')).toBe('what it leads to is no address');
    },
  );

  it.each([
    ['8.8.8.8', [true, true, true]],
    ['10.0.0.1', [false, true, true]],
    ['192.0.2.1', [false, true, true]],
    ['127.0.0.1', [false, false, true]],
    ['169.254.169.254', [false, false, true]],
    ['0.0.0.0', [false, false, true]],
  ])('%s may be dialled: with public, private, any %j', (address, allowed) => {
    const judged = (['public', 'private', 'any'] as const).map((reach) => refusalOf(address, reach) === null);
    expect(judged).toEqual(allowed);
  });
});

it('that may not be dialled refuses all that a name leads to, and is named', () => {
  expect(refusalOfAll(['8.8.8.8', '::1'], 'private')).toBe('::1 is an address of this machine itself (loopback)');
  expect(refusalOfAll(['8.8.8.8', '10.0.0.1'], 'public')).toBe('10.0.0.1 is an address of a private network');
  expect(refusalOfAll(['8.8.8.8', '10.0.0.1'], 'private')).toBeNull();
});
