import { isVariant, Malformed, ValueReader, type BusValue } from './values.ts';

/** Source: D-Bus specification, message format. */
export const TYPES = ['call', 'return', 'error', 'signal'] as const;
const LITTLE = 0x6c;
const BIG = 0x42;
/** Enough to tell how long a message is. */
export const HEADER_BYTES = 16;
/** What is sent to us at most, all told: a service described in full is some 30 KiB. */
export const LONGEST_MESSAGE = 64 * 1024;
const LONGEST_NAME = 255;

/** What stands at the head of a message, by number from 1 on, and the type of each. Source: as above, header fields. */
export const FIELDS = [
  'path',
  'interface',
  'member',
  'errorName',
  'replySerial',
  'destination',
  'sender',
  'signature',
] as const;
export const FIELD_TYPES = 'osssussg';
type Field = (typeof FIELDS)[number];
export type BusFields = { readonly [Name in Field]?: Name extends 'replySerial' ? number : string };
const UNIX_FDS = 9;

/** Without these, a message of its type says nothing. */
const REQUIRED: Readonly<Record<BusMessage['type'], readonly Field[]>> = {
  call: ['path', 'member'],
  return: ['replySerial'],
  error: ['errorName', 'replySerial'],
  signal: ['path', 'interface', 'member'],
  unknown: [],
};

export type BusMessage = BusFields & {
  /** `unknown`: to be passed over, says the specification. */
  readonly type: (typeof TYPES)[number] | 'unknown';
  readonly serial: number;
  readonly body: readonly BusValue[];
};

/** How long the message is that begins so; null as long as that is not said. Throws `Malformed` where it is too long. */
export function measureMessage(start: Buffer): number | null {
  if (start.length < HEADER_BYTES) return null;
  if (start[0] !== LITTLE && start[0] !== BIG) throw new Malformed('no message of the bus begins like that');
  const read = (at: number): number => (start[0] === LITTLE ? start.readUInt32LE(at) : start.readUInt32BE(at));
  const length = Math.ceil((HEADER_BYTES + read(12)) / 8) * 8 + read(4);
  if (length > LONGEST_MESSAGE) throw new Malformed(`a message of more than ${LONGEST_MESSAGE / 1024} KiB`);
  return length;
}

/** Reads one whole message. Throws `Malformed`. */
export function readMessage(bytes: Buffer): BusMessage {
  const [endian, type, , version] = bytes;
  if (type === 0 || version !== 1) throw new Malformed('a message of another kind or version');
  const isLittle = endian === LITTLE;
  const header = new ValueReader(bytes, isLittle, 8);
  const serial = header.read('u') as number;
  if (serial === 0) throw new Malformed('a message without a serial number');
  const fields = readFields(header.read('a(yv)') as readonly (readonly [number, BusValue])[]);
  const kind = TYPES[(type ?? 0) - 1] ?? 'unknown';
  const missing = REQUIRED[kind].find((name) => fields[name] === undefined);
  if (missing !== undefined) throw new Malformed(`a message without its ${missing}`);
  header.align(8);
  // A body begins on a multiple of eight: positions may be counted from there.
  const body = new ValueReader(bytes.subarray(header.at), isLittle).readAll(fields.signature ?? '');
  return { ...fields, type: kind, serial, body };
}

function readFields(list: readonly (readonly [number, BusValue])[]): BusFields {
  const fields: Record<string, BusValue> = {};
  for (const [number, variant] of list) {
    if (!isVariant(variant)) continue;
    const { signature, value } = variant;
    if (number === 0 || number === UNIX_FDS) throw new Malformed('a message with files, or of no known shape');
    const name = FIELDS[number - 1];
    if (name === undefined) continue;
    if (signature !== FIELD_TYPES[number - 1] || name in fields) throw new Malformed(`a message with an odd ${name}`);
    if (typeof value === 'string' && name !== 'path' && value.length > LONGEST_NAME)
      throw new Malformed(`a message with a long ${name}`);
    fields[name] = value;
  }
  return fields;
}

/** A call of a method that takes texts, and is answered. */
export type BusCall = Required<Pick<BusFields, 'destination' | 'path' | 'interface' | 'member'>> & {
  readonly body?: readonly string[];
};

/** The bytes of a call, little-endian. What is written is our own: a text that the bus cannot carry is a bug, and throws. */
export function writeCall(serial: number, { body = [], ...names }: BusCall): Buffer {
  const fields: BusFields = { ...names, signature: 's'.repeat(body.length) };
  const head = FIELDS.flatMap((name, index) => {
    const value = fields[name];
    if (typeof value !== 'string' || value === '') return [];
    const bytes = name === 'signature' ? Buffer.from([value.length, ...Buffer.from(value), 0]) : textBytes(value);
    return [Buffer.concat([Buffer.of(index + 1, 1, FIELD_TYPES.charCodeAt(index), 0), bytes])];
  });
  const [headBytes, bodyBytes] = [joined(head, 8), joined(body.map(textBytes), 4)];
  const start = Buffer.of(LITTLE, 1, 0, 1);
  const lengths = [bodyBytes.length, serial, headBytes.length].map(u32);
  return Buffer.concat([start, ...lengths, joined([headBytes, bodyBytes], 8)]);
}

/** Each part but the first begins at a multiple of `alignment`. */
const joined = (parts: readonly Buffer[], alignment: number): Buffer =>
  parts.reduce(
    (before, part) => Buffer.concat([before, Buffer.alloc(-before.length & (alignment - 1)), part]),
    Buffer.alloc(0),
  );

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function textBytes(text: string): Buffer {
  if (text.includes('\u0000') || !text.isWellFormed()) throw new TypeError('a text that the bus cannot carry');
  return Buffer.concat([u32(Buffer.byteLength(text)), Buffer.from(text), Buffer.alloc(1)]);
}
