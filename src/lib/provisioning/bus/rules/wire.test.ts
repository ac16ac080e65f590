import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ValueWriter, writeMessage, type SentMessage } from '../../../../../demo/bus-message.ts';
import { LONGEST_MESSAGE, writeCall, type BusMessage } from './message.ts';
import { typesOf, type BusValue } from './values.ts';
import { BusWire } from './wire.ts';

/** More of them: `FUZZ_RUNS=1000000 npx vitest run --project unit src/lib/provisioning/bus`. */
const RUNS = Number(process.env.FUZZ_RUNS ?? 1_000);
const numRuns = { numRuns: RUNS, endOnFailure: true };
const PATIENCE_MS = 20_000 + RUNS * 5;

/** As systemd 252 and its dbus-daemon have sent them. */
const CAPTURED = {
  helloAndNameAcquired:
    'bAIBAQkAAAABAAAAPQAAAAYBcwAEAAAAOjEuNQAAAAAFAXUAAQAAAAgBZwABcwAABwFzABQAAABvcmcuZnJlZWRlc2t0b3AuREJ1cwAAAAAEAAAAOjEuNQBsBAEBCQAAAAIAAACNAAAAAQFvABUAAAAvb3JnL2ZyZWVkZXNrdG9wL0RCdXMAAAACAXMAFAAAAG9yZy5mcmVlZGVza3RvcC5EQnVzAAAAAAMBcwAMAAAATmFtZUFjcXVpcmVkAAAAAAYBcwAEAAAAOjEuNQAAAAAIAWcAAXMAAAcBcwAUAAAAb3JnLmZyZWVkZXNrdG9wLkRCdXMAAAAABAAAADoxLjUA',
  loadUnit:
    'bAIBATUAAAB/AAAALQAAAAUBdQACAAAABgFzAAQAAAA6MS41AAAAAAgBZwABbwAABwFzAAQAAAA6MS4wAAAAADAAAAAvb3JnL2ZyZWVkZXNrdG9wL3N5c3RlbWQxL3VuaXQvcmFjaGVsOF8yZXNlcnZpY2UA',
  activeState:
    'bAIBAQ8AAACEAAAALQAAAAUBdQAHAAAABgFzAAQAAAA6MS41AAAAAAgBZwABdgAABwFzAAQAAAA6MS4wAAAAAAFzAAAGAAAAYWN0aXZlAA==',
  subscribed: 'bAIBAQAAAACDAAAAJQAAAAUBdQAGAAAABgFzAAQAAAA6MS41AAAAAAcBcwAEAAAAOjEuMAAAAAA=',
  stopRefused:
    'bAMBASkAAACbAAAAdQAAAAUBdQAJAAAABgFzAAQAAAA6MS41AAAAAAQBcwA7AAAAb3JnLmZyZWVkZXNrdG9wLkRCdXMuRXJyb3IuSW50ZXJhY3RpdmVBdXRob3JpemF0aW9uUmVxdWlyZWQAAAAAAAgBZwABcwAABwFzAAQAAAA6MS4wAAAAACQAAABJbnRlcmFjdGl2ZSBhdXRoZW50aWNhdGlvbiByZXF1aXJlZC4A',
};

const LOGIN = Buffer.from('OK 4925d2db99efef319b5ddee16b078f38\r\n');

/** Past the login. */
function openWire(): BusWire {
  const wire = new BusWire();
  expect(wire.receive(LOGIN)).toEqual({ messages: [], fault: null });
  expect(wire.isLoggedIn).toBe(true);
  return wire;
}

const hear = (bytes: Buffer | string): ReturnType<BusWire['receive']> =>
  openWire().receive(typeof bytes === 'string' ? Buffer.from(bytes, 'base64') : bytes);

/** A message as it is read again. */
const asRead = ({ body = [], ...message }: SentMessage): BusMessage => ({
  ...message,
  body,
});

