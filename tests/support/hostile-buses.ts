import { writeMessage, type SentMessage } from '../../demo/bus-message.ts';
import type { BusCaller } from './bus-peer.ts';

type HostileBus = { readonly onBus: (bus: BusCaller) => void; readonly ends: RegExp };

const signal = (fields: Pick<SentMessage, 'signature' | 'body'>): Buffer =>
  writeMessage({ type: 'signal', serial: 1, path: '/a', interface: 'a.b', member: 'C', sender: ':1.0', ...fields });

/** Instead of an answer to any look, the same again and again, as fast as it is taken. */
const pours = (bytes: Buffer, ends: RegExp): HostileBus => ({
  onBus: (bus) => {
    bus.ignores.add('Get');
    const pour = (): void => {
      for (let sent = 0; sent < 64 && bus.channel.writable && !bus.channel.writableNeedDrain; sent += 1)
        bus.pour(bytes);
      if (bus.channel.writable) setImmediate(pour);
    };
    pour();
  },
  ends,
});

const TOO_MUCH = /^protocol: .*(?:more than 256 KiB|busy without end)/;
const list = (signature: string, value: string, count: number): Buffer =>
  signal({ signature, body: [Array.from({ length: count }, () => value)] });

/** Buses that answer nothing and keep their caller busy, and how each of them ends. */
export const hostileBuses = {
  'tells the smallest of news without end': pours(signal({ signature: 'y', body: [1] }), TOO_MUCH),
  'sends as many values in a message as it may': pours(list('as', '', 1_000), TOO_MUCH),
  'sends as many signatures in a message as it may': pours(list('ag', '(((((((((((((((y)))))))))))))))', 30), TOO_MUCH),
  'sends one long text after the other': pours(list('as', '\ufffd'.repeat(20_000), 1), TOO_MUCH),
  'sends a byte at a time': pours(Buffer.of(0x6c), /^protocol: /),
  'nests variants in each other': pours(
    Buffer.concat([
      signal({ signature: 'v', body: [{ signature: 'y', value: 1 }] }).subarray(0, -4),
      Buffer.from('\u0001v\0'.repeat(20)),
    ]),
    /^protocol: .*(?:signature|variant|nested|beyond|padding)/,
  ),
} satisfies Record<string, HostileBus>;
