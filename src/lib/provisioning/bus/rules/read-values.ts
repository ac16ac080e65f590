import { isObjectPath, type BusValue } from './bus-value.ts';
import { layoutOf, viewOf } from './numbers.ts';
import { alignmentOf, DEEPEST, LONGEST_SIGNATURE, parseSignature, type BusType } from './signature.ts';

/**
 * In one message, counted with all inside others and, as each has to be parsed, the characters of their signatures. News of
 * a unit has some two hundred.
 */
const MOST_VALUES = 1_024;

/** What is wrong with what the other side sends. Never leaves this room: whoever reads turns it into a value. */
export class Malformed extends Error {}

/**
 * Reads values from the bytes of one message; each length is held against what is there before anything is made of it.
 * Positions count from the beginning of the bytes, which is where the message, or its body, begins. Throws `Malformed` and
 * nothing else. What it gives is copied: the bytes may be used again.
 */
export class ValueReader {
  readonly #bytes: Buffer;
  readonly #view: DataView;
  readonly #isLittle: boolean;
  #at: number;
  #end: number;
  #values = 0;

  constructor(bytes: Buffer, { isLittle, at = 0 }: { readonly isLittle: boolean; readonly at?: number }) {
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.#isLittle = isLittle;
    this.#at = at;
    this.#end = bytes.length;
  }

  get at(): number {
    return this.#at;
  }

  /** The values of a whole signature, which have to fill the bytes. */
  readAll(signature: string): BusValue[] {
    const values = typesOf(signature).map((type) => this.read(type, 0));
    if (this.#at !== this.#end) throw new Malformed('more bytes than its signature speaks of');
    return values;
  }

  read(type: BusType, depth: number): BusValue {
    this.#count(1);
    if (depth > DEEPEST) throw new Malformed('values nested too deeply');
    this.align(alignmentOf(type.code));
    if ('of' in type) return this.#readArray(type.of, depth + 1);
    if ('fields' in type) return type.fields.map((field) => this.read(field, depth + 1));
    if (type.code === 'v') return this.#readVariant(depth + 1);
    return this.#readBasic(type.code);
  }

  align(to: number): void {
    while (this.#at % to !== 0) if (this.#bytes[this.#take(1)] !== 0) throw new Malformed('padding that is not empty');
  }

  #count(values: number): void {
    this.#values += values;
    if (this.#values > MOST_VALUES) throw new Malformed(`more than ${MOST_VALUES} values in a message`);
  }

  #take(length: number): number {
    const from = this.#at;
    if (length > this.#end - from) throw new Malformed('a value that goes beyond its message');
    this.#at += length;
    return from;
  }

  #readBasic(code: string): BusValue {
    const layout = layoutOf(code);
    if (layout !== undefined) return layout.read(this.#view, this.#take(layout.bytes), this.#isLittle);
    switch (code) {
      case 'b':
        return this.#readBoolean();
      case 's':
        return this.#readText(this.#readLength());
      case 'o':
        return this.#readPath();
      case 'g':
        return this.#readSignature();
      default:
        throw new Malformed('a value of an unknown type');
    }
  }

  #readLength(): number {
    return this.#view.getUint32(this.#take(4), this.#isLittle);
  }

  #readBoolean(): boolean {
    const value = this.#readLength();
    if (value > 1) throw new Malformed('a truth value that is neither');
    return value === 1;
  }

  #readText(length: number): string {
    const from = this.#take(length);
    if (this.#bytes[this.#take(1)] !== 0) throw new Malformed('a text without its end');
    const raw = this.#bytes.subarray(from, from + length);
    const text = raw.toString('utf8');
    // What is no UTF-8 becomes U+FFFD, which may also have been sent.
    if (text.includes('\u0000') || (text.includes('\ufffd') && !Buffer.from(text).equals(raw)))
      throw new Malformed('a text that is none');
    return text;
  }

  #readPath(): string {
    const path = this.#readText(this.#readLength());
    if (!isObjectPath(path)) throw new Malformed('a path that is none');
    return path;
  }

  #readSignature(): string {
    const signature = this.#readText(this.#view.getUint8(this.#take(1)));
    this.#count(signature.length);
    typesOf(signature);
    return signature;
  }

  #readVariant(depth: number): BusValue {
    const signature = this.#readSignature();
    const [type, ...others] = typesOf(signature);
    if (type === undefined || others.length > 0) throw new Malformed('a variant that is not of one type');
    return { signature, value: this.read(type, depth) };
  }

  #readArray(of: BusType, depth: number): BusValue {
    const length = this.#readLength();
    this.align(alignmentOf(of.code));
    if (of.code === 'y') {
      const from = this.#take(length);
      return Uint8Array.from(this.#bytes.subarray(from, from + length));
    }
    const from = this.#take(length);
    const outerEnd = this.#end;
    this.#at = from;
    this.#end = from + length;
    const items: BusValue[] = [];
    while (this.#at < this.#end) items.push(this.read(of, depth));
    this.#end = outerEnd;
    return of.code === '{' ? new Map(items as [BusValue, BusValue][]) : items;
  }
}

function typesOf(signature: string): readonly BusType[] {
  const types = signature.length > LONGEST_SIGNATURE ? null : parseSignature(signature);
  if (types === null) throw new Malformed('a signature that is none, or is nested too deeply');
  return types;
}
