import { alignmentOf, typesOf, isVariant, type BusValue } from '../src/lib/provisioning/bus/rules/values.ts';
import { FIELD_TYPES, FIELDS, TYPES, type BusFields } from '../src/lib/provisioning/bus/rules/message.ts';

/** What a host says on its bus. */
export type SentMessage = BusFields & {
  readonly type: (typeof TYPES)[number];
  readonly serial: number;
  readonly body?: readonly BusValue[];
};

/** The bytes of any message. Throws where its values do not fit its signature: that is a bug. */
export function writeMessage({ type, serial, body = [], ...fields }: SentMessage, isLittle = true): Buffer {
  const bytes = new ValueWriter(isLittle).write(fields.signature ?? '', body).toBuffer();
  const head = FIELDS.flatMap((name, index) => {
    const value = fields[name];
    const signature = FIELD_TYPES.charAt(index);
    return value === undefined || value === '' ? [] : [[index + 1, { signature, value }]];
  });
  const start = [isLittle ? 0x6c : 0x42, TYPES.indexOf(type) + 1, 0, 1, bytes.length, serial, head];
  return Buffer.concat([new ValueWriter(isLittle).write('yyyyuua(yv)', start).align(8).toBuffer(), bytes]);
}

const WRITERS: Readonly<Record<string, (view: DataView, isLittle: boolean, value: number & bigint) => void>> = {
  y: (view, _, value) => view.setUint8(0, value),
  n: (view, isLittle, value) => view.setInt16(0, value, isLittle),
  q: (view, isLittle, value) => view.setUint16(0, value, isLittle),
  i: (view, isLittle, value) => view.setInt32(0, value, isLittle),
  u: (view, isLittle, value) => view.setUint32(0, value, isLittle),
  x: (view, isLittle, value) => view.setBigInt64(0, value, isLittle),
  t: (view, isLittle, value) => view.setBigUint64(0, value, isLittle),
  d: (view, isLittle, value) => view.setFloat64(0, value, isLittle),
};

/** Values of any type, one after the other. */
export class ValueWriter {
  readonly #isLittle: boolean;
  #parts: Buffer[] = [];
  #length = 0;

  constructor(isLittle = true) {
    this.#isLittle = isLittle;
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#parts);
  }

  write(signature: string, values: readonly BusValue[]): this {
    const types = typesOf(signature);
    if (types.length !== values.length) throw new TypeError(`${values.length} values do not make a "${signature}"`);
    types.forEach((type, index) => this.#write(type, values[index]));
    return this;
  }

  align(to: number): this {
    return this.#add(Buffer.alloc(-this.#length & (to - 1)));
  }

  #add(part: Buffer): this {
    this.#parts.push(part);
    this.#length += part.length;
    return this;
  }

  #number(code: string, value: number | bigint): void {
    const part = Buffer.alloc(alignmentOf(code));
    WRITERS[code]?.(new DataView(part.buffer, part.byteOffset, part.length), this.#isLittle, value as number & bigint);
    this.align(part.length).#add(part);
  }

  #write(type: string, value: BusValue | undefined): void {
    const code = type.charAt(0);
    this.align(alignmentOf(code));
    if (code === 'a') this.#writeArray(type.slice(1), value);
    else if ('({'.includes(code)) this.write(type.slice(1, -1), value as readonly BusValue[]);
    else if (code === 'v' && isVariant(value)) this.write('g', [value.signature]).write(value.signature, [value.value]);
    else if (typeof value === 'string' && 'sog'.includes(code)) {
      this.#number(code === 'g' ? 'y' : 'u', Buffer.byteLength(value));
      this.#add(Buffer.from(`${value}\0`));
    } else if (typeof value === 'boolean' && code === 'b') this.#number('u', Number(value));
    else if ((typeof value === 'number' || typeof value === 'bigint') && code in WRITERS) this.#number(code, value);
    else throw new TypeError(`a value that is no "${type}"`);
  }

  /** The length is that from the first item on, whatever lies in between. */
  #writeArray(of: string, value: BusValue | undefined): void {
    const outer = this.#parts;
    const [alignment, start] = [alignmentOf(of.charAt(0)), this.#length + 4];
    this.#parts = [];
    this.#length = Math.ceil(start / alignment) * alignment;
    const from = this.#length;
    if (value instanceof Uint8Array) this.#add(Buffer.from(value));
    else for (const item of value as Iterable<BusValue>) this.#write(of, item);
    const [items, length] = [this.#parts, this.#length - from];
    this.#parts = outer;
    this.#length = start - 4;
    this.#number('u', length);
    this.align(alignment);
    items.forEach((part) => this.#add(part));
  }
}
