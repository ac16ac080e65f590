import * as z from 'zod/mini';
import { isPlainText } from '../facts/plain-text.ts';
import { metaOf, type Meta } from './parse.ts';

/** Says of a schema in words what it allows. */
export const described = <Schema extends z.ZodMiniType>(schema: Schema, meta: string | Meta): Schema => {
  z.globalRegistry.add(schema, typeof meta === 'string' ? { description: meta } : { ...meta });
  return schema;
};

/** The same under another name, or with another verb, or as a secret. */
export const called = <Schema extends z.ZodMiniType>(schema: Schema, meta: Partial<Meta>): Schema =>
  described(z.clone(schema), { description: '', ...metaOf(schema), ...meta });

/** Where nothing is given, `usual` stands for it. */
export const usually = <Schema extends z.ZodMiniType<unknown, string>>(usual: string, schema: Schema) =>
  described(z.prefault(schema, usual as z.input<Schema>), { description: '', ...metaOf(schema), default: usual });

/** Where nothing is given, it is null. */
export const orNull = <Schema extends z.ZodMiniType>(schema: Schema) =>
  described(
    z.pipe(
      z.optional(schema),
      z.transform((value: z.output<Schema> | undefined) => value ?? null),
    ),
    { description: '', ...metaOf(schema) },
  );

/** A text without the blanks around it, of this form. */
export const textLike = (pattern: RegExp, meta: string | Meta) =>
  described(z.string().check(z.trim(), z.regex(pattern)), meta);

/** Why something cannot be used, as a whole sentence without its full stop; it holds nothing secret. */
export class Refusal {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** What `read` makes of a text exactly as it was given; `undefined` or a refusal is for what is none. */
export const readWhole = <Value>(read: (text: string) => Value | Refusal | undefined, meta: string | Meta) =>
  described(
    z.pipe(
      z.string(),
      z.transform((text: string, { issues }): Value => {
        const value = read(text);
        if (value instanceof Refusal) issues.push({ code: 'custom', input: text, params: { reason: value.reason } });
        else if (value !== undefined) return value;
        else issues.push({ code: 'custom', input: text });
        return z.NEVER;
      }),
    ),
    meta,
  );

/** The same of a text without the blanks around it. */
export const readBy = <Value>(read: (text: string) => Value | undefined, meta: string | Meta) =>
  readWhole((text) => read(text.trim()), meta);

/** One line that can stand anywhere; a blank one is null. */
export const plainText = (longest: number) =>
  readBy((text) => (text.length <= longest && isPlainText(text) ? text || null : undefined), {
    description: `up to ${longest} printable characters`,
    ask: 'Use',
  });

/** Digits alone: what JavaScript takes for a number otherwise (`1e3`, `0x10`, nothing) is a typing error. */
export const wholeNumber = (min: number, max: number, unit = '') =>
  described(
    z.pipe(
      z.string().check(z.trim(), z.regex(/^\d{1,15}$/)),
      z.pipe(z.transform(Number), z.int().check(z.minimum(min), z.maximum(max))),
    ),
    `a whole number${unit && ` of ${unit}`} from ${min} to ${max}`,
  );

/** One of a few words. */
export const oneOf = <const Words extends readonly string[]>(words: Words) =>
  described(z.enum(words), words.join(', '));
