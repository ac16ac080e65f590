/**
 * A value as it travels over the bus: `y n q i u d` are numbers, `b` truth, `x t` bigints, `s o g` texts, `ay` bytes, other
 * arrays and structs lists, `a{…}` a map. `h`, an open file, cannot travel over SSH.
 */
export type BusValue =
  number | bigint | boolean | string | Uint8Array | readonly BusValue[] | ReadonlyMap<BusValue, BusValue> | BusVariant;

/** A value that says of itself of which type it is. */
export type BusVariant = { readonly signature: string; readonly value: BusValue };

export const isVariant = (value: BusValue | undefined): value is BusVariant =>
  typeof value === 'object' && 'signature' in value;

/** What is wrong with what the other side sends. Goes no further than `BusWire`, which makes a value of it. */
export class Malformed extends Error {}

/** Of arrays, structs, dictionary entries and variants inside each other; systemd needs five. */
const DEEPEST = 16;
const LONGEST_SIGNATURE = 255;
/** In one message: values, with all inside others, and the characters that tell their types. News of a unit has some 200. */
const MOST_STEPS = 1_024;

const BASIC = 'ybnqiuxtdsog';
const NUMBERS: Readonly<Record<string, (view: DataView, at: number, isLittle: boolean) => number | bigint>> = {
  y: (view, at) => view.getUint8(at),
  n: (view, at, isLittle) => view.getInt16(at, isLittle),
  q: (view, at, isLittle) => view.getUint16(at, isLittle),
  i: (view, at, isLittle) => view.getInt32(at, isLittle),
  u: (view, at, isLittle) => view.getUint32(at, isLittle),
  x: (view, at, isLittle) => view.getBigInt64(at, isLittle),
  t: (view, at, isLittle) => view.getBigUint64(at, isLittle),
  d: (view, at, isLittle) => view.getFloat64(at, isLittle),
};

/** A value begins at a multiple of so many bytes; a number is as long. */
export function alignmentOf(code: string): number {
  if ('nq'.includes(code)) return 2;
  if ('biusoa'.includes(code)) return 4;
  return 'xtd({'.includes(code) ? 8 : 1;
}

/** The types of a signature, one by one. Throws `Malformed`. Source: D-Bus specification 0.42, type system. */
export function typesOf(signature: string): string[] {
  if (signature.length > LONGEST_SIGNATURE) throw new Malformed('a signature that is too long');
  const types: string[] = [];
  for (let at = 0; at < signature.length;) {
    const from = at;
    at = endOfType(signature, from, 0);
    types.push(signature.slice(from, at));
  }
  return types;
}

function endOfType(signature: string, at: number, depth: number): number {
  const code = signature[at];
  if (code !== undefined && depth <= DEEPEST) {
    if (code === 'v' || BASIC.includes(code)) return at + 1;
    if (code === '(') {
      let end = endOfType(signature, at + 1, depth + 1);
      while (signature[end] !== ')') end = endOfType(signature, end, depth + 1);
      return end + 1;
    }
    if (code === 'a' && signature[at + 1] !== '{') return endOfType(signature, at + 1, depth + 1);
    if (code === 'a' && BASIC.includes(signature[at + 2] ?? '-')) {
      const end = endOfType(signature, at + 3, depth + 1);
      if (signature[end] === '}') return end + 1;
    }
  }
  throw new Malformed('a signature that is none, or is nested too deeply');
}

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
  #steps = 0;

  constructor(bytes: Buffer, isLittle: boolean, at = 0) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#isLittle = isLittle;
    this.#at = at;
    this.#end = bytes.length;
  }

  get at(): number {
    return this.#at;
  }

  /** The values of a whole signature, which have to fill the bytes. */
  readAll(signature: string): BusValue[] {
    const values = this.#types(signature).map((type) => this.read(type));
    if (this.#at !== this.#end) throw new Malformed('more bytes than its signature speaks of');
    return values;
  }

  /** `type` is one of `typesOf`, or an entry of a dictionary. */
  read(type: string, depth = 0): BusValue {
    this.#count(1);
    if (depth > DEEPEST) throw new Malformed('values nested too deeply');
    const code = type.charAt(0);
    this.align(alignmentOf(code));
    const readNumber = NUMBERS[code];
    if (readNumber !== undefined) return readNumber(this.#view, this.#take(alignmentOf(code)), this.#isLittle);
    switch (code) {
      case 'a':
        return this.#readArray(type.slice(1), depth + 1);
      case 'v':
        return this.#readVariant(depth + 1);
      case 'b':
        return this.#readTruth();
      case 'g':
        return this.#readSignature();
      case 's':
        return this.#readText(this.#readLength());
      case 'o':
        return this.#readPath();
      default:
        return this.#types(type.slice(1, -1)).map((field) => this.read(field, depth + 1));
    }
  }

  align(to: number): void {
    while (this.#at % to !== 0) if (this.#bytes[this.#take(1)] !== 0) throw new Malformed('padding that is not empty');
  }

  #count(steps: number): void {
    this.#steps += steps;
    if (this.#steps > MOST_STEPS) throw new Malformed(`more than ${MOST_STEPS} values in a message`);
  }

  #types(signature: string): string[] {
    this.#count(signature.length);
    return typesOf(signature);
  }

  #take(length: number): number {
    const from = this.#at;
    if (length > this.#end - from) throw new Malformed('a value that goes beyond its message');
    this.#at += length;
    return from;
  }

  #readLength(): number {
    return this.#view.getUint32(this.#take(4), this.#isLittle);
  }

  #readTruth(): boolean {
    const value = this.#readLength();
    if (value > 1) throw new Malformed('a truth value that is neither');
    return value === 1;
  }

  #readText(length: number): string {
    const from = this.#take(length + 1);
    const raw = this.#bytes.subarray(from, from + length);
    const text = raw.toString('utf8');
    if (this.#bytes[from + length] !== 0) throw new Malformed('a text without its end');
    // What is no UTF-8 becomes U+FFFD, which may also have been sent.
    if (text.includes('\u0000') || (text.includes('\ufffd') && !Buffer.from(text).equals(raw)))
      throw new Malformed('a text that is none');
    return text;
  }

  #readPath(): string {
    const path = this.#readText(this.#readLength());
    if (!/^(?:\/|(?:\/[A-Za-z0-9_]+)+)$/.test(path)) throw new Malformed('a path that is none');
    return path;
  }

  #readSignature(): string {
    const signature = this.#readText(this.#view.getUint8(this.#take(1)));
    this.#types(signature);
    return signature;
  }

  #readVariant(depth: number): BusValue {
    const signature = this.#readSignature();
    if (typesOf(signature).length !== 1) throw new Malformed('a variant that is not of one type');
    return { signature, value: this.read(signature, depth) };
  }

  #readArray(of: string, depth: number): BusValue {
    const length = this.#readLength();
    this.align(alignmentOf(of.charAt(0)));
    const from = this.#take(length);
    if (of === 'y') return Uint8Array.from(this.#bytes.subarray(from, from + length));
    const outerEnd = this.#end;
    this.#at = from;
    this.#end = from + length;
    const items: BusValue[] = [];
    while (this.#at < this.#end) items.push(this.read(of, depth));
    this.#end = outerEnd;
    return of.startsWith('{') ? new Map(items as [BusValue, BusValue][]) : items;
  }
}
