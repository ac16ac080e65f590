import { isVariant, type BusValue } from './bus-value.ts';
import { Malformed, ValueReader } from './read-values.ts';
import { parseSignature } from './signature.ts';
import { ValueWriter } from './write-values.ts';

/** Source: D-Bus specification, message format. */
const TYPES = ['invalid', 'call', 'return', 'error', 'signal'] as const;
const NO_REPLY_EXPECTED = 1;
const HEADER_BYTES = 16;
/** What is sent to us at most, all told: a service described in full is some 30 KiB. */
export const LONGEST_MESSAGE = 64 * 1024;
const LONGEST_NAME = 255;

type Fields = {
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  readonly sender?: string;
  readonly signature?: string;
};

/** By their number in a header. */
const FIELDS: Readonly<Record<number, readonly [keyof Fields, string]>> = {
  1: ['path', 'o'],
  2: ['interface', 's'],
  3: ['member', 's'],
  4: ['errorName', 's'],
  5: ['replySerial', 'u'],
  6: ['destination', 's'],
  7: ['sender', 's'],
  8: ['signature', 'g'],
};
const UNIX_FDS = 9;

/** Without these, a message of its type says nothing. */
const REQUIRED: Readonly<Record<BusMessage['type'], readonly (keyof Fields)[]>> = {
  call: ['path', 'member'],
  return: ['replySerial'],
  error: ['errorName', 'replySerial'],
  signal: ['path', 'interface', 'member'],
  unknown: [],
};

export type BusMessage = Fields & {
  /** `unknown`: to be passed over, says the specification. */
  readonly type: 'call' | 'return' | 'error' | 'signal' | 'unknown';
  readonly serial: number;
  readonly expectsReply: boolean;
  readonly body: readonly BusValue[];
};

/** How long the message is that begins so; null as long as that is not said. A reason where it is longer than any may be. */
export function measureMessage(start: Buffer): number | null | { readonly fault: string } {
  if (start.length < HEADER_BYTES) return null;
  if (start[0] !== 0x6c && start[0] !== 0x42) return { fault: 'no message of the bus begins like that' };
  const read = (at: number): number => (start[0] === 0x6c ? start.readUInt32LE(at) : start.readUInt32BE(at));
  const length = toEight(HEADER_BYTES + read(12)) + read(4);
  return length > LONGEST_MESSAGE ? { fault: `a message of more than ${LONGEST_MESSAGE / 1024} KiB` } : length;
}

const toEight = (length: number): number => Math.ceil(length / 8) * 8;

/** One whole message, or what is wrong with it. Never throws. */
export function parseMessage(bytes: Buffer): BusMessage | { readonly fault: string } {
  try {
    return readMessage(bytes);
  } catch (error) {
    if (error instanceof Malformed) return { fault: error.message };
    throw error;
  }
}

function readMessage(bytes: Buffer): BusMessage {
  const isLittle = bytes[0] === 0x6c;
  const type = TYPES[bytes[1] ?? 0] ?? 'unknown';
  if (type === 'invalid' || bytes[3] !== 1) throw new Malformed('a message of another kind or version');
  const header = new ValueReader(bytes, { isLittle, at: 8 });
  const serial = header.read({ code: 'u' }, 0) as number;
  if (serial === 0) throw new Malformed('a message without a serial number');
  const fields = readFields(header.read(FIELD_LIST, 0) as readonly (readonly [number, BusValue])[]);
  const missing = REQUIRED[type].find((name) => fields[name] === undefined);
  if (missing !== undefined) throw new Malformed(`a message without its ${missing}`);
  header.align(8);
  // A body begins on a multiple of eight: positions may be counted from there.
  const body = new ValueReader(bytes.subarray(header.at), { isLittle }).readAll(fields.signature ?? '');
  const expectsReply = type === 'call' && ((bytes[2] ?? 0) & NO_REPLY_EXPECTED) === 0;
  return { ...fields, type, serial, expectsReply, body };
}

const FIELD_LIST = { code: 'a', of: { code: '(', fields: [{ code: 'y' }, { code: 'v' }] } } as const;

function readFields(list: readonly (readonly [number, BusValue])[]): Fields {
  const fields: Record<string, BusValue> = {};
  for (const [number, variant] of list) {
    if (!isVariant(variant)) continue;
    const { signature, value } = variant;
    if (number === 0 || number === UNIX_FDS) throw new Malformed('a message with files, or of no known shape');
    const [name, expected] = FIELDS[number] ?? [];
    if (name === undefined) continue;
    if (signature !== expected || name in fields) throw new Malformed(`a message with an odd ${name}`);
    if (typeof value === 'string' && name !== 'path' && value.length > LONGEST_NAME)
      throw new Malformed(`a message with a long ${name}`);
    fields[name] = value;
  }
  return fields;
}

/** What is sent: a call as a rule; whoever stands in for a bus sends the others, too. */
export type OutgoingMessage = Fields & {
  readonly type: Exclude<BusMessage['type'], 'unknown'>;
  readonly serial: number;
  readonly body?: readonly BusValue[];
};

/** The bytes of a message. Throws where its values do not fit its signature: that is a bug. */
export function writeMessage({ type, serial, body = [], ...fields }: OutgoingMessage, isLittle = true): Buffer {
  const { signature = '' } = fields;
  if (parseSignature(signature) === null) throw new TypeError(`"${signature}" is no signature`);
  const bodyBytes = new ValueWriter(isLittle).writeAll(signature, body).toBuffer();
  const listed = Object.entries(FIELDS).flatMap(([number, [name, code]]) => {
    const value = fields[name];
    return value === undefined || value === '' ? [] : [[Number(number), { signature: code, value }]];
  });
  const endian = isLittle ? 0x6c : 0x42;
  const start = [endian, TYPES.indexOf(type), 0, 1, bodyBytes.length, serial, listed];
  const header = new ValueWriter(isLittle).writeAll('yyyyuua(yv)', start);
  header.align(8);
  return Buffer.concat([header.toBuffer(), bodyBytes]);
}
