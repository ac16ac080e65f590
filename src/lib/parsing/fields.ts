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
export const usually = <Schema extends z.ZodMiniType<unknown, string>>(
  usual: string,
  schema: Schema,
): z.ZodMiniPrefault<Schema> =>
  described(z.prefault(schema, usual as z.input<Schema>), { description: '', ...metaOf(schema), default: usual });

/** Where nothing is given, it is null. */
export const orNull = <Schema extends z.ZodMiniType>(schema: Schema) =>
  z.pipe(
    z.optional(schema),
    z.transform((value: z.output<Schema> | undefined) => value ?? null),
  );

/** A text without the blanks around it, of this form. */
export const textLike = (pattern: RegExp, meta: string | Meta) =>
  described(z.string().check(z.trim(), z.regex(pattern)), meta);

/**
 * Why something cannot be used, where the description of its field does not say it all. `reason`: a sentence without its
 * full stop, said instead of what was given, and without what is secret. `allowed`: said instead of the description.
 */
export class Refusal {
  readonly reason: string | undefined;
  readonly allowed: string | undefined;
  constructor({ reason, allowed }: { readonly reason?: string; readonly allowed?: string }) {
    this.reason = reason;
    this.allowed = allowed;
  }
}

/** What `read` makes of a text exactly as it was given; `undefined` or a refusal is for what is none. */
export const readWhole = <Value>(read: (text: string) => Value | Refusal | undefined, meta: string | Meta) =>
  described(
    z.pipe(
      z.string(),
      z.transform((text: string, { issues }): Value => {
        const value = read(text);
        if (value !== undefined && !(value instanceof Refusal)) return value;
        const { reason, allowed } = value instanceof Refusal ? value : {};
        issues.push({ code: 'custom', input: text, message: allowed, params: { reason } });
        return z.NEVER;
      }),
    ),
    meta,
  );

/** The same of a text without the blanks around it. */
export const readBy = <Value>(read: (text: string) => Value | Refusal | undefined, meta: string | Meta) =>
  readWhole((text) => read(text.trim()), meta);

/** Any text without the blanks around it; empty where there is none. */
export const anyText = z._default(z.string().check(z.trim()), '');

/** A box that is ticked or not. */
export const tickBox = z.pipe(
  z.optional(z.string()),
  z.transform((value: string | undefined) => value !== undefined),
);

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
