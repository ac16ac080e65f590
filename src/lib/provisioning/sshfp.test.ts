import { createHash } from 'node:crypto';
import { createSocket, type Socket } from 'node:dgram';
import dns from 'node:dns';
import { once } from 'node:events';
import dnsPacket, { type DecodedPacket, type SshfpAnswer as Record } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lookUpSshfp } from './sshfp.ts';

const HOST_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHIMYyQWtmNHp6mXmUjm7Gm2hMTkQxyOUPWTAdCqcbvI';
const digestOf = (kind: string): string =>
  createHash(kind)
    .update(Buffer.from(HOST_KEY.split(' ')[1] ?? '', 'base64'))
    .digest('hex');
const SAME = { algorithm: 4, hash: 2, fingerprint: digestOf('sha256') } as const;
const OTHER = { ...SAME, fingerprint: 'ab'.repeat(32) } as const;

let server: Socket;
let asked: DecodedPacket[];
/** What it sends back, any number of packets. */
let answer: (query: DecodedPacket) => readonly Buffer[];
const before = dns.getServers();

/** A name server of our own, which the process is told to ask. */
beforeEach(async () => {
  asked = [];
  server = createSocket('udp4');
  server.on('message', (message, { port, address }) => {
    const query = dnsPacket.decode(message);
    asked.push(query);
    for (const packet of answer(query)) server.send(packet, port, address);
  });
  server.bind(0, '127.0.0.1');
  await once(server, 'listening');
  dns.setServers([`127.0.0.1:${server.address().port}`]);
});
afterEach(async () => {
  dns.setServers(before);
  server.close();
  await once(server, 'close');
});

type Data = Record['data'];
const reply = (
  { id, questions = [] }: DecodedPacket,
  data: readonly Data[],
  more: { id?: number; signed?: boolean } = {},
): Buffer =>
  dnsPacket.encode({
    type: 'response',
    id: more.id ?? id ?? 0,
    flags: more.signed ? dnsPacket.AUTHENTIC_DATA : 0,
    questions,
    answers: data.map((one) => ({ type: 'SSHFP', name: questions[0]?.name ?? '', ttl: 60, data: one })),
  });

describe('what the DNS says of a host key', () => {
  it.each<[string, readonly Data[], boolean, { says: string; signed: boolean }]>([
    ['the same key', [OTHER, SAME], false, { says: 'same', signed: false }],
    ['the same key, and that it was proved', [SAME], true, { says: 'same', signed: true }],
    ['another key', [OTHER], false, { says: 'other', signed: false }],
    ['keys of other types', [{ ...SAME, algorithm: 1 }], true, { says: 'nothing', signed: false }],
    [
      'digests that prove nothing',
      [{ ...SAME, hash: 1, fingerprint: digestOf('sha1') }],
      true,
      { says: 'nothing', signed: false },
    ],
    ['nothing', [], true, { says: 'nothing', signed: false }],
  ])('%s', async (_, data, signed, says) => {
    answer = (query) => [reply(query, data, { signed })];
    expect(await lookUpSshfp('vps.example.', HOST_KEY)).toEqual(says);
    expect(asked.map(({ questions }) => questions)).toEqual([
      [expect.objectContaining({ type: 'SSHFP', name: 'vps.example' })],
    ]);
  });

  it('counts only from an answer to the question that was asked', async () => {
    answer = (query) => [
      Buffer.from('noise'),
      reply(query, [SAME], { id: ((query.id ?? 0) + 1) % 65_536 }),
      reply({ ...query, questions: [{ type: 'SSHFP', name: 'other.example' }] }, [SAME]),
      reply(query, [OTHER]),
    ];
    expect(await lookUpSshfp('vps.example', HOST_KEY)).toEqual({ says: 'other', signed: false });
  });

  it('is nothing where nobody answers, and nothing is asked of an address', async () => {
    answer = () => [];
    expect(await lookUpSshfp('vps.example', HOST_KEY)).toEqual({ says: 'nothing', signed: false });
    expect(asked).toHaveLength(1);
    expect(await lookUpSshfp('192.0.2.1', HOST_KEY)).toEqual({ says: 'nothing', signed: false });
    expect(asked).toHaveLength(1);
  });
});