describe('what systemd sends', () => {
  it.for<[keyof typeof CAPTURED, readonly Partial<BusMessage>[]]>([
    [
      'helloAndNameAcquired',
      [
        { type: 'return', serial: 1, replySerial: 1, sender: 'org.freedesktop.DBus', body: [':1.5'] },
        { type: 'signal', serial: 2, path: '/org/freedesktop/DBus', member: 'NameAcquired', body: [':1.5'] },
      ],
    ],
    [
      'loadUnit',
      [{ type: 'return', replySerial: 2, body: ['/org/freedesktop/systemd1/unit/rachel8_2eservice'], sender: ':1.0' }],
    ],
    ['activeState', [{ type: 'return', signature: 'v', body: [{ signature: 's', value: 'active' }] }]],
    ['subscribed', [{ type: 'return', replySerial: 6, body: [] }]],
    [
      'stopRefused',
      [
        {
          type: 'error',
          errorName: 'org.freedesktop.DBus.Error.InteractiveAuthorizationRequired',
          body: ['Interactive authentication required.'],
        },
      ],
    ],
  ])('is read: %s', ([name, expected]) => {
    const heard = hear(CAPTURED[name]);
    expect(heard.fault).toBeNull();
    expect(heard.messages).toMatchObject(expected);
    expect(heard.messages).toHaveLength(expected.length);
  });

  it.for(Object.values(CAPTURED).slice(1))('is what would be written here, byte for byte', (captured) => {
    const [message] = hear(captured).messages;
    if (message === undefined || message.type === 'unknown') throw new Error('nothing was read');
    // The order of fields in a header is free: the length is not.
    expect(writeMessage({ ...message, type: message.type })).toHaveLength(Buffer.from(captured, 'base64').length);
  });

  it('is read from single bytes as from one piece', () => {
    const wire = new BusWire();
    const all = Buffer.concat([LOGIN, ...Object.values(CAPTURED).map((text) => Buffer.from(text, 'base64'))]);
    const heard = [...all].map((byte) => wire.receive(Buffer.of(byte)));
    expect(heard.flatMap(({ messages }) => messages)).toHaveLength(6);
    expect(heard.every(({ fault }) => fault === null)).toBe(true);
  });
});

describe('the login', () => {
  it.for([
    ['REJECTED EXTERNAL\r\n', /without a name/],
    ['HTTP/1.1 400 Bad Request\r\n', /no bus/],
    ['OK without a line feed alone\n', /no bus/],
    ['bash: systemd-stdio-bridge: command not found\n', /no bus/],
    ['x'.repeat(300), /does not end/],
    ['DATA\r\n', /no bus/],
    ['OK 1\r\nl', /before it was asked/],
  ] as const)('of %j is none', ([said, why]) => {
    const wire = new BusWire();
    expect(wire.receive(Buffer.from(said)).fault).toMatch(why);
    expect(wire.receive(LOGIN)).toMatchObject({ messages: [] });
  });
});

