/** Codes of the basic types that are spoken here. `h`, an open file, cannot travel over SSH. Source: D-Bus 0.42, type system. */
const BASIC = 'ybnqiuxtdsog';
/** Of arrays, structs, dictionary entries and variants inside each other; systemd needs five. */
export const DEEPEST = 16;
export const LONGEST_SIGNATURE = 255;

export type BusType =
  | { readonly code: string }
  | { readonly code: 'a'; readonly of: BusType }
  | { readonly code: '(' | '{'; readonly fields: readonly BusType[] };

/** How a value begins in a message: on a multiple of so many bytes. */
export function alignmentOf(code: string): number {
  if ('nq'.includes(code)) return 2;
  if ('biusoa'.includes(code)) return 4;
  return 'xtd({'.includes(code) ? 8 : 1;
}

/** The types of a signature, or null where it is none, or is nested too deeply. */
export function parseSignature(text: string): readonly BusType[] | null {
  if (text.length > LONGEST_SIGNATURE) return null;
  const parser = new Parser(text);
  const types = parser.read('', 0);
  return types !== null && parser.isAtEnd ? types : null;
}

class Parser {
  readonly #text: string;
  #at = 0;
  constructor(text: string) {
    this.#text = text;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#text.length;
  }

  /** Types up to a closing bracket, or to the end. */
  read(closing: string, depth: number): readonly BusType[] | null {
    const types: BusType[] = [];
    while (!this.isAtEnd && this.#text[this.#at] !== closing) {
      const type = this.#readOne(depth);
      if (type === null) return null;
      types.push(type);
    }
    return types;
  }

  #readOne(depth: number): BusType | null {
    const code = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (code !== '' && (BASIC.includes(code) || code === 'v')) return { code };
    if (depth >= DEEPEST) return null;
    if (code === 'a') {
      const of = this.#text[this.#at] === '{' ? this.#readEntry(depth + 1) : this.#readOne(depth + 1);
      return of === null ? null : { code, of };
    }
    return code === '(' ? this.#readFields(code, depth + 1) : null;
  }

  /** Only as what an array is of. */
  #readEntry(depth: number): BusType | null {
    this.#at += 1;
    const entry = this.#readFields('{', depth);
    if (entry === null || !('fields' in entry) || entry.fields.length !== 2) return null;
    return BASIC.includes(entry.fields[0]?.code ?? '') ? entry : null;
  }

  #readFields(code: '(' | '{', depth: number): BusType | null {
    const closing = code === '(' ? ')' : '}';
    const fields = this.read(closing, depth);
    if (fields === null || fields.length === 0 || this.isAtEnd) return null;
    this.#at += 1;
    return { code, fields };
  }
}
