import ipaddr from 'ipaddr.js';

/**
 * How far connections may reach: to the internet; also into private networks, where fleets live; or anywhere, this machine
 * and what it is attached to included. Each allows what those before it allow.
 */
export const REACHES = ['public', 'private', 'any'] as const;
export type Reach = (typeof REACHES)[number];

/** What an address is, the reach that it takes, and how that is said. */
const KINDS = {
  public: { needs: 'public', words: 'on the internet' },
  private: { needs: 'private', words: 'of a private network' },
  reserved: { needs: 'private', words: 'set aside for documents, tests or tunnels' },
  loopback: { needs: 'any', words: 'of this machine itself (loopback)' },
  link_local: { needs: 'any', words: 'of the wire this machine is attached to (link-local)' },
  metadata: { needs: 'any', words: 'where clouds keep the secrets of their machines (metadata)' },
  unspecified: { needs: 'any', words: 'none of a machine (unspecified)' },
  multicast: { needs: 'any', words: 'of many machines at once (multicast or broadcast)' },
} as const satisfies Readonly<Record<string, { readonly needs: Reach; readonly words: string }>>;
export type AddressKind = keyof typeof KINDS;

/** Of the names that ipaddr.js has for ranges (IANA's registries of special-purpose addresses); any other is `reserved`. */
const RANGES: Readonly<Record<string, AddressKind>> = {
  unicast: 'public',
  private: 'private',
  carrierGradeNat: 'private',
  uniqueLocal: 'private',
  deprecatedSiteLocal: 'private',
  loopback: 'loopback',
  linkLocal: 'link_local',
  unspecified: 'unspecified',
  multicast: 'multicast',
  broadcast: 'multicast',
};

/**
 * Where clouds answer with credentials, and that are not link-local: Alibaba, Oracle, Azure, AWS (instances, containers),
 * Google, Scaleway.
 */
const METADATA = ['100.100.100.200', '192.0.0.192', '168.63.129.16', 'fd00:ec2::254', 'fd00:ec2::23', 'fd20:ce::254'];
const METADATA_NETS = ['169.254.169.254/32', '169.254.170.2/32', '169.254.42.42/32', 'fd00:42::42/128'];

/** All that IANA has given out as global unicast (RFC 4291, section 2.4). */
const GLOBAL_V6 = ipaddr.parseCIDR('2000::/3');

/** Where an IPv4 address stands within one of IPv6: byte and count from there, and what its bits are turned by. */
const EMBEDDINGS: readonly { readonly net: string; readonly at: number; readonly mask?: number }[] = [
  // Compatible (RFC 4291, 2.5.5.1), SIIT (RFC 6145), NAT64 (RFC 6052, and its local prefix of RFC 8215).
  { net: '::/96', at: 12 },
  { net: '::ffff:0:0:0/96', at: 12 },
  { net: '64:ff9b::/96', at: 12 },
  { net: '64:ff9b:1::/48', at: 12 },
  // 6to4 (RFC 3056); Teredo (RFC 4380) keeps it with its bits turned.
  { net: '2002::/16', at: 2 },
  { net: '2001::/32', at: 12, mask: 0xff },
];

/**
 * What an address is; null for text that is none. Only the spellings of inet_pton(3) are addresses here: whatever else a
 * resolver makes one of (`127.1`, `0x7f000001`, `2130706433`) is a name until it has been looked up.
 */
export function kindOfAddress(address: string): AddressKind | null {
  // A zone says which wire, and not where.
  const [bare = ''] = address.split('%');
  if (!ipaddr.IPv4.isValidFourPartDecimal(bare) && !ipaddr.IPv6.isValid(bare)) return null;
  const parsed = ipaddr.process(bare);
  if (isMetadata(parsed)) return 'metadata';
  const own = RANGES[parsed.range()] ?? 'reserved';
  if (parsed instanceof ipaddr.IPv4) return own;
  const inner = embedded(parsed);
  const outer = own === 'public' && !parsed.match(GLOBAL_V6) ? 'reserved' : own;
  if (inner === null) return outer;
  // NAT64 is the internet for a network without IPv4; other ways to write or to wrap an address get nobody there.
  const kind = kindOfAddress(inner);
  return kind === 'public' && !parsed.match(ipaddr.parseCIDR('64:ff9b::/96')) ? 'reserved' : kind;
}

const isMetadata = (address: ipaddr.IPv4 | ipaddr.IPv6): boolean =>
  METADATA.includes(address.toString()) || METADATA_NETS.some((net) => isWithin(address, net));

function isWithin(address: ipaddr.IPv4 | ipaddr.IPv6, net: string): boolean {
  const [base, bits] = ipaddr.parseCIDR(net);
  return base.kind() === address.kind() && address.match(base, bits);
}

function embedded(address: ipaddr.IPv6): string | null {
  // `::` and `::1` are what they are.
  if (['unspecified', 'loopback'].includes(address.range())) return null;
  const found = EMBEDDINGS.find(({ net }) => isWithin(address, net));
  if (found === undefined) return null;
  const { at, mask = 0 } = found;
  return address
    .toByteArray()
    .slice(at, at + 4)
    .map((byte) => byte ^ mask)
    .join('.');
}

/** Whether an address is one on the internet. */
export const isPublicAddress = (address: string): boolean => kindOfAddress(address) === 'public';

/** Whether an address is this machine's own (RFC 1122, 3.2.1.3; RFC 4291, 2.5.3), however it is written. */
export const isLoopbackAddress = (address: string): boolean => kindOfAddress(address) === 'loopback';

/** Why nothing may connect to this address, as a sentence without its full stop; null where it may. */
export function refusalOf(address: string, reach: Reach): string | null {
  const kind = kindOfAddress(address);
  if (kind === null) return 'what it leads to is no address';
  const { needs, words } = KINDS[kind];
  return REACHES.indexOf(needs) <= REACHES.indexOf(reach) ? null : `${address} is an address ${words}`;
}

/** The same for all that a name leads to: one that may not be dialled is enough, as nobody knows which one is meant. */
export const refusalOfAll = (addresses: readonly string[], reach: Reach): string | null =>
  addresses.map((address) => refusalOf(address, reach)).find((refusal) => refusal !== null) ?? null;
