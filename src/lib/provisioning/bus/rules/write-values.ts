import { isObjectPath, isVariant, type BusValue } from './bus-value.ts';
import { layoutOf, viewOf } from './numbers.ts';
import { alignmentOf, parseSignature, type BusType } from './signature.ts';

/**
 * Writes values as bytes of one message, little-endian as all that is sent from here, or big-endian. What is written is our own: a value
 * that does not fit its type is a bug, and throws.
 */
export class ValueWriter {
  readonly #isLittle: boolean;
  #bytes = Buffer.alloc(256);
  #length = 0;

  constructor(isLittle = true) {
    this.#isLittle = isLittle;
  }

  toBuffer(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#length));
  }

  writeAll(signature: string, values: readonly BusValue[]): this {
    const types = parseSignature(signature);
    if (types?.length !== values.length) throw new TypeError(`${values.length} values do not make a "${signature}"`);
    types.forEach((type, index) => this.#write(type, values[index]));
    return this;
  }

  align(to: number): void {
    while (this.#length % to !== 0) this.#reserve(1);
  }

  /** Room for so many bytes, all zero. */
  #reserve(length: number): number {
    const from = this.#length;
    this.#length += length;
    if (this.#length > this.#bytes.length)
      this.#bytes = Buffer.concat([this.#bytes], Math.max(this.#length, this.#bytes.length * 2));
    return from;
  }

  #write(type: BusType, value: BusValue | undefined): void {
    this.align(alignmentOf(type.code));
    if ('of' in type) this.#writeArray(type.of, value);
    else if ('fields' in type) {
      const values = Array.isArray(value) ? (value as readonly BusValue[]) : [];
      if (values.length !== type.fields.length) throw new TypeError('a struct of another number of fields');
      type.fields.forEach((field, index) => this.#write(field, values[index]));
    } else if (type.code === 'v') {
      if (!isVariant(value)) throw new TypeError('a variant without its signature');
      this.writeAll('g', [value.signature]).writeAll(value.signature, [value.value]);
    } else this.#writeBasic(type.code, value);
  }

  #writeBasic(code: string, value: BusValue | undefined): void {
    if (typeof value === 'number' || typeof value === 'bigint') this.#writeNumber(code, value);
    else if (typeof value === 'boolean' && code === 'b') this.#writeNumber('u', Number(value));
    else if (typeof value === 'string' && 'sog'.includes(code)) this.#writeText(code, value);
    else throw new TypeError(`a value that is no "${code}"`);
  }

  #writeNumber(code: string, value: number | bigint): void {
    const layout = layoutOf(code);
    if (layout === undefined) throw new TypeError(`a number is no "${code}"`);
    const at = this.#reserve(layout.bytes);
    const view = viewOf(this.#bytes);
    layout.write(view, at, this.#isLittle, value as number & bigint);
    // What does not fit is cut without a word.
    if (!Object.is(layout.read(view, at, this.#isLittle), value)) throw new RangeError(`${value} is no "${code}"`);
  }

  #writeText(code: string, text: string): void {
    if (text.includes('\u0000') || !text.isWellFormed() || (code === 'o' && !isObjectPath(text)))
      throw new TypeError(`a text that is no "${code}"`);
    const length = Buffer.byteLength(text);
    this.#writeNumber(code === 'g' ? 'y' : 'u', length);
    // Reserved before `#bytes` is read: it moves when it grows.
    const at = this.#reserve(length + 1);
    this.#bytes.write(text, at);
  }

  #writeArray(of: BusType, value: BusValue | undefined): void {
    const lengthAt = this.#length;
    this.#writeNumber('u', 0);
    this.align(alignmentOf(of.code));
    const from = this.#length;
    if (of.code === 'y' && value instanceof Uint8Array) {
      const at = this.#reserve(value.length);
      this.#bytes.set(value, at);
    } else if (of.code === '{' && value instanceof Map)
      for (const entry of value) this.#write(of, entry as [BusValue, BusValue]);
    else if (Array.isArray(value)) for (const item of value as readonly BusValue[]) this.#write(of, item);
    else throw new TypeError('a value that is no array');
    const length = this.#length - from;
    viewOf(this.#bytes).setUint32(lengthAt, length, this.#isLittle);
  }
}