const BASIC: Readonly<Record<string, fc.Arbitrary<BusValue>>> = {
  y: fc.integer({ min: 0, max: 0xff }),
  b: fc.boolean(),
  n: fc.integer({ min: -0x8000, max: 0x7fff }),
  q: fc.integer({ min: 0, max: 0xffff }),
  i: fc.integer(),
  u: fc.integer({ min: 0, max: 0xffff_ffff }),
  x: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  t: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  d: fc.double(),
  s: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  o: fc.array(fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/), { maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
  g: fc.constantFrom('', 's', 'a{sv}', 'a(oss)', '(u(yv))'),
};
type Typed = { readonly signature: string; readonly value: BusValue };

/** Values of any type, inside each other. */
const { typed } = fc.letrec<{ typed: Typed }>((tie) => ({
  typed: fc.oneof(
    { maxDepth: 2, depthSize: 'small' },
    ...Object.entries(BASIC).map(([signature, values]) => values.map((value): Typed => ({ signature, value }))),
    fc.uint8Array({ maxLength: 40 }).map((value): Typed => ({ signature: 'ay', value })),
    tie('typed').map((value): Typed => ({ signature: 'v', value })),
    fc.array(tie('typed'), { minLength: 1, maxLength: 4 }).map((fields): Typed => ({
      signature: `(${fields.map(({ signature }) => signature).join('')})`,
      value: fields.map(({ value }) => value),
    })),
    fc.tuple(tie('typed'), fc.nat(4)).map(([{ signature, value }, count]): Typed =>
      // Bytes are kept as such.
      signature === 'y'
        ? { signature, value }
        : { signature: `a${signature}`, value: Array.from({ length: count }, () => value) },
    ),
    fc
      .array(fc.tuple(BASIC.s as fc.Arbitrary<string>, tie('typed')), { maxLength: 4 })
      .map((entries): Typed => ({ signature: 'a{sv}', value: new Map<BusValue, BusValue>(entries) })),
  ),
}));

const name = fc.stringMatching(/^[A-Za-z][A-Za-z0-9_.]{0,20}$/);
const serial = fc.integer({ min: 1, max: 0xffff_ffff });
const message: fc.Arbitrary<SentMessage> = fc
  .record({
    type: fc.constantFrom('call', 'return', 'error', 'signal'),
    serial,
    path: BASIC.o as fc.Arbitrary<string>,
    interface: name,
    member: name,
    errorName: name,
    replySerial: serial,
    sender: name,
    values: fc.array(typed, { minLength: 1, maxLength: 4 }),
  })
  .map(({ values, ...fields }): SentMessage => ({
    ...fields,
    signature: values.map(({ signature }) => signature).join(''),
    body: values.map(({ value }) => value),
  }))
  .filter(({ signature = '' }) => isSignature(signature));

function isSignature(text: string): boolean {
  try {
    return typesOf(text).length > 0;
  } catch {
    return false;
  }
}

/** Cuts bytes at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [0, ...places.map((place) => place % bytes.length).sort((a, b) => a - b), bytes.length];
  return at.slice(1).map((end, index) => bytes.subarray(at[index], end));
}

describe('a call', () => {
  it('is written as any bus reads it', () => {
    const text = fc.string({ unit: 'grapheme', maxLength: 40 }).filter((one) => !one.includes('\0'));
    const call = fc.record({
      destination: name,
      path: BASIC.o as fc.Arbitrary<string>,
      interface: name,
      member: name,
      body: fc.array(text, { maxLength: 3 }),
    });
    fc.assert(
      fc.property(call, serial, (one, number) => {
        const signature = 's'.repeat(one.body.length);
        expect(writeCall(number, one)).toEqual(writeMessage({ ...one, type: 'call', serial: number, signature }));
      }),
      { numRuns: 300 },
    );
  });

  it.for(['a\0b', '\ud800'])('is not written where the bus could not carry it: %j', (text) => {
    const call = { destination: 'a.b', path: '/', interface: 'a.b', member: 'C', body: [text] };
    expect(() => writeCall(1, call)).toThrow(TypeError);
  });
});

describe('any message', () => {
  it('comes out as it went in, in both byte orders and wherever it is cut', { timeout: PATIENCE_MS }, () => {
    fc.assert(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 3 }),
        fc.boolean(),
        fc.array(fc.nat()),
        (sent, isLittle, places) => {
          const wire = openWire();
          const pieces = cut(Buffer.concat(sent.map((one) => writeMessage(one, isLittle))), places);
          const heard = pieces.map((piece) => wire.receive(piece));
          expect(heard.map(({ fault }) => fault).find(Boolean) ?? null).toBeNull();
          expect(heard.flatMap(({ messages }) => messages)).toEqual(sent.map(asRead));
        },
      ),
      numRuns,
    );
  });

  it('ends in a message or a fault after any damage, and never throws', { timeout: PATIENCE_MS }, () => {
    const damage = fc.record({
      at: fc.nat(),
      // Single bits, extreme lengths, anything.
      write: fc.oneof<fc.Arbitrary<number[]>[]>(
        fc.nat(7).map((bit) => [1 << bit]),
        fc.constantFrom<number[][]>([255, 255, 255, 255], [255, 255, 255, 127], [0, 0, 1, 0], [0, 0, 0, 0]),
        fc.array(fc.nat(255), { minLength: 1, maxLength: 8 }),
      ),
      flips: fc.boolean(),
    });
    fc.assert(
      fc.property(
        message,
        fc.boolean(),
        fc.array(damage, { minLength: 1, maxLength: 3 }),
        fc.nat(),
        (sent, isLittle, all, end) => {
          const bytes = writeMessage(sent, isLittle);
          for (const { at, write, flips } of all)
            write.forEach((byte, index) => {
              const place = (at + index) % bytes.length;
              bytes[place] = flips ? (bytes[place] ?? 0) ^ byte : byte;
            });
          const wire = openWire();
          const heard = [
            wire.receive(bytes.subarray(0, end % (bytes.length + 1))),
            wire.receive(bytes),
            wire.receive(bytes),
          ];
          const faultAt = heard.findIndex(({ fault }) => fault !== null);
          // After the first fault, nothing is heard.
          if (faultAt >= 0) expect(heard.slice(faultAt + 1).every(({ messages }) => messages.length === 0)).toBe(true);
        },
      ),
      numRuns,
    );
  });

  it('is none where it is mere noise', { timeout: PATIENCE_MS }, () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 16, maxLength: 400 }), fc.boolean(), (noise, isLittle) => {
        const bytes = Buffer.from(noise);
        // Or else the first byte would be the end of nearly all.
        bytes.set([isLittle ? 0x6c : 0x42, (bytes[1] ?? 0) % 6, 0, 1]);
        new BusWire().receive(bytes);
        openWire().receive(bytes);
      }),
      numRuns,
    );
  });
});

/** A signal whose values are written by hand. */
function handmade(signature: string, body: Buffer, length?: number): Buffer {
  const written = new ValueWriter().write('yyyyuua(yv)', [
    0x6c,
    4,
    0,
    1,
    length ?? body.length,
    7,
    [
      [1, { signature: 'o', value: '/a' }],
      [2, { signature: 's', value: 'a.b' }],
      [3, { signature: 's', value: 'C' }],
      [8, { signature: 'g', value: signature }],
    ],
  ]);
  written.align(8);
  return Buffer.concat([written.toBuffer(), body]);
}

const u32 = (...values: number[]): Buffer =>
  Buffer.concat(values.map((value) => new ValueWriter().write('u', [value]).toBuffer()));

describe('a message that lies', () => {
  it.for<[string, Buffer, RegExp]>([
    ['claims a text of 4 GiB', handmade('s', u32(0xffff_ffff, 0)), /beyond its message/],
    ['claims an array of 4 GiB', handmade('as', u32(0xffff_ffff, 0)), /beyond its message/],
    ['claims an array that ends inside its last value', handmade('au', u32(6, 1, 2)), /beyond its message/],
    ['has bytes that no type speaks for', handmade('u', u32(1, 2)), /more bytes/],
    ['has a truth value of 2', handmade('b', u32(2)), /truth/],
    ['has a text without an end', handmade('s', Buffer.concat([u32(1), Buffer.from('ab')])), /without its end/],
    [
      'has a text with an end inside',
      handmade('s', Buffer.concat([u32(3), Buffer.from('a\0b\0')])),
      /a text that is none/,
    ],
    [
      'has a text that is no UTF-8',
      handmade('s', Buffer.concat([u32(2), Buffer.of(0xc3, 0x28, 0)])),
      /a text that is none/,
    ],
    ['has a path with a quote', handmade('o', Buffer.concat([u32(2), Buffer.from("/'\0")])), /path/],
    ['pads with what is no zero', handmade('yu', Buffer.of(1, 9, 9, 9, 1, 0, 0, 0)), /padding/],
    ['brings a file', handmade('h', u32(0)), /signature/],
    ['has a signature that does not close', handmade('(u', u32(0)), /signature/],
    ['has an empty struct', handmade('a()', u32(0)), /signature/],
    ['has a dictionary of dictionaries', handmade('a{a{sv}s}', u32(0)), /signature/],
    ['nests arrays in its signature', handmade(`${'a'.repeat(200)}u`, u32(0)), /signature/],
    [
      'nests variants in each other',
      handmade('v', Buffer.from(`${'\u0001v\0'.repeat(200)}\u0001y\0\0`)),
      /nested too deeply/,
    ],
    ['claims a body of 4 GiB', handmade('u', u32(1), 0xffff_fff0), /more than 64 KiB/],
    [
      'has more values than any',
      handmade('ayaq', Buffer.concat([u32(0, 60_000), Buffer.alloc(60_000)])),
      /more than 1024 values/,
    ],
  ])('is told: it %s', ([, bytes, why]) => {
    expect(hear(bytes).fault).toMatch(why);
  });

  it('is told: it has more signatures than any', () => {
    const signatures = Array.from({ length: 100 }, () => '((((((((((y))))))))))');
    const written = new ValueWriter().write('ag', [signatures]).toBuffer();
    expect(hear(handmade('ag', written)).fault).toMatch(/more than 1024 values/);
  });

  it('keeps as little as has come of a message that claims to be long', () => {
    const claims = handmade('ay', Buffer.alloc(0), LONGEST_MESSAGE - 200);
    const before = process.memoryUsage().arrayBuffers;
    const wires = Array.from({ length: 1_000 }, () => {
      const wire = openWire();
      wire.receive(claims);
      return wire;
    });
    expect(wires.every((wire) => wire.receive(Buffer.alloc(0)).fault === null)).toBe(true);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(1_000 * 8 * 1024);
  });
});
